"""Updates that keep the engine busy: their room waits for them, and no other; nothing is acknowledged before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pycrdt import Doc, Text

from partyroom import DocumentParty, Lobby, MemoryStore
from partyroom.documents import live, weigh
from partyroom.errors import ProtocolError
from partyroom.http import Address
from partyroom.protocols import engine, yjs
from partyroom.stores.base import Range
from partyroom.testing import ManualClock, settle, visit
from tests.unit.documents.client import PATH, Client, Notes, Shared, join
from tests.unit.documents.test_lineage import document as written
from tests.unit.documents.test_lineage import party_of
from tests.unit.protocols.test_engine import MANY, prepended


class Scales:
    """In the place of the process that weighs: says what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.soon = True
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def until_asked(self) -> None:
        async with asyncio.timeout(10):
            await self.asked.wait()

    async def __call__(self, state: bytes) -> bool:
        self.asked.set()
        await self.go_on.wait()
        return self.soon


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> Scales:
    """Whatever is not applied at once takes too long, and is weighed."""
    scales = Scales()
    monkeypatch.setattr(live, "loads_soon", scales)
    monkeypatch.setattr(engine, "READ_AT_ONCE", 0)
    monkeypatch.setattr(engine, "READ_WHOLE", 0)
    monkeypatch.setattr(engine, "HURRY", 0.0)
    monkeypatch.setattr(engine, "HURRY_EACH", 0.0)
    return scales


async def test_a_slow_update_that_comes_while_the_document_is_replaced_goes_with_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, ready, begun, looked_at = (asyncio.Event() for _ in range(4))

    @asynccontextmanager
    async def meanwhile() -> AsyncIterator[None]:
        waits.set()
        await ready.wait()
        yield

    async def look(work: Callable[..., object], *arguments: object) -> object:
        begun.set()
        await looked_at.wait()
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", look)
    store = MemoryStore()
    async with Lobby({"notes": Notes}, store=store) as lobby, join(lobby) as ada, join(lobby, lineage="") as bob:
        await ada.insert(0, "old")
        document = party_of(lobby)._live
        replacing = asyncio.create_task(document.replace(written("new"), meanwhile()))
        await waits.wait()
        slow = asyncio.create_task(ada.socket.send(yjs.update(written("x" * engine.LARGE))))
        await begun.wait()
        ready.set()
        await settle()
        looked_at.set()
        await asyncio.gather(replacing, slow)
        await document.whole()
        await document.saved()
        await bob.read()
        assert str(bob.text) == "new"
        assert not await store.load(Address("notes", "today"), Range(prefix="document/update/"))


async def test_while_a_room_is_busy_with_an_update_its_clients_wait_and_other_rooms_do_not(scales: Scales) -> None:
    scales.go_on.clear()
    clock = ManualClock()
    async with Lobby({"notes": Notes}, clock=clock) as lobby, join(lobby) as ada, join(lobby) as bob:
        await ada.insert(0, "small ")
        slow = asyncio.create_task(ada.socket.send(yjs.update(prepended(2, MANY, "b", "body"))))
        await scales.until_asked()
        asked = asyncio.create_task(ada.socket.send(bytes([102, 1, 7])))
        waits = asyncio.create_task(bob.insert(0, "bob "))
        async with visit(lobby, "/parties/notes/another") as elsewhere:
            other = Client(elsewhere)
            await other.sync()
            await other.insert(0, "quick")
            await other.read()
            assert yjs.Update in map(type, other.received)
        assert not waits.done()
        assert not any(isinstance(message, yjs.SyncStatus) for message in ada.received)
        scales.go_on.set()
        for task in slow, asked, waits:
            await task
        await clock.advance(1)
        await ada.read()
        assert yjs.SyncStatus(b"\x07") in ada.received
        await bob.read()
        assert sorted(str(bob.text)) == sorted("small bob " + "b" * MANY)


async def test_who_leaves_while_its_room_is_busy_leaves_nothing_behind(scales: Scales) -> None:
    scales.go_on.clear()
    async with Lobby({"notes": Notes}, clock=ManualClock()) as lobby, join(lobby) as ada, join(lobby) as bob:
        slow = asyncio.create_task(ada.socket.send(yjs.update(prepended(2, MANY, "b", "body"))))
        await scales.until_asked()
        shows = asyncio.create_task(bob.present('{"user":"bob"}'))
        await settle()
        room = party_of(lobby).room
        for client in ada, bob:
            assert client.socket.connection is not None
            await room.leave(client.socket.connection, 1006)
        scales.go_on.set()
        await asyncio.gather(slow, shows)
        await party_of(lobby)._live.whole()
        await settle()
        assert not len(party_of(lobby).awareness)
        assert not list(party_of(lobby)._peers)


