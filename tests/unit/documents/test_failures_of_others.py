"""What went wrong in other servers, each by name and with the report: none of it goes wrong here.

The documents and the people are real (pycrdt's, and the protocols'), the network is not.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import pytest
from pycrdt import Doc, Map, Text

from partyroom import DocumentParty, Lobby, MemoryStore, Request, Response
from partyroom.documents.log import SNAPSHOT
from partyroom.errors import ConnectionClosed, Refused, RoomStopped, StoreError
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.protocols.content import read
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.replica import Replica
from partyroom.stores.base import Batch
from partyroom.testing import ManualClock, settle, visit
from tests.unit.documents.client import PATH, Client, Notes, Shared, join
from tests.unit.documents.test_lineage import close_code, document, party_of
from tests.unit.documents.test_multiplex import House, browse
from tests.unit.protocols.mutants import honest


class Gated(MemoryStore):
    """A store that can be made to wait, and to fail at loading."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = asyncio.Event()
        self.writes.set()
        self.loads = asyncio.Event()
        self.loads.set()
        self.loaded = 0
        self.fails = False

    async def get(self, address: Address, keys: Collection[str]) -> dict[str, bytes]:
        self.loaded += SNAPSHOT in keys
        await self.loads.wait()
        if self.fails:
            raise StoreError("this disk cannot be read")
        return await super().get(address, keys)

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        await self.writes.wait()
        await super().apply(address, batch, fence=fence)


def lobby_with(store: MemoryStore, notes: type[DocumentParty] = Notes) -> tuple[Lobby, ManualClock]:
    clock = ManualClock()
    return Lobby({"notes": notes}, store=Shared(store), clock=clock), clock


async def evicted(lobby: Lobby, clock: ManualClock) -> None:
    """Until nobody has been there for long."""
    await clock.advance(120)
    assert list(lobby.rooms()) == []


# saving and loading -------------------------------------------------------------------------------------------------


async def test_a_document_is_unloaded_while_its_last_change_is_being_saved_and_who_comes_then_does_not_see_it() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/995"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "first ")
            store.writes.clear()
            await clock.advance(1)
            await ada.insert(6, "second")
        await clock.advance(120)
        async with join(lobby) as bob:
            assert str(bob.text) == "first second"
        store.writes.set()
        await evicted(lobby, clock)
        async with join(lobby) as carol:
            assert str(carol.text) == "first second"


async def test_what_was_written_just_before_everybody_left_is_not_saved() -> None:
    """https://github.com/partykit/partykit/pull/31"""
    lobby, clock = lobby_with(MemoryStore())
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "the last word")
            ada.socket.transport.abort()
        await evicted(lobby, clock)
        async with join(lobby) as bob:
            assert str(bob.text) == "the last word"


async def test_a_document_sleeps_with_its_clients_connected_and_what_was_in_memory_is_gone() -> None:
    """https://github.com/napolab/y-durableobjects/issues/28"""

    class Sleepy(Notes):
        hibernate = True

    lobby, clock = lobby_with(MemoryStore(), Sleepy)
    async with lobby, join(lobby) as ada:
        await ada.insert(0, "before ")
        await clock.advance(300)
        assert next(iter(lobby.rooms())).life.party is None
        await ada.insert(7, "after")
        async with join(lobby) as bob:
            assert str(bob.text) == "before after"


async def test_a_second_client_gets_an_empty_document_while_the_first_one_still_waits_for_it_to_load() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/821"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "stored")
        await evicted(lobby, clock)
        store.loads.clear()
        store.loaded = 0
        joining = [asyncio.create_task(_text_of_newcomer(lobby)) for _ in range(5)]
        await settle()
        assert not any(task.done() for task in joining)
        store.loads.set()
        assert await asyncio.gather(*joining) == ["stored"] * 5
        assert store.loaded == 1, "and it is loaded once for all of them"


async def test_all_come_back_at_once_after_a_restart_and_the_document_is_loaded_for_each() -> None:
    """https://github.com/ueberdosis/hocuspocus/pull/167"""
    store = Gated()
    lobby, _ = lobby_with(store)
    async with lobby, join(lobby) as ada:
        await ada.insert(0, "stored")
    again, _ = lobby_with(store)
    store.loaded = 0
    async with again:
        found = await asyncio.gather(*(_text_of_newcomer(again) for _ in range(100)))
        assert found == ["stored"] * 100
        assert store.loaded == 1


