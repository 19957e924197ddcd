"""Where an index goes is where Yjs' relative positions say, whoever edits and however."""

from __future__ import annotations

from random import Random

import pytest
from partyroom_tui.moves import common, moved

from partyroom.client import Change, SpanEdit
from tests.unit.client.rooms import Room


@pytest.mark.parametrize("seed", range(40))
def test_indices_go_where_their_relative_positions_go(seed: int) -> None:
    random = Random(seed)
    here, there = Room(1), Room(2)
    here.text("t").append("漢字 and 😀 words\r\n" * 3)
    here.sync(there)
    heard: list[Change] = []
    here.text("t").on_change(heard.append)
    for _ in range(30):
        kept = [
            (index, right, here.text("t").position(index, 0 if right else -1))
            for index in range(len(here.text("t")) + 1)
            for right in (False, True)
        ]
        _edit(random, random.choice((here, there)))
        there.sync(here)
        here.sync(there)
        here.settle()
        edits = [edit for change in heard for edit in change.edits if isinstance(edit, SpanEdit)]
        heard.clear()
        for index, right, position in kept:
            now = index
            for edit in edits:
                now = moved(now, edit, right=right)
            assert now == here.text("t").locate(position)


def _edit(random: Random, room: Room) -> None:
    text = room.text("t")
    start = random.randint(0, len(text))
    stop = min(len(text), start + random.choice((0, 0, 1, 6)))
    text[start:stop] = random.choice(("", "x", "😀", "long\n"))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [("", "a", (0, 0)), ("abc", "abc", (3, 0)), ("abc", "axc", (1, 1)), ("aa", "a", (1, 0)), ("aba", "aa", (1, 1))],
)
def test_what_two_texts_have_in_common_is_not_edited(old: str, new: str, same: tuple[int, int]) -> None:
    assert common(old, new) == same
