"""The trace of a long document, 300,000 edits: it loads at once, whoever comes has it at once, and it stays small."""

from __future__ import annotations

from pathlib import Path
from time import thread_time

import pytest
from pycrdt import Doc, Text

from partyroom import Lobby, SQLiteStore
from partyroom.protocols import yjs
from partyroom.protocols.replica import Replica
from partyroom.testing import settle, visit
from tests.bench.trace import ROOT, long_document
from tests.unit.documents.client import PATH, Notes
from tests.unit.documents.growth import a_day
from tests.unit.documents.test_growth import LOG

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

EDITS = 300_000
LOADED_WITHIN = 0.1
"""Seconds of processor time."""


async def test_a_long_document_loads_in_a_tenth_of_a_second_and_a_newcomer_has_it_after_one_answer(
    tmp_path: Path,
) -> None:
    state = long_document(1, EDITS)
    taken = []
    for _ in range(7):
        began = thread_time()
        replica = Replica()
        replica.load([], snapshot=state)
        taken.append(thread_time() - began)
    median = sorted(taken)[len(taken) // 2]
    text = str(replica.doc.get(ROOT, type=Text))
    print(f"{EDITS:,} edits: {len(text):,} characters, {len(state):,} bytes, loaded in {1e3 * median:.1f} ms")
    assert median < LOADED_WITHIN

    store = tmp_path / "notes.db"
    async with Lobby({"notes": Notes}, store=SQLiteStore(store)) as lobby, visit(lobby, PATH) as socket:
        await socket.send(yjs.update(state))
    async with Lobby({"notes": Notes}, store=SQLiteStore(store)) as lobby, visit(lobby, PATH) as socket:
        await socket.send(yjs.sync_step1(b"\0"))
        await settle()
        said = [yjs.parse(message) for message in socket.transport.messages if isinstance(message, bytes)]
        answers = [one.update for one in said if isinstance(one, yjs.SyncStep2)]
        newcomer: Doc[Text] = Doc()
        newcomer.apply_update(answers[0])
        assert len(answers) == 1
        assert str(newcomer.get(ROOT, type=Text)) == text


async def test_a_document_that_is_edited_for_a_day_stays_within_three_times_its_compacted_size() -> None:
    seen = await a_day(100_000)
    for stored in seen:
        assert stored.document <= 3 * stored.compacted + LOG
    last = seen[-1]
    most = max(stored.document / stored.compacted for stored in seen[len(seen) // 10 :])
    print(f"{last.document:,} bytes, {last.compacted:,} compacted, at most {most:.2f} times; history {last.history:,}")
    assert last.document <= 1.5 * last.compacted + 4096
