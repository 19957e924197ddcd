"""DocumentParty: the Yjs protocols in a room, without a network. Real pycrdt documents are the clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import Connection, DocumentParty, Lobby, MemoryStore, Request, Response
from partyroom.documents.history import KEPT_UNDER
from partyroom.documents.peers import Peers
from partyroom.errors import StoreError
from partyroom.http import Address
from partyroom.limits import Limits
from partyroom.protocols import yjs
from partyroom.storage import Write
from partyroom.stores.base import Batch
from partyroom.testing import ManualClock, fetch, settle, visit
from tests.unit.documents.client import PATH, Client, Notes, Shared, join, present


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Notes}, clock=ManualClock()) as lobby:
        yield lobby


async def test_two_clients_see_each_others_edits_and_what_was_there(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "hello")
        async with join(lobby) as bob:
            assert str(bob.text) == "hello"
            await bob.insert(5, " world")
            await ada.read()
            assert str(ada.text) == "hello world"


async def test_an_edit_comes_back_to_its_sender_so_that_its_provider_hears_something(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        update = await ada.insert(0, "x")
        await ada.read()
        assert yjs.Update(update) in ada.received


async def test_the_server_asks_for_what_a_client_wrote_offline(lobby: Lobby) -> None:
    offline: Doc[Any] = Doc()
    offline.get("body", type=Text).insert(0, "written on the train")
    async with join(lobby) as ada, join(lobby, doc=offline):
        await ada.read()
        assert str(ada.text) == "written on the train"


async def test_promise_10_content_survives_eviction(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "kept")
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    await clock.advance(60)
    assert list(lobby.rooms()) == []
    async with join(lobby) as bob:
        assert str(bob.text) == "kept"


async def test_promise_10_an_update_whose_predecessor_is_missing_is_kept_over_a_restart_and_completed() -> None:
    store = MemoryStore()
    writer: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = writer.observe(lambda event: updates.append(event.update))
    text = writer.get("body", type=Text)
    text.insert(0, "first ")
    text.insert(6, "second")
    writer.unobserve(subscription)

    async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as ada, join(lobby) as bob:
        await bob.socket.send(yjs.update(updates[1]))
        await ada.read()
        assert yjs.Update(updates[1]) in ada.received
        assert str(ada.text) == ""
    async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as carol:
        assert str(carol.text) == ""
        await carol.socket.send(yjs.update(updates[0]))
        await carol.read()
        async with join(lobby) as dave:
            assert str(dave.text) == "first second"


async def test_promise_10_what_waited_for_something_that_server_code_brings_is_seen_by_server_code_soon(
    lobby: Lobby,
) -> None:
    writer: Doc[Any] = Doc()
    writer.get("body", type=Text).insert(0, "first ")
    first, before = writer.get_update(), writer.get_state()
    writer.get("body", type=Text).insert(6, "second")
    async with join(lobby) as ada:
        await ada.socket.send(yjs.update(writer.get_update(before)))
        party = next(iter(lobby.rooms())).life.party
        assert isinstance(party, DocumentParty)
        party.doc.apply_update(first)
        await settle()
        assert str(party.doc.get("body", type=Text)) == "first second"


async def test_a_read_only_client_sees_edits_and_has_presence_and_its_edits_count_for_nothing(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby, "?mode=read") as reader:
        await reader.insert(0, "not allowed")
        await reader.present('{"user":"reader"}')
        await ada.insert(0, "allowed")
        await ada.read()
        await reader.read()
        assert str(ada.text) == "allowed"
        assert '{"user":"reader"}' in ada.people.values()
        assert "allowed" in str(reader.text)


async def test_a_client_that_may_not_read_is_closed_with_4403_and_gets_nothing(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "secret")
        async with visit(lobby, PATH + "?mode=none") as stranger:
            assert stranger.transport.ended is not None
            assert stranger.transport.ended.code == 4403
            assert not stranger.transport.messages


async def test_promise_11_a_newcomer_sees_everyone_and_an_abrupt_leaver_goes_at_once(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await ada.present('{"user":"ada"}', client=1)
        await bob.present('{"user":"bob"}', client=2)
        async with join(lobby) as carol:
            assert carol.people == {1: '{"user":"ada"}', 2: '{"user":"bob"}'}
            bob.socket.transport.abort()
            await carol.read()
            assert carol.people == {1: '{"user":"ada"}'}


async def test_promise_11_nobody_writes_anothers_presence(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=a") as ada, join(lobby, "?_pk=b") as mallory:
        await ada.present('{"user":"ada"}', client=1)
        await mallory.present('{"user":"mallory"}', client=2)
        await mallory.present('{"user":"fake"}', clock=50, client=1)
        await mallory.present("null", clock=51, client=1)
        async with join(lobby) as carol:
            assert carol.people == {1: '{"user":"ada"}', 2: '{"user":"mallory"}'}


async def test_promise_11_a_reconnect_before_the_old_socket_died_keeps_its_user(lobby: Lobby) -> None:
    async with join(lobby) as watcher:
        async with join(lobby, "?_pk=a") as old:
            await old.present('{"user":"ada"}', client=1)
            async with join(lobby, "?_pk=a") as new:
                await new.present('{"user":"ada"}', client=1)
                await old.socket.close()
                await watcher.read()
                assert watcher.people == {1: '{"user":"ada"}'}
        await watcher.read()
        assert watcher.people == {}


async def test_presence_is_told_to_whoever_asks(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.present('{"user":"ada"}', client=1)
        await ada.read()
        ada.people.clear()
        await ada.socket.send(yjs.query_awareness())
        await ada.read()
        assert ada.people == {1: '{"user":"ada"}'}


@pytest.mark.parametrize(
    "message",
    [b"", b"\x00", b"\x00\x02\x05abc", b"\x00\x07\x00", yjs.update(b"\xff" * 40), yjs.awareness(b"\xff\xff\x03")],
    ids=["empty", "cut", "short", "no such step", "not an update", "not awareness"],
)
async def test_promise_5_what_breaks_the_protocol_costs_one_log_line_and_that_connection(
    lobby: Lobby, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "fine")
        async with visit(lobby, PATH) as mallory:
            caplog.clear()
            with caplog.at_level(logging.INFO):
                await mallory.send(message)
            assert mallory.transport.ended is not None
            assert mallory.transport.ended.code in (1002, 1008)
            assert len(caplog.records) == 1
            assert caplog.records[0].exc_info is None
        async with join(lobby) as bob:
            assert str(bob.text) == "fine"


async def test_an_update_that_breaks_the_engine_costs_its_sender_and_the_others_go_on(lobby: Lobby) -> None:
    async with join(lobby, doc=Doc(client_id=7)) as ada, join(lobby) as bob:
        await ada.insert(0, "whole")
        await ada.present('{"user":"ada"}', client=1)
        async with visit(lobby, PATH) as mallory:
            inside_a_letter = bytes.fromhex("010108000400" + "0700" + "0178" + "00")
            await mallory.send(yjs.update(inside_a_letter))
            assert mallory.transport.ended is not None
            assert mallory.transport.ended.code == 1008
            await bob.insert(0, "still ")
        await ada.read()
        assert "whole" in str(ada.text)
        assert "still" in str(ada.text)
        async with join(lobby) as carol:
            assert str(carol.text) == str(ada.text)
            assert carol.people == {1: '{"user":"ada"}'}


async def test_a_resync_is_answered_with_both_steps(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        ada.received.clear()
        await ada.sync()
        assert [type(message) for message in ada.received] == [yjs.SyncStep2, yjs.SyncStep1]


async def test_server_code_edits_the_live_document() -> None:
    class Greeter(Notes):
        async def on_alarm(self) -> None:
            self.doc.get("body", type=Text).insert(0, "good morning ")

    clock = ManualClock()
    async with Lobby({"notes": Greeter}, clock=clock) as lobby, join(lobby) as ada:
        (room,) = lobby.rooms()
        await room.set_alarm(clock.now() + 5)
        await clock.advance(5)
        await ada.read()
        assert str(ada.text) == "good morning "
        await clock.advance(60)
        async with join(lobby) as bob:
            assert str(bob.text) == "good morning "


async def test_on_load_fills_a_new_document_and_on_save_gets_it_back() -> None:
    saved: list[str] = []

    class Elsewhere(DocumentParty):
        def on_load(self) -> None:
            text = self.doc.get("body", type=Text)
            if not len(text):
                text.insert(0, "from elsewhere")

        async def on_save(self) -> None:
            saved.append(str(self.doc.get("body", type=Text)))

    async with Lobby({"notes": Elsewhere}) as lobby, join(lobby) as ada:
        assert str(ada.text) == "from elsewhere"
        await ada.insert(0, "edited ")
    assert saved[-1] == "edited from elsewhere"


class Held(MemoryStore):
    """A store whose disk waits for a word."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        await self.free.wait()
        await super().apply(address, batch, fence=fence)


