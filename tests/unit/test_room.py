"""A room gives its party events one at a time, and keeps what a party may ask for within its bounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partyroom import Connection, Limits, Lobby, Party, Request, Response
from partyroom import room as module
from partyroom.errors import ConnectionClosed, Refused, RoomStopped, StoreError
from partyroom.http import Address
from partyroom.local import LocalSocket
from partyroom.room import DONE, Room
from partyroom.stores.memory import MemoryStore
from partyroom.testing import ManualClock, MemoryTransport, fetch, settle

ADDRESS = Address("chat", "lobby")


class Chat(Party):
    """Repeats what it hears to everyone."""

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        self.room.broadcast(message)


class Rooms:
    """Makes a room of a party; all are closed when the test ends."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lobbies: list[Lobby] = []

    async def __call__(self, party: type[Party] = Chat, **options: Any) -> Room:
        lobby = Lobby({"chat": party}, **{"clock": self.clock, "limits": Limits(close=0.2), **options})
        self.lobbies.append(lobby)
        return await lobby.room(ADDRESS)


@pytest.fixture
async def make() -> AsyncIterator[Rooms]:
    rooms = Rooms()
    yield rooms
    for lobby in rooms.lobbies:
        await lobby.close()


async def enter(room: Room, query: str = "") -> LocalSocket:
    return await LocalSocket(room, Request.build("/?" + query)).open()


class TestWhatAPartyUses:
    async def test_it_knows_where_it_is(self, make: Rooms) -> None:
        room = await make(env={"key": "value"})
        assert (room.id, room.party, room.address, room.env["key"]) == ("lobby", "chat", ADDRESS, "value")
        assert list(room.parties) == ["chat"]
        assert "chat/lobby" in repr(room)

    async def test_broadcast_reaches_everyone_but_those_left_out(self, make: Rooms) -> None:
        room = await make()
        alice, bob = await enter(room, "_pk=alice"), await enter(room, "_pk=bob")
        assert alice.connection is not None
        room.broadcast("1", without=[alice.connection])
        room.broadcast_json({"n": 2}, without=["bob"])
        room.broadcast(b"3")
        assert [await bob.receive(), await bob.receive()] == ["1", b"3"]
        assert [await alice.receive(), await alice.receive()] == ['{"n":2}', b"3"]

    async def test_a_broadcast_of_what_is_no_message_raises_in_the_hook_that_made_it(self, make: Rooms) -> None:
        room = await make()
        with pytest.raises(TypeError):
            room.broadcast({"a": 1})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="JSON"):
            room.broadcast_json(float("nan"))

    async def test_connections_are_found_by_tag_and_by_id(self, make: Rooms) -> None:
        class Tagged(Chat):
            async def tags(self, connection: Connection, request: Request) -> list[str]:
                return request.query.all("tag")

        room = await make(Tagged)
        red = await enter(room, "_pk=a&tag=red&tag=big&tag=red")
        blue = await enter(room, "_pk=b&tag=blue&tag=big")
        assert room.connections() == [red.connection, blue.connection]
        assert room.connections("red") == [red.connection]
        assert room.connections("big") == [red.connection, blue.connection]
        assert room.connections("a") == [red.connection]
        assert room.connection("b") is blue.connection
        assert room.connection("nobody") is None
        assert red.connection is not None
        assert red.connection.tags == ("a", "red", "big")

    @pytest.mark.parametrize(
        "when",
        [1_000_050.0, 1_000_050, timedelta(seconds=50), datetime.fromtimestamp(1_000_050, UTC)],
    )
    async def test_an_alarm_may_be_a_time_or_a_time_from_now(self, make: Rooms, when: Any) -> None:
        room = await make()
        await room.set_alarm(when)
        assert room.get_alarm() == 1_000_050.0
        await room.delete_alarm()
        assert room.get_alarm() is None

    @pytest.mark.parametrize("when", [datetime(2030, 1, 1), float("nan"), float("inf"), float("-inf")])
    async def test_an_alarm_at_no_time_is_refused(self, make: Rooms, when: Any) -> None:
        room = await make()
        with pytest.raises(ValueError, match="alarm"):
            room.set_alarm(when)
        assert room.get_alarm() is None
        assert not room.storage.dirty

    async def test_no_alarm_is_set_while_it_rings(self, make: Rooms) -> None:
        class Asking(Chat):
            seen: list[float | None] = []  # noqa: RUF012

            def on_alarm(self) -> None:
                self.seen.append(self.room.get_alarm())

        room = await make(Asking)
        await room.set_alarm(timedelta(seconds=1))
        await make.clock.advance(2)
        assert Asking.seen == [None]


