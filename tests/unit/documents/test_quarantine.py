"""Updates that the engine cannot bear: out of the document, out of the way, and kept for whoever wants to know."""

from __future__ import annotations

import logging

import pytest
from pycrdt import Doc

from partyroom import DocumentParty, Lobby, MemoryStore
from partyroom.documents.quarantine import LONGEST, MOST, Quarantine
from partyroom.documents.trial import Outcome, Trial, TrialFailed
from partyroom.errors import ProtocolError
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.storage import Storage
from partyroom.testing import ManualClock, settle, visit
from tests.unit.documents.client import PATH, Notes, Shared, join
from tests.unit.documents.test_lineage import document, party_of

INSIDE_A_LETTER = bytes.fromhex("010108000400" + "0700" + "0178" + "00")
"""Breaks the engine in a document where client 7 has written something: it points into the middle of an item."""


async def test_what_breaks_the_engine_is_kept_with_who_sent_it_and_when_and_why() -> None:
    store, clock = MemoryStore(), ManualClock(1_000.0)
    async with (
        Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby,
        join(lobby, doc=Doc(client_id=7)) as ada,
    ):
        await ada.insert(0, "whole")
        async with visit(lobby, PATH + "?_pk=mallory", user={"sub": "m@example.com"}) as mallory:
            await mallory.send(yjs.update(INSIDE_A_LETTER))
            assert mallory.transport.ended is not None
            assert (mallory.transport.ended.code, mallory.transport.ended.reason) == (
                1008,
                "this update cannot be applied",
            )
        await ada.insert(0, "still ")
    async with Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby, join(lobby) as bob:
        assert str(bob.text) == "still whole"
        (kept,) = await party_of(lobby).quarantined()
        assert (kept.at, kept.size, kept.update) == (1_000.0, len(INSIDE_A_LETTER), INSIDE_A_LETTER)
        assert kept.sender == "mallory ('m@example.com' from here)"
        assert kept.reason.startswith("it breaks the engine: ")


async def test_it_costs_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Lobby({"notes": Notes}) as lobby, join(lobby, doc=Doc(client_id=7)) as ada:
        await ada.insert(0, "whole")
        with caplog.at_level(logging.WARNING):
            async with visit(lobby, PATH) as mallory:
                await mallory.send(yjs.update(INSIDE_A_LETTER))
                await settle()
        assert len(caplog.records) == 1
        assert "goes to quarantine" in caplog.records[0].message


async def test_server_code_that_merges_it_gets_an_error_and_the_document_goes_on() -> None:
    async with Lobby({"notes": DocumentParty}) as lobby, join(lobby, doc=Doc(client_id=7)) as ada:
        await ada.insert(0, "whole")
        with pytest.raises(ProtocolError):
            await party_of(lobby).merge(INSIDE_A_LETTER)
        await party_of(lobby).merge(document("more "))
        await ada.read()
        assert sorted(str(ada.text).split()) in (["more", "whole"], ["wholemore"])
        (kept,) = await party_of(lobby).quarantined()
        assert kept.sender == "this server"


@pytest.mark.slow
async def test_it_is_bounded_in_number_and_in_bytes() -> None:
    assert DocumentParty.limits is not None
    storage = Storage(MemoryStore(), Address("notes", "today"), DocumentParty.limits)
    quarantine = Quarantine(storage)
    for number in range(MOST + 5):
        await quarantine.keep(float(number), f"client {number}", "why", bytes(LONGEST + number))
    kept = await quarantine.all()
    assert [int(one.at) for one in kept] == list(range(5, MOST + 5))
    assert {len(one.update) for one in kept} == {LONGEST}
    assert kept[-1].size == LONGEST + MOST + 4
    await storage.flush()


class Ill(Trial):
    """A trial whose process finds everything deadly, or cannot be had."""

    fails = False

    async def begin(self, snapshot: bytes | None = None) -> Outcome:
        return Outcome.APPLIED

    async def apply(self, update: bytes) -> Outcome:
        if self.fails:
            raise TrialFailed("no more processes")
        return Outcome.DIED


async def test_a_careful_document_lets_nobody_in_with_what_kills_by_whatever_way() -> None:
    async with Lobby({"notes": Notes}) as lobby, join(lobby) as ada, join(lobby, "?mode=read") as reader:
        await ada.insert(0, "whole")
        party = party_of(lobby)
        party._live._caution._trial = Ill()
        await reader.insert(0, "refused anyhow")
        assert await party.quarantined() == []
        for way in party.merge, party.replace:
            with pytest.raises(ProtocolError):
                await way(document("deadly"))
        await ada.insert(0, "deadly ")
        assert ada.socket.transport.ended is not None
        assert ada.socket.transport.ended.code == 1008
        assert len(await party.quarantined()) == 3
        async with join(lobby) as bob:
            assert str(bob.text) == "whole"


async def test_where_no_process_can_be_had_to_try_updates_in_the_document_goes_on_without_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Lobby({"notes": Notes}) as lobby, join(lobby) as ada:
        party = party_of(lobby)
        party._live._caution._trial = trial = Ill()
        trial.fails = True
        with caplog.at_level(logging.ERROR):
            await ada.insert(0, "fine")
        assert str(party.doc.get("body", type=type(ada.text))) == "fine"
        assert [record.message for record in caplog.records] == [
            "notes/today: updates are not tried any more: no more processes"
        ]
        assert not party._live.careful