async def test_promise_9_a_client_hears_that_its_edits_are_saved_when_they_are_on_disk() -> None:
    store, clock = Held(), ManualClock()
    asked = yjs.sync_status(b"\x01")
    async with Lobby({"notes": Notes}, store=store, clock=clock) as lobby, join(lobby) as ada:
        await ada.socket.send(asked)
        await ada.read()
        assert yjs.SyncStatus(b"\x01") in ada.received  # nothing was sent, so all of it is saved
        await ada.insert(0, "precious")
        await ada.socket.send(yjs.sync_status(b"\x02"))
        await clock.advance(1)
        await ada.read()
        assert yjs.SyncStatus(b"\x02") not in ada.received
        store.free.set()
        await ada.read()
        assert yjs.SyncStatus(b"\x02") in ada.received


async def test_promise_9_what_was_written_offline_is_not_said_to_be_saved_before_it_is_on_disk() -> None:
    store, clock = Held(), ManualClock()
    async with Lobby({"notes": Notes}, store=store, clock=clock) as lobby, visit(lobby, PATH) as socket:
        ada = Client(socket)
        ada.text.insert(0, "written offline")
        await socket.send(yjs.sync_status(b"\x01"))
        await ada.read()  # answers our SyncStep1
        await clock.advance(1)
        await ada.read()
        assert yjs.SyncStatus(b"\x01") not in ada.received
        store.free.set()
        await ada.read()
        assert yjs.SyncStatus(b"\x01") in ada.received