async def test_an_update_that_would_take_too_long_is_refused_with_a_reason_and_costs_nobody_anything(
    scales: Scales,
) -> None:
    scales.soon = False
    store = MemoryStore()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as ada:
        await ada.insert(0, "whole")
        async with visit(lobby, PATH) as mallory:
            await mallory.send(yjs.update(prepended(2, MANY, "b", "body")))
            await settle()
            assert mallory.transport.ended is not None
            assert mallory.transport.ended.code == 1008
            assert mallory.transport.ended.reason == "too much was written in one place at one time"
        await ada.insert(0, "still ")
        (kept,) = await party_of(lobby).quarantined()
        assert "one place" in kept.reason
        with pytest.raises(ProtocolError, match="one place"):
            await party_of(lobby).merge(prepended(3, MANY, "c", "body"))
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as bob:
        assert str(bob.text) == "still whole"


async def test_server_code_that_merges_such_an_update_waits_until_it_is_stored(scales: Scales) -> None:
    store = MemoryStore()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as ada:
        await ada.insert(0, "a")
        await party_of(lobby).merge(prepended(2, MANY, "b", "body"))
        await ada.read()
        assert len(str(ada.text)) == MANY + 1
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as bob:
        assert sorted(str(bob.text)) == sorted("a" + "b" * MANY)


async def test_what_server_code_writes_while_a_snapshot_is_made_does_not_leave_the_log(
    scales: Scales, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = MemoryStore(), ManualClock()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby:
        async with join(lobby) as ada:
            for number in range(50):
                await ada.insert(0, f"{number} ")
            scales.go_on.clear()
            party = party_of(lobby)
        await scales.until_asked()  # the last one has left: a quiet moment for a snapshot
        party.doc.get("body", type=Text).insert(0, "meanwhile ")
        scales.go_on.set()
        await party._live.whole()
        async with join(lobby) as bob:
            await bob.insert(0, "later ")
    async with Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby, join(lobby) as carol:
        assert str(carol.text).startswith("later meanwhile 49 ")


async def test_a_document_that_cannot_be_compacted_is_not_tried_again_at_each_update(scales: Scales) -> None:
    scales.soon = False
    async with Lobby({"notes": Notes}, clock=ManualClock()) as lobby:
        async with join(lobby) as ada:
            for number in range(50):
                await ada.insert(0, f"{number} ")
        await scales.until_asked()
        await party_of(lobby)._live.whole()
        scales.asked.clear()
        async with join(lobby) as ada:
            await ada.insert(0, "x")
        assert not scales.asked.is_set()
        async with join(lobby) as ada:
            assert str(ada.text).startswith("x49 48 ")
            for number in range(60):
                await ada.insert(0, f"{number} ")
        await scales.until_asked()
        await party_of(lobby)._live.whole()


async def test_a_room_that_stops_in_the_middle_keeps_what_was_accepted_before(scales: Scales) -> None:
    store = MemoryStore()
    scales.go_on.clear()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as ada:
        await ada.insert(0, "whole")
        slow = asyncio.create_task(ada.socket.send(yjs.update(prepended(2, MANY, "b", "body"))))
        await scales.until_asked()
        closing = asyncio.create_task(lobby.close())
        await settle()
        scales.go_on.set()
        await closing
        await slow
    async with Lobby({"notes": Notes}, store=Shared(store), clock=ManualClock()) as lobby, join(lobby) as bob:
        assert "whole" in str(bob.text)


@pytest.mark.parametrize("replaced", [False, True])
async def test_many_costly_messages_at_once_let_others_have_their_turn(
    replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partyroom.documents.party.TURN", -1.0)
    async with Lobby({"notes": Notes}, clock=ManualClock()) as lobby, join(lobby, lineage="") as ada:
        if replaced:  # then updates are looked at for what they bring back
            await ada.insert(0, "old")
            party = next(iter(lobby.rooms())).life.party
            assert isinstance(party, DocumentParty)
            await party.replace(yjs.EMPTY_UPDATE)
            await ada.read()
        doc: Doc[Text] = Doc()
        doc.get("body", type=Text).insert(0, "x")
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await ada.socket.send(yjs.update(doc.get_update()))
        assert turns


@pytest.mark.slow
async def test_a_document_is_weighed_in_another_process() -> None:
    assert await weigh.loads_soon(prepended(1, 100, "a"))
    assert not await weigh.loads_soon(b"no update")