async def _text_of_newcomer(lobby: Lobby) -> str:
    async with join(lobby) as client:
        return str(client.text)


async def test_a_document_that_cannot_be_loaded_is_an_empty_one_which_is_saved_over_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/382"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "precious")
        await evicted(lobby, clock)
        store.fails = True
        with pytest.raises(RoomStopped):
            async with visit(lobby, PATH) as socket:
                await Client(socket).sync()
        assert "this disk cannot be read" in caplog.text
        store.fails = False
        async with join(lobby) as bob:
            assert str(bob.text) == "precious"


async def test_a_client_comes_back_while_its_document_is_unloaded_and_what_it_writes_is_lost() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/971"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "one ")
        store.writes.clear()
        leaving = asyncio.create_task(clock.advance(120))
        await settle()
        coming = asyncio.create_task(_write_and_leave(lobby, "two "))
        await settle()
        store.writes.set()
        await asyncio.gather(leaving, coming)
        await evicted(lobby, clock)
        async with join(lobby) as bob:
            assert str(bob.text) == "two one "


async def _write_and_leave(lobby: Lobby, text: str) -> None:
    async with join(lobby) as client:
        await client.insert(0, text)


async def test_a_document_that_could_not_be_saved_stays_in_memory_for_ever() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/954"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby:
        store.writes.clear()
        await _write_and_leave(lobby, "late")
        await clock.advance(120)
        assert len(list(lobby.rooms())) == 1, "as long as it is not saved"
        store.writes.set()
        await evicted(lobby, clock)


async def test_rooms_are_never_freed() -> None:
    """https://github.com/yjs/y-websocket/issues/145 and https://github.com/yjs/y-websocket/issues/47"""
    lobby, clock = lobby_with(MemoryStore())
    async with lobby:
        async with join(lobby) as ada:
            await ada.insert(0, "hello")
            await ada.present('{"user":"ada"}')
            party = party_of(lobby)
            alive = [weakref.ref(one) for one in (party, party.doc, party.room, party.awareness)]
            del party
        del ada
        await evicted(lobby, clock)
        gc.collect()
        assert [one() for one in alive] == [None] * len(alive)


async def test_a_client_is_told_that_its_work_is_safe_before_it_is() -> None:
    """https://github.com/ueberdosis/hocuspocus/pull/635"""
    store = Gated()
    lobby, clock = lobby_with(store)
    async with lobby, join(lobby) as ada:
        store.writes.clear()
        await ada.insert(0, "x")
        await ada.socket.send(yjs.sync_status(b"\x01"))
        await clock.advance(5)
        await ada.read()
        assert yjs.SyncStatus(b"\x01") not in ada.received
        store.writes.set()
        await clock.advance(5)
        await ada.read()
        assert yjs.SyncStatus(b"\x01") in ada.received


async def test_clients_that_come_back_after_each_restart_send_all_they_have_and_the_store_keeps_each_copy() -> None:
    """https://github.com/fadiquader/y-mongodb/issues/7"""
    store = MemoryStore()
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, "x" * 10_000)
    sizes = []
    for _ in range(4):
        lobby, _ = lobby_with(store)
        async with lobby, visit(lobby, PATH) as socket:
            ada = Client(socket, doc)
            await ada.sync()
            await socket.send(yjs.sync_step2(doc.get_update()))
            await socket.send(yjs.update(doc.get_update()))
        sizes.append(sum(len(value) for _, value in await store.load(Address("notes", "today"))))
    assert sizes[-1] == sizes[0]


# one document, one history ------------------------------------------------------------------------------------------


async def test_the_content_is_there_twice_after_the_server_has_been_restarted_under_its_clients() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/344 and https://github.com/wso2/labs-agentic-engineer/issues/139"""

    class Seeded(Notes):
        def on_load(self) -> None:
            text = self.doc.get("body", type=Text)
            if not len(text):
                text.insert(0, "from the database")

    store = MemoryStore()
    lobby, _ = lobby_with(store, Seeded)
    async with lobby, join(lobby) as ada:
        doc = ada.doc
    for _ in range(3):
        lobby, _ = lobby_with(store, Seeded)
        async with lobby, join(lobby, doc=doc) as ada:
            assert str(ada.text) == "from the database"
            assert str(party_of(lobby).doc.get("body", type=Text)) == "from the database"


