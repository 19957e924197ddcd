"""Relative positions in 1,000 documents: Yjs and the client name the same places; and what a cursor costs."""

from __future__ import annotations

from random import Random
from time import perf_counter

import pytest

from tests.interop.node import NodeClient
from tests.interop.oracle import agree
from tests.unit.client.rooms import Room


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_positions_are_those_of_yjs_in_a_thousand_documents() -> None:
    async with NodeClient.running("oracle.js") as node:
        assert sum([await agree(node, seed) for seed in range(1000)]) > 50_000


@pytest.mark.prove
def test_a_cursor_that_moves_with_every_key_costs_less_than_a_millisecond() -> None:
    """100,000 characters in 5,000 pieces: an edit of another's arrives, and the cursor is told and found."""
    dice = Random(1)
    theirs, ours = Room(1), Room(2)
    with theirs.batch():
        for _ in range(5_000):
            theirs.text("t").insert(dice.randrange(len(theirs.text("t")) + 1), "zwölf Bäume 漢字 😀x ok")
    ours.receive(theirs.doc.get_update())
    text = ours.text("t")
    assert len(text) == 100_000
    taken = []
    for _ in range(500):
        theirs.sent.clear()
        theirs.text("t").insert(dice.randrange(len(text)), "é")
        ours.receive(theirs.sent[0])
        index = dice.randrange(len(text))
        began = perf_counter()
        assert text.locate(text.position(index)) == index
        taken.append(perf_counter() - began)
    assert sorted(taken)[len(taken) // 2] < 0.001