async def test_promise_9_what_could_not_be_written_for_good_is_never_said_to_be_saved(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        connection = ada.socket.connection
        assert connection is not None
        peers = Peers.of(next(iter(lobby.rooms())))
        for outcome, told in (StoreError("another server has this room"), 0), (None, 1):
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            peers.acknowledge(connection, yjs.sync_status(b"\x01"), Write(done, lambda: None))
            if outcome is None:
                done.set_result(None)
            else:
                done.set_exception(outcome)
            await ada.read()
            assert ada.received.count(yjs.SyncStatus(b"\x01")) == told


async def test_promise_9_an_edit_that_does_not_count_is_never_said_to_be_saved(lobby: Lobby) -> None:
    async with join(lobby, "?mode=read") as reader:
        await reader.insert(0, "not allowed")
        await reader.socket.send(yjs.sync_status(b"\x01"))
        await reader.read()
        assert yjs.SyncStatus(b"\x01") not in reader.received
        assert isinstance(reader.received[-1], yjs.PermissionDenied), (
            "some answer: a y-sweet client takes silence for death"
        )


@pytest.mark.parametrize("slow", [False, True])
async def test_promise_9_who_may_write_after_all_and_synchronises_anew_hears_that_it_is_saved(
    slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if slow:  # each update is applied in steps
        monkeypatch.setattr("partyroom.protocols.replica.AT_ONCE", 0)
        monkeypatch.setattr("partyroom.protocols.engine.TURN", 0.0)
        monkeypatch.setattr("partyroom.documents.live.REST", 0.0)
    clock = ManualClock()
    async with Lobby({"notes": Notes}, clock=clock) as lobby, join(lobby, "?mode=read") as reader:
        await reader.insert(0, "refused at first")
        assert reader.socket.connection is not None
        reader.socket.connection.request = Request.build(PATH)
        for again, kind in (False, yjs.PermissionDenied), (True, yjs.SyncStatus):
            if again:
                await reader.sync()
            else:
                await reader.insert(0, "this one counts, those before it do not: ")
            await reader.socket.send(yjs.sync_status(b"\x01"))
            await clock.advance(1)
            await reader.read()
            assert isinstance(reader.received[-1], kind)
        async with join(lobby) as bob:
            assert str(bob.text) == "this one counts, those before it do not: refused at first"


async def test_promise_9_what_was_written_offline_is_not_said_to_be_saved_before_it_has_come() -> None:
    """A y-sweet client asks when it is connected, and only then answers our SyncStep1 with what it wrote offline."""
    clock = ManualClock()
    async with Lobby({"notes": Notes}, clock=clock) as lobby, visit(lobby, PATH) as socket:
        ada = Client(socket)
        ada.text.insert(0, "written offline")
        await socket.send(yjs.sync_status(b"\x01"))
        await settle()
        assert len(socket.transport.messages) == 1, "only our SyncStep1"
        socket.transport.messages.clear()
        await socket.send(yjs.sync_step2(ada.doc.get_update()))
        await clock.advance(1)
        await ada.read()
        assert ada.received == [yjs.Update(ada.doc.get_update()), yjs.SyncStatus(b"\x01")]


async def test_a_reader_with_nothing_of_its_own_hears_that_nothing_is_unsaved() -> None:
    """Its SyncStep2 repeats all deletions that it knows of, which is no edit; one more would be."""
    clock = ManualClock()
    async with Lobby({"notes": Notes}, clock=clock) as lobby, join(lobby) as ada:
        await ada.insert(0, "abc")
        before = ada.doc.get_state()
        del ada.text[1:2]
        await ada.socket.send(yjs.update(ada.doc.get_update(before)))
        await clock.advance(1)
        for more in False, True:
            doc: Doc[Any] = Doc()
            doc.apply_update(ada.doc.get_update())
            if more:
                del doc.get("body", type=Text)[0:1]
            async with join(lobby, "?mode=read", doc) as reader:
                await reader.socket.send(yjs.sync_status(b"\x01"))
                await reader.read()
                assert (yjs.SyncStatus(b"\x01") in reader.received) is not more
        await ada.read()
        assert str(ada.text) == "ac"


async def test_a_reconnect_with_a_new_token_of_the_same_user_takes_its_presence_over(lobby: Lobby) -> None:
    """A token is made anew each time, but its subject stays."""
    async with join(lobby) as bob, visit(lobby, PATH, user={"sub": "ada", "exp": 2}) as again:
        async with (
            visit(lobby, PATH, user={"sub": "ada", "exp": 1}) as ada,
            visit(lobby, PATH, user={"sub": "eve"}) as eve,
        ):
            for clock, socket in enumerate((ada, again, eve), 1):
                await socket.send(yjs.awareness(present(7, clock, f'{{"clock":{clock}}}')))
        await bob.read()
        assert bob.people == {7: '{"clock":2}'}


async def test_whoever_asks_is_told_whether_it_may_edit_and_asked_to_leave_where_it_may_not_read(lobby: Lobby) -> None:
    async with join(lobby) as writer, join(lobby, "?mode=read") as reader:
        for client, write in (writer, True), (reader, False):
            await client.socket.send(yjs.access())
            await client.read()
            assert client.received[-1] == yjs.Access(write)
        assert reader.socket.connection is not None
        reader.socket.connection.request = Request.build(PATH + "?mode=none")
        await reader.socket.send(yjs.access())
        assert reader.socket.transport.ended is not None
        assert reader.socket.transport.ended.code == 4403


async def test_y_partykits_chunks_are_one_update(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        big = "x" * 2_500_000
        bob.text.insert(0, big)
        message = yjs.update(bob.doc.get_update())
        pieces = [message[at : at + 1_000_000] for at in range(0, len(message), 1_000_000)]
        marker = '{{"id":"a","type":"{}","size":{},"count":{}}}'
        await bob.socket.send("y-pk-batch#" + marker.format("start", len(message), len(pieces)))
        for piece in pieces:
            await bob.socket.send(piece)
        await bob.socket.send("y-pk-batch#" + marker.format("end", len(message), len(pieces)))
        await ada.read()
        assert str(ada.text) == big


async def test_y_partyservers_custom_messages_reach_the_party_and_come_back(lobby: Lobby) -> None:
    class Custom(DocumentParty):
        def on_custom_message(self, connection: Connection, message: str) -> None:
            self.send_custom_message(connection, message.upper())

    async with Lobby({"notes": Custom}) as lobby, visit(lobby, PATH) as ada:
        ada.transport.messages.clear()
        await ada.send("__YPS:hello")
        assert await ada.receive() == "__YPS:HELLO"


async def test_the_document_is_there_over_http() -> None:
    async with Lobby({"notes": DocumentParty}) as lobby, join(lobby) as ada:
        await ada.insert(0, "over http")
        response = await fetch(lobby, PATH + "/doc")
        copy: Doc[Any] = Doc()
        copy.apply_update(response.body)
        assert str(copy.get("body", type=Text)) == "over http"
        assert (await fetch(lobby, PATH)).body == b'{"people":1,"present":0}'
        assert (await fetch(lobby, PATH, "POST")).status == 405


async def test_whoever_may_not_connect_does_not_read_over_http_either(lobby: Lobby) -> None:
    class Members(DocumentParty):
        @classmethod
        async def on_before_connect(cls, request: Request) -> Response | None:
            return None if request.query.get("token") == "secret" else Response("who are you?", 401)

    async with Lobby({"notes": Members}) as closed:
        assert (await fetch(closed, PATH + "/doc")).status == 401
        assert (await fetch(closed, PATH + "/doc?token=secret")).status == 200
    assert (await fetch(lobby, PATH + "/doc")).status == 403  # can_read has a connection to ask about, HTTP has none


async def test_whoever_comes_while_a_document_is_built_anew_waits_for_it(lobby: Lobby) -> None:
    async with join(lobby, doc=Doc(client_id=7)) as ada:
        await ada.insert(0, "whole")
        async with visit(lobby, PATH) as mallory:
            inside_a_letter = bytes.fromhex("010108000400" + "0700" + "0178" + "00")
            late = asyncio.create_task(fetch(lobby, PATH))
            await mallory.send(yjs.update(inside_a_letter))
            async with join(lobby) as bob:
                assert str(bob.text) == "whole"
            assert (await late).status == 200


async def test_the_log_stays_within_a_few_times_the_document() -> None:
    store = MemoryStore()
    async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as ada:
        for number in range(3000):
            await ada.insert(number, "x")
        await settle()
    rows = await store.load(Address("notes", "today"))
    fresh: Doc[Any] = Doc()
    fresh.get("body", type=Text).insert(0, "x" * 3000)
    log = [value for key, value in rows if not key.startswith(KEPT_UNDER)]
    assert sum(map(len, log)) < 3 * len(fresh.get_update())


async def test_promise_10_an_update_that_waits_for_ever_does_not_stop_compaction_and_is_kept() -> None:
    store = MemoryStore()
    orphan = bytes.fromhex("0101090504010474657874" + "0178" + "00")  # client 9 from clock 5 on; nobody has 0 to 4
    async with Lobby({"notes": DocumentParty}, store=Shared(store)) as lobby, join(lobby) as ada:
        await ada.socket.send(yjs.update(orphan))
        for number in range(600):
            await ada.insert(number, "x")
    rows = await store.load(Address("notes", "today"))
    assert len(rows) < 100
    async with Lobby({"notes": DocumentParty}, store=Shared(store)) as lobby, join(lobby) as bob:
        assert str(bob.text) == "x" * 600
        assert yjs.Update(orphan) in bob.received


async def test_asking_for_a_large_document_again_and_again_counts_against_the_rate(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "x" * 5_000_000)
        async with visit(lobby, PATH) as mallory:
            asked = 0
            while mallory.transport.ended is None and asked < 100:
                await mallory.send(yjs.sync_step1(b"\x00"))
                mallory.transport.messages.clear()  # it reads fast: its buffer is never full
                mallory.transport.buffered = 0
                asked += 1
            assert mallory.transport.ended is not None
            assert mallory.transport.ended.code == 1008


async def test_twenty_first_hits_load_the_document_once(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "once")
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    await clock.advance(60)
    loads = 0
    original = lobby.store.load

    async def load(*arguments: Any) -> Any:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return await original(*arguments)

    lobby.store.load = load  # type: ignore[method-assign, assignment]
    responses = await asyncio.gather(*(lobby.fetch(Request.build(PATH)) for _ in range(20)))
    assert {response.status for response in responses} == {200}
    assert loads == 1


def test_limits_of_document_rooms_allow_large_single_frames() -> None:
    assert DocumentParty.limits is not None
    assert DocumentParty.limits.message == 32 * 1024 * 1024


async def test_promise_12_a_message_in_pieces_may_be_no_larger_than_one_in_one_piece() -> None:
    class Small(Notes):
        limits = Limits(message=1000)

    async with Lobby({"notes": Small}) as lobby, join(lobby) as ada, join(lobby) as bob:
        await ada.socket.send('y-pk-batch#{"id":"a","type":"start","size":1001,"count":2}')
        assert ada.socket.transport.ended is not None
        assert ada.socket.transport.ended.code == 1009
        assert bob.socket.transport.ended is None