async def test_a_history_that_was_made_anew_is_merged_with_the_one_that_a_client_still_has() -> None:
    """https://github.com/jupyterlab/jupyter-collaboration/issues/594, .../issues/621 and
    https://github.com/gluonDB/siphonophore/issues/10"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby, lineage="") as ours, join(lobby) as theirs:
        await theirs.insert(0, "cell one")
        await ours.read()
        await theirs.read()
        await party_of(lobby).replace(document("cell one"))
        await ours.read()
        assert (ours.resets, str(ours.text)) == (1, "cell one")
        assert close_code(theirs) == 4410, "a client that cannot be told to begin anew is sent away"
        with pytest.raises(ConnectionClosed, match="4410"):
            async with join(lobby, doc=theirs.doc):
                pass
        assert str(party_of(lobby).doc.get("body", type=Text)) == "cell one"


async def test_what_is_written_before_recording_begins_leaves_a_hole_which_everything_after_it_waits_for() -> None:
    """https://github.com/y-crdt/y-crdt/issues/632"""

    class Marked(Notes):
        def on_load(self) -> None:
            self.doc.get("state", type=Map)["dirty"] = False

        async def on_start(self) -> None:
            await super().on_start()
            self.doc.get("state", type=Map)["path"] = "a.ipynb"

    store = MemoryStore()
    for number in range(3):
        lobby, _ = lobby_with(store, Marked)
        async with lobby, join(lobby) as ada:
            await ada.insert(0, f"{number} ")
            party_of(lobby).doc.get("state", type=Map)["saved"] = float(number)
            await ada.read()
            assert not read(ada.doc.get_update()).pending
            assert read(ada.doc.get_update()).root("state").json("map")["saved"] == number
    assert str(ada.text) == "2 1 0 "


# pending updates ----------------------------------------------------------------------------------------------------


async def test_what_waits_for_its_predecessors_is_not_in_what_is_persisted() -> None:
    """https://github.com/yjs/yjs/pull/274 and https://github.com/satoren/y_ex/issues/251"""
    doc: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    for number in range(60):
        doc.get("body", type=Text).insert(0, f"{number} ")
    doc.unobserve(subscription)
    first, *others = updates
    store = MemoryStore()
    for update in others:
        lobby, clock = lobby_with(store)
        async with lobby:
            async with visit(lobby, PATH) as socket:
                await socket.send(yjs.update(update))
                await socket.send(yjs.update(document("")))
            await evicted(lobby, clock)
    lobby, clock = lobby_with(store)
    async with lobby, join(lobby) as bob:
        assert str(bob.text) == ""
        await bob.socket.send(yjs.update(first))
        await bob.read()
        assert str(bob.text) == "".join(f"{number} " for number in reversed(range(60)))


async def test_a_client_that_gets_what_waits_asks_for_what_is_missing_without_end() -> None:
    """https://github.com/jpcamara/yrby/pull/36"""
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, "first")
    known = doc.get_state()
    doc.get("body", type=Text).insert(5, " second")
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        await ada.socket.send(yjs.update(doc.get_update(known)))
        async with join(lobby) as bob:
            for _ in range(5):
                await bob.sync()
            questions = [said for said in bob.received if isinstance(said, yjs.SyncStep1)]
            assert len(questions) <= 6, "one for each time that it asked itself"


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_updates_in_another_order_come_to_another_document(order: tuple[int, ...]) -> None:
    """https://github.com/y-crdt/y-crdt/issues/413"""
    doc: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    for key, value in (("a", 1.0), ("a", 1.1), ("b", 2.0)):
        doc.get("map", type=Map)[key] = value
    doc.unobserve(subscription)
    replica = Replica()
    for number in order:
        replica.apply(updates[number])
    assert not replica.pending
    assert read(replica.snapshot()).root("map").json("map") == {"a": 1.1, "b": 2}


# presence -----------------------------------------------------------------------------------------------------------