class TestSpawn:
    async def test_work_runs_beside_hooks_and_is_cancelled_when_the_room_stops(self, make: Rooms) -> None:
        room = await make()
        log: list[str] = []

        async def work() -> None:
            log.append("begun")
            try:
                await asyncio.Event().wait()
            finally:
                log.append("cancelled")

        room.spawn(work())
        await settle()
        await room.stop()
        assert log == ["begun", "cancelled"]

    async def test_work_that_fails_is_logged_and_disturbs_nobody(
        self, make: Rooms, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work() -> None:
            raise RuntimeError("no")

        room = await make()
        socket = await enter(room)
        with caplog.at_level(logging.ERROR):
            room.spawn(work())
            await settle()
        (record,) = caplog.records
        assert "chat/lobby" in record.message
        await socket.send("still here")
        assert await socket.receive() == "still here"

    async def test_a_room_that_has_stopped_starts_none(self, make: Rooms) -> None:
        room = await make()
        await room.stop()
        with pytest.raises(RoomStopped):
            room.spawn(asyncio.sleep(0))  # closed, or it would warn that it was never awaited


class TestJoining:
    async def test_an_id_is_the_one_claimed_or_one_of_ours(self, make: Rooms) -> None:
        room = await make()
        claimed, first, second = await enter(room, "_pk=me"), await enter(room), await enter(room, "_pk=")
        ids = [socket.connection.id for socket in (claimed, first, second) if socket.connection]
        assert ids[0] == "me"
        assert len(set(ids)) == 3
        assert len(ids[1]) == len(ids[2]) == 36

    @pytest.mark.parametrize(
        ("tags", "fine"),
        [
            (["x" * 256], True),
            (["x" * 257], False),
            ([""], False),
            ([str(n) for n in range(9)], True),
            ([str(n) for n in range(10)], False),
            (["me", *(str(n) for n in range(9))], True),
            ("text", False),
            ([1], False),
            (None, False),
        ],
    )
    async def test_tags_are_within_partyservers_bounds(
        self, make: Rooms, tags: Any, fine: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Tagged(Chat):
            def tags(self, connection: Connection, request: Request) -> Any:
                return tags

        room = await make(Tagged)
        if fine:
            await enter(room, "_pk=me")
            return
        transport = MemoryTransport()
        with pytest.raises(RoomStopped):
            await room.join(transport, Request.build("/?_pk=me"))
        assert transport.ended is not None
        assert transport.ended.code == 1011
        assert len(room) == 0

    async def test_a_second_claim_may_close_the_older(self, make: Rooms) -> None:
        class Replacing(Chat):
            on_duplicate = "replace"

        room = await make(Replacing)
        older, newer = await enter(room, "_pk=x"), await enter(room, "_pk=x")
        with pytest.raises(ConnectionClosed, match="4409"):
            await older.receive()
        await settle()
        assert room.connections() == [newer.connection]

    async def test_a_second_claim_may_be_refused(self, make: Rooms) -> None:
        class Refusing(Chat):
            on_duplicate = "refuse"

        room = await make(Refusing)
        older = await enter(room, "_pk=x")
        transport = MemoryTransport()
        with pytest.raises(Refused):
            await room.join(transport, Request.build("/?_pk=x"))
        assert transport.ended is not None
        assert transport.ended.code == 4409
        await older.close()
        await enter(room, "_pk=x")

    async def test_a_party_may_close_a_newcomer(self, make: Rooms) -> None:
        class Closing(Chat):
            closed: list[int] = []  # noqa: RUF012

            def on_connect(self, connection: Connection) -> None:
                connection.send("no")
                connection.close(4403, "not you")

            def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
                self.closed.append(code)

        room = await make(Closing)
        socket = await enter(room)
        assert await socket.receive() == "no"
        with pytest.raises(ConnectionClosed, match="4403"):
            await socket.receive()
        await socket.close()
        assert Closing.closed == [4403]


class TestReceiving:
    async def test_a_hook_that_does_not_await_leaves_nothing_to_wait_for(self, make: Rooms) -> None:
        room = await make()
        socket = await enter(room)
        assert socket.connection is not None
        assert room.receive(socket.connection, "x") is DONE
        await DONE

    async def test_what_a_closed_connection_sends_is_dropped(self, make: Rooms) -> None:
        class Counting(Chat):
            heard: list[str | bytes] = []  # noqa: RUF012

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                self.heard.append(message)
                connection.close()

        room = await make(Counting)
        socket = await enter(room)
        assert socket.connection is not None
        for message in ("1", "2"):
            await room.receive(socket.connection, message)
        assert Counting.heard == ["1"]

    async def test_automatic_answers_do_not_reach_the_party(self, make: Rooms) -> None:
        class Answering(Chat):
            auto_response = {"ping": "pong"}  # noqa: RUF012
            heard: list[str | bytes] = []  # noqa: RUF012

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                self.heard.append(message)

        socket = await enter(await make(Answering))
        await socket.send("ping")
        await socket.send(b"ping")
        assert await socket.receive() == "pong"
        assert Answering.heard == [b"ping"]

    async def test_what_a_hibernating_party_answers_without_being_there_is_remembered_by_the_room(
        self, make: Rooms
    ) -> None:
        class Counting(Chat):
            hibernate = True

            @classmethod
            def auto_answer(cls, room: Room, connection: Connection, message: str | bytes) -> bool:
                room.memory["pings"] = room.memory.get("pings", 0) + (message == "ping")
                return message == "ping"

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                connection.send(str(self.room.memory["pings"]))

        socket = await enter(await make(Counting))
        for message in ("ping", "ping", "how many?"):
            await socket.send(message)
        assert await socket.receive() == "2"

    async def test_an_automatic_answer_that_fails_costs_its_connection(
        self, make: Rooms, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Chat):
            hibernate = True

            @classmethod
            def auto_answer(cls, room: Room, connection: Connection, message: str | bytes) -> bool:
                raise RuntimeError("no")

        socket = await enter(await make(Failing))
        with caplog.at_level(logging.ERROR):
            await socket.send("x")
        assert socket.connection is not None
        assert socket.connection.close_code == 1011
        assert caplog.records[0].message.startswith("chat/lobby: auto_answer failed")

    async def test_an_on_error_that_fails_too_is_logged(self, make: Rooms, caplog: pytest.LogCaptureFixture) -> None:
        class Hopeless(Chat):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                raise RuntimeError("one")

            async def on_error(self, connection: Connection, error: BaseException) -> None:
                raise RuntimeError("two")

            async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
                raise RuntimeError("three")

        room = await make(Hopeless)
        socket = await enter(room)
        with caplog.at_level(logging.ERROR):
            await socket.send("x")
            await socket.close()
        assert [record.message.split(" failed")[0] for record in caplog.records] == [
            "chat/lobby: on_message",
            "chat/lobby: on_error",
            "chat/lobby: on_close",
        ]
        assert len(room) == 0

    async def test_a_broken_socket_is_an_error_and_then_a_close(self, make: Rooms) -> None:
        log: list[Any] = []

        class Logging(Chat):
            def on_error(self, connection: Connection, error: BaseException) -> None:
                log.append((str(error), connection in self.room.connections()))

            def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
                log.append((code, reason, was_clean))

        room = await make(Logging)
        connection = await room.join(MemoryTransport(), Request.build("/"))
        await room.leave(connection, 1006, "", OSError("cable"))
        await room.leave(connection, 1000)
        assert log == [("cable", False), (1006, "", False)]


class TestStopping:
    async def test_writes_made_in_on_close_and_on_stop_are_on_disk(self, make: Rooms) -> None:
        class Writing(Chat):
            def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
                self.room.storage.put("closed", code)

            def on_stop(self) -> None:
                self.room.storage.put("stopped", True)

        room = await make(Writing)
        await enter(room)
        await room.stop(4000, "enough")
        again = await make.lobbies[0].room(ADDRESS)
        assert again is not room
        assert await again.storage.get(["closed", "stopped"]) == {"closed": 4000, "stopped": True}

    async def test_a_hook_that_runs_is_waited_for(self, make: Rooms) -> None:
        class Slow(Chat):
            go = asyncio.Event()
            log: list[str] = []  # noqa: RUF012

            async def on_request(self, request: Request) -> Response:
                await self.go.wait()
                self.log.append("answered")
                return Response("here you are")

            def on_stop(self) -> None:
                self.log.append("stopped")

        room = await make(Slow)
        asking = asyncio.ensure_future(fetch(make.lobbies[0], "/parties/chat/lobby"))
        await settle()
        stopping = asyncio.ensure_future(room.stop())
        await settle()
        assert not stopping.done()
        Slow.go.set()
        assert (await asking).body == b"here you are"
        await stopping
        assert Slow.log == ["answered", "stopped"]

    async def test_a_store_that_does_not_come_back_does_not_hold_it(
        self, make: Rooms, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Full(MemoryStore):
            async def apply(self, *_: Any, **__: Any) -> None:
                raise StoreError("disk full")

        monkeypatch.setattr(module, "GRACE", 0.02)
        room = await make(store=Full(), limits=Limits(close=0))
        write = room.storage.put("key", 1)
        with caplog.at_level(logging.ERROR):
            async with asyncio.timeout(5):
                await room.stop()
        with pytest.raises(StoreError):
            await write
        assert any("unwritten changes" in record.message for record in caplog.records)