async def test_who_was_cut_off_is_still_there_half_a_minute_later() -> None:
    """https://github.com/jamsocket/y-sweet/pull/91"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        async with join(lobby) as bob:
            await bob.present('{"user":"bob"}', client=2)
            await ada.read()
            assert ada.people == {2: '{"user":"bob"}'}
            bob.socket.transport.abort()
        await ada.read()
        assert ada.people == {}


async def test_who_comes_back_with_the_same_clock_is_not_seen_until_something_changes() -> None:
    """https://github.com/yjs/y-websocket/issues/122"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        for _ in range(3):
            async with join(lobby) as bob:
                await bob.present('{"user":"bob"}', clock=7, client=2)
                async with join(lobby) as newcomer:
                    assert newcomer.people == {2: '{"user":"bob"}'}
        await ada.read()


async def test_who_reported_that_another_had_gone_takes_that_one_along_when_leaving() -> None:
    """https://github.com/yjs/y-websocket/issues/126"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        await ada.present('{"user":"ada"}', client=1)
        async with join(lobby) as bob:
            await bob.present('{"user":"bob"}', client=2)
            await bob.present("null", clock=2, client=1)  # after 30 s without a word of hers
        async with join(lobby) as carol:
            assert carol.people == {1: '{"user":"ada"}'}


async def test_presence_of_one_room_is_seen_in_another() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/117"""

    class Slow(Notes):
        @classmethod
        async def on_before_connect(cls, request: Request) -> None:
            await settle(3)

    lobby, _ = lobby_with(MemoryStore(), Slow)
    async with lobby, visit(lobby, "/parties/notes/one") as first, visit(lobby, "/parties/notes/two") as second:
        one, two = Client(first), Client(second)
        for client, who in ((one, 1), (two, 2)):
            await client.sync()
            await client.present(f'{{"user":{who}}}', client=who)
        for client in (one, two):
            await client.read()
        assert (one.people, two.people) == ({1: '{"user":1}'}, {2: '{"user":2}'})


async def test_one_client_invents_others_until_memory_is_full() -> None:
    """https://github.com/reearth/ygo/issues/116"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as mallory:
        for start in range(0, 60_000, 5_000):
            lines = Encoder().varuint(5_000)
            for client in range(start, start + 5_000):
                lines.varuint(client).varuint(1).string("null" if client % 2 else "{}")
            await mallory.socket.send(yjs.awareness(bytes(lines)))
        awareness = party_of(lobby).awareness
        assert len(awareness) < 1_000
        kept = [one for one in vars(awareness).values() if isinstance(one, dict)]
        assert sum(map(len, kept)) < 2_000


# who may ------------------------------------------------------------------------------------------------------------


async def test_a_document_is_loaded_for_somebody_who_is_not_let_in() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/251"""

    class Guarded(Notes):
        @classmethod
        async def on_before_connect(cls, request: Request) -> Response | None:
            return None if request.query.get("token") == "secret" else Response("who are you?", 401)

    store = Gated()
    lobby, _ = lobby_with(store, Guarded)
    async with lobby:
        with pytest.raises(Refused, match="who are you"):
            async with visit(lobby, PATH):
                pass
        assert (store.loaded, list(lobby.rooms())) == (0, [])


async def test_messages_that_come_before_the_answer_whether_somebody_may_are_lost_or_count_anyhow() -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/251, and its queue since"""
    async with House() as lobby:
        async with browse(lobby) as ada:
            await ada["one"].insert("early")
            await ada["one"].open("write")
            await ada.read()
        async with browse(lobby) as mallory:
            await mallory["one"].insert("not allowed")
            await mallory["one"].open("wrong")
            await mallory.read()
        async with browse(lobby) as bob:
            assert str((await bob.opened("one")).text) == "early"


async def test_who_may_only_read_one_document_of_a_socket_may_write_none_or_all() -> None:
    """https://github.com/ueberdosis/hocuspocus/pull/613"""
    async with House() as lobby:
        async with browse(lobby) as ada:
            one, two = await ada.opened("one", "read"), await ada.opened("two", "write")
            await one.insert("not here ")
            await two.insert("here ")
            await ada.read()
        async with browse(lobby) as bob:
            assert (str((await bob.opened("one")).text), str((await bob.opened("two")).text)) == ("", "here ")


@pytest.mark.parametrize("wrap", [yjs.update, yjs.sync_step2])
async def test_what_somebody_writes_who_may_only_read_counts_when_it_comes_as_an_answer(wrap: Any) -> None:
    """Servers that look at updates alone take it from a SyncStep2, which every client sends on its own."""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada, join(lobby, "?mode=read") as reader:
        await reader.socket.send(wrap(document("not allowed")))
        await reader.socket.send(wrap(document("nor this")))
        await ada.read()
        assert str(ada.text) == ""


# bad messages and names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "..`",
        "",
        "\0",
        b"",
        b"\x00",
        b"\xff" * 12,
        b"\x00\x02\xff\xff\xff\xff\x7f",
        b"\x01\x05\x01",
        b"\x69\xff\xff\x03",
    ],
)
async def test_a_message_that_makes_no_sense_ends_the_process(message: str | bytes) -> None:
    """https://github.com/yjs/y-websocket/issues/82 and https://github.com/ueberdosis/hocuspocus/issues/418"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        async with visit(lobby, PATH) as mallory:
            await mallory.send(message)
            await settle()
            ended = mallory.transport.ended
            assert ended is None or (ended.code in (1002, 1003, 1007, 1008) and ended.reason)
        await ada.insert(0, "still here")
        async with join(lobby) as bob:
            assert str(bob.text) == "still here"


ITEM_WITHOUT_PARENT = bytes([1, 1, 208, 216, 199, 216, 11, 0, 168, 208, 216, 199, 216, 11, 5, 1, 120, 0])


@pytest.mark.parametrize("update", [ITEM_WITHOUT_PARENT, bytes.fromhex("010108000400" + "0700" + "0178" + "00")])
async def test_an_update_makes_the_engine_panic_and_the_room_with_it(update: bytes) -> None:
    """https://github.com/y-crdt/ypy/issues/28 and https://github.com/y-crdt/ypy/issues/63"""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby, doc=Doc(client_id=7)) as ada:
        await ada.insert(0, "whole ")
        async with visit(lobby, PATH) as mallory:
            await mallory.send(yjs.update(update))
            await settle()
        await ada.insert(0, "still ")
        async with join(lobby) as bob:
            assert str(bob.text) == "still whole "


def test_half_an_emoji_is_more_than_the_engine_can_bear() -> None:
    """Naive bindings cut characters in half. The engine then counts ticks that it does not have, and newcomers wait."""
    replica = Replica()
    for update in honest()["two people"]:
        replica.apply(update)
    newcomer = Replica()
    newcomer.apply(replica.snapshot())
    assert not newcomer.pending
    assert newcomer.state_vector() == replica.state_vector()


@pytest.mark.parametrize("name", ["a b", "a/b", "100%", "%2F", "..", "日本", "a?b#c", "{|}^<>", "a%20b"])
async def test_a_name_is_another_one_when_it_is_written_in_an_address(name: str) -> None:
    """https://github.com/ueberdosis/hocuspocus/issues/143 and https://github.com/y-crdt/ypy-websocket/pull/11"""
    store = MemoryStore()
    lobby, clock = lobby_with(store)
    async with lobby:
        async with visit(lobby, f"/parties/notes/{quote(name, safe='')}") as socket:
            ada = Client(socket)
            await ada.sync()
            await ada.insert(0, name)
            (room,) = lobby.rooms()
            assert room.id == name
        await evicted(lobby, clock)
        async with visit(lobby, f"/parties/notes/{quote(name, safe='')}") as socket:
            bob = Client(socket)
            await bob.sync()
            assert str(bob.text) == name


async def test_silence_of_half_a_minute_looks_like_a_dead_server() -> None:
    """https://github.com/yjs/y-websocket/issues/24: providers hang up when nothing comes, and pings do not count."""
    lobby, _ = lobby_with(MemoryStore())
    async with lobby, join(lobby) as ada:
        ada.received.clear()
        await ada.present('{"user":"ada"}', clock=2, client=1)
        await ada.read()
        assert any(isinstance(said, yjs.Awareness) for said in ada.received)
