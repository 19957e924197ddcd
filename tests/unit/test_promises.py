"""The promises of the design, one by one, on connections in memory and a clock that stands still."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from partyroom import Connection, Limits, Lobby, Party, Refused, Request, Response
from partyroom import room as room_module
from partyroom.errors import ConnectionClosed, ProtocolError, RoomStopped
from partyroom.frame import Frame
from partyroom.http import Address
from partyroom.lobby import Admission
from partyroom.local import LocalSocket
from partyroom.room import Room
from partyroom.stores.memory import MemoryStore
from partyroom.testing import ManualClock, MemoryTransport, fetch, settle, visit

CHAT = "/parties/chat/lobby"


class Chat(Party):
    """Writes down its hooks in ``log`` of the class, which every test makes anew."""

    log: list[Any]
    lobby: Lobby
    go: asyncio.Event

    def __init_subclass__(cls) -> None:
        cls.log = []

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.number = sum(entry == "init" for entry in self.log)
        self.log.append("init")

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> Any:
        self.log.append(("close", connection.id, code, reason, was_clean, connection in self.room.connections()))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class Opener:
    """Makes lobbies of one party class that are closed when the test ends."""

    def __init__(self, clock: ManualClock, store: MemoryStore) -> None:
        self._clock, self._store = clock, store
        self.lobbies: list[Lobby] = []

    def __call__(self, party: type[Party], **options: Any) -> Lobby:
        lobby = Lobby({"chat": party}, **{"clock": self._clock, "store": self._store, **options})
        self.lobbies.append(lobby)
        return lobby


@pytest.fixture
async def open_lobby(clock: ManualClock, store: MemoryStore) -> AsyncIterator[Opener]:
    opener = Opener(clock, store)
    yield opener
    for lobby in opener.lobbies:
        await lobby.close()


async def enter(lobby: Lobby, url: str = CHAT) -> LocalSocket:
    """A client that has joined and stays."""
    admitted = await lobby.admit(Request.build(url))
    assert isinstance(admitted, Admission)
    return await LocalSocket(admitted.room, admitted.request).open()


def only_room(lobby: Lobby) -> Room:
    (room,) = lobby.rooms()
    return room


# -- 1 ---------------------------------------------------------------------------------------------------------------


async def test_promise_1_on_start_runs_once_however_many_arrive_together(open_lobby: Opener) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def on_start(self) -> None:
            self.log.append("start")
            await self.go.wait()
            self.log.append("started")

        def on_connect(self, connection: Connection) -> None:
            self.log.append("connect")

        def on_request(self, request: Request) -> Response:
            self.log.append("request")
            return Response("ok")

    lobby = open_lobby(Slow)
    arriving = [asyncio.ensure_future(enter(lobby)) for _ in range(10)]
    asking = [asyncio.ensure_future(fetch(lobby, CHAT)) for _ in range(10)]
    await settle()
    assert Slow.log == ["init", "start"], "no hook runs before on_start has ended"
    Slow.go.set()
    await asyncio.gather(*arriving, *asking)
    assert Slow.log[:3] == ["init", "start", "started"]
    assert sorted(Slow.log[3:]) == ["connect"] * 10 + ["request"] * 10


async def test_promise_1_a_failed_start_turns_all_away_and_the_next_visit_tries_again(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Flaky(Chat):
        go = asyncio.Event()
        failures = 1

        async def on_start(self) -> None:
            await self.go.wait()
            type(self).failures -= 1
            if self.failures >= 0:
                raise RuntimeError("no database")

        def on_request(self, request: Request) -> Response:
            return Response(f"party {self.number}")

    lobby = open_lobby(Flaky)
    transport = MemoryTransport()
    admitted = await lobby.admit(Request.build(CHAT))
    assert isinstance(admitted, Admission)
    joining = asyncio.ensure_future(admitted.room.join(transport, admitted.request))
    asking = asyncio.ensure_future(fetch(lobby, CHAT))
    await settle()
    with caplog.at_level(logging.ERROR):
        Flaky.go.set()
        response = await asking
        with pytest.raises(RoomStopped):
            await joining
    assert transport.ended is not None
    assert transport.ended.code == 1013
    assert response.status == 500
    assert b"database" not in response.body
    await settle()
    assert list(lobby.rooms()) == []
    assert (await fetch(lobby, CHAT)).body == b"party 1"


# -- 2 ---------------------------------------------------------------------------------------------------------------


async def test_promise_2_on_before_connect_may_refuse_before_any_room_is_made(open_lobby: Opener) -> None:
    class Guarded(Chat):
        @classmethod
        async def on_before_connect(cls, request: Request) -> Response | None:
            return None if request.query.get("token") == "secret" else Response("who are you?", 401)

    lobby = open_lobby(Guarded)
    with pytest.raises(Refused) as refused:
        await enter_or_refused(lobby, CHAT)
    assert (refused.value.status, refused.value.reason) == (401, "who are you?")
    assert list(lobby.rooms()) == []
    await enter(lobby, CHAT + "?token=secret")


async def enter_or_refused(lobby: Lobby, url: str) -> None:
    async with visit(lobby, url):
        pass


async def test_promise_2_admission_does_not_wait_for_on_start(open_lobby: Opener) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def on_start(self) -> None:
            await self.go.wait()

    lobby = open_lobby(Slow)
    arriving = asyncio.ensure_future(enter(lobby))
    await settle()
    async with asyncio.timeout(5):
        admitted = await lobby.admit(Request.build(CHAT))  # what the 101 waits for
    assert isinstance(admitted, Admission)
    assert not arriving.done()
    Slow.go.set()
    await arriving


async def test_promise_2_no_message_is_handled_before_on_connect_returned(open_lobby: Opener) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def on_connect(self, connection: Connection) -> None:
            await self.go.wait()
            self.log.append("connected")

        def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.log.append(message)

    lobby = open_lobby(Slow)
    arriving = asyncio.ensure_future(enter(lobby))
    await settle()
    assert not arriving.done(), "join returns after on_connect, and only then has a gateway a connection to hand over"
    Slow.go.set()
    socket = await arriving
    await socket.send("hello")
    assert Slow.log == ["init", "connected", "hello"]


# -- 3 ---------------------------------------------------------------------------------------------------------------


async def test_promise_3_messages_of_one_connection_are_handled_in_order_one_at_a_time(open_lobby: Opener) -> None:
    class Slow(Chat):
        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.log.append(("begin", message))
            await settle(7 if message == "0" else 1)
            self.log.append(("end", message))

    socket = await enter(open_lobby(Slow))
    await asyncio.gather(*(socket.send(str(number)) for number in range(5)))
    assert Slow.log[1:] == [(step, str(number)) for number in range(5) for step in ("begin", "end")]


async def test_promise_3_hooks_of_different_connections_interleave_only_where_one_awaits(open_lobby: Opener) -> None:
    class Mixed(Chat):
        go = asyncio.Event()

        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.log.append(f"{connection.id} begins")
            if connection.id == "slow":
                await self.go.wait()
            self.log.append(f"{connection.id} ends")

    lobby = open_lobby(Mixed)
    slow, quick = await enter(lobby, CHAT + "?_pk=slow"), await enter(lobby, CHAT + "?_pk=quick")
    sending = asyncio.ensure_future(slow.send("x"))
    await settle()
    await quick.send("x")
    Mixed.go.set()
    await sending
    assert Mixed.log[1:] == ["slow begins", "quick begins", "quick ends", "slow ends"]


# -- 4 ---------------------------------------------------------------------------------------------------------------


async def test_promise_4_a_clients_close_code_comes_back_and_on_close_runs_once(open_lobby: Opener) -> None:
    class Plain(Chat):
        pass

    socket = await enter(open_lobby(Plain), CHAT + "?_pk=a")
    await socket.close(4321, "done")
    await socket.close(1000)
    assert Plain.log[1:] == [("close", "a", 4321, "done", True, False)]


async def test_promise_4_on_close_runs_once_for_aborted_sockets(open_lobby: Opener) -> None:
    class Plain(Chat):
        pass

    lobby = open_lobby(Plain)
    socket = await enter(lobby, CHAT + "?_pk=a")
    assert socket.connection is not None
    socket.connection.abort("too slow")
    await settle()
    await only_room(lobby).leave(socket.connection, 1006)
    assert Plain.log[1:] == [("close", "a", 1006, "", False, False)]


async def test_promise_4_on_close_runs_once_at_shutdown(open_lobby: Opener) -> None:
    class Plain(Chat):
        pass

    lobby = open_lobby(Plain)
    sockets = [await enter(lobby, f"{CHAT}?_pk={id}") for id in "abc"]
    await lobby.close()
    for socket in sockets:
        await socket.close()
    assert [entry[:3] for entry in Plain.log[1:]] == [("close", id, 1001) for id in "abc"]


async def test_promise_4_on_close_runs_when_on_connect_failed_or_was_cut_off(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Chat):
        async def on_connect(self, connection: Connection) -> None:
            if connection.id == "fails":
                raise RuntimeError("no")
            await asyncio.Event().wait()

    lobby = open_lobby(Failing)
    await (await enter(lobby, CHAT + "?_pk=fails")).close()
    cut_off = asyncio.ensure_future(enter(lobby, CHAT + "?_pk=cut off"))
    await settle()
    cut_off.cancel()
    await settle()
    assert [entry[:3] for entry in Failing.log[1:]] == [("close", "fails", 1011), ("close", "cut off", 1006)]
    assert only_room(lobby).connections() == []
    assert lobby.connected == 0


async def test_promise_4_on_close_runs_when_the_gateway_is_cut_off_before_it_could(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Slow(Chat):
        hibernate = True
        go = asyncio.Event()

        async def on_start(self) -> None:
            if self.log.count("init") > 1:
                await self.go.wait()

        async def on_error(self, connection: Connection, error: BaseException) -> None:
            await self.go.wait()

    lobby = open_lobby(Slow)
    broken, sleeping = await enter(lobby, CHAT + "?_pk=broken"), await enter(lobby, CHAT + "?_pk=sleeping")
    for socket, error in ((broken, OSError("cable")), (sleeping, None)):
        assert socket.connection is not None
        leaving = asyncio.ensure_future(only_room(lobby).leave(socket.connection, 1006, error=error))
        await settle()
        leaving.cancel()
        await settle()
        Slow.go.set()
        await settle()
        Slow.go.clear()
        await clock.advance(11)
    assert [entry[:3] for entry in Slow.log if entry != "init"] == [
        ("close", id, 1006) for id in ("broken", "sleeping")
    ]


async def test_promise_4_there_is_no_on_close_without_an_on_connect(open_lobby: Opener) -> None:
    class Slow(Chat):
        async def on_start(self) -> None:
            await asyncio.Event().wait()

    lobby = open_lobby(Slow, limits=Limits(close=0))
    arriving = asyncio.ensure_future(enter(lobby))
    await settle()
    arriving.cancel()
    await settle()
    assert Slow.log == ["init"]
    assert lobby.connected == 0


# -- 5 ---------------------------------------------------------------------------------------------------------------


class Panic(BaseException):
    """As a library in Rust raises it."""


@pytest.mark.parametrize("kind", [RuntimeError, Panic])
async def test_promise_5_a_hook_that_raises_is_logged_and_costs_that_connection_only(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    class Failing(Chat):
        def on_message(self, connection: Connection, message: str | bytes) -> None:
            if message == "bad":
                raise kind("secret detail")
            self.room.broadcast(message)

        def on_error(self, connection: Connection, error: BaseException) -> None:
            self.log.append(("error", connection.id, str(error)))

    lobby = open_lobby(Failing)
    bad, good = await enter(lobby, CHAT + "?_pk=bad"), await enter(lobby, CHAT + "?_pk=good")
    with caplog.at_level(logging.ERROR):
        await bad.send("bad")
    with pytest.raises(ConnectionClosed) as closed:
        await bad.receive()
    assert closed.value.code == 1011
    assert "secret" not in closed.value.reason
    await settle()
    assert Failing.log[1:] == [
        ("error", "bad", "secret detail"),
        ("close", "bad", 1011, "the server failed", True, False),
    ]
    (record,) = caplog.records
    assert "chat/lobby: on_message failed" in record.message
    assert record.exc_info is not None
    await good.send("still here")
    assert await good.receive() == "still here"


async def test_promise_5_a_request_that_fails_is_a_500_without_a_traceback(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Chat):
        def on_request(self, request: Request) -> Any:
            if request.subpath == "none":
                return None
            if request.subpath == "cancelled":
                raise asyncio.CancelledError
            if request.subpath == "panic":
                raise Panic
            raise RuntimeError("secret detail")

        @classmethod
        def on_before_request(cls, request: Request) -> Any:
            return 42 if request.subpath == "wrong" else None

        @classmethod
        def on_fetch(cls, request: Request) -> Any:
            raise RuntimeError("secret detail")

    lobby = open_lobby(Failing)
    for path in (CHAT, CHAT + "/none", CHAT + "/cancelled", CHAT + "/panic", CHAT + "/wrong", "/elsewhere"):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            response = await fetch(lobby, path)
        assert (response.status, response.body) == (500, b"Internal server error\n")
        assert len(caplog.records) == 1, path


async def test_promise_5_a_hook_that_awaits_something_cancelled_has_failed(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Chat):
        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            task = self.room.spawn(asyncio.sleep(3600))
            task.cancel()
            await task

    socket = await enter(open_lobby(Failing))
    with caplog.at_level(logging.ERROR):
        await socket.send("x")
    assert ["on_message failed" in record.message for record in caplog.records] == [True]
    with pytest.raises(ConnectionClosed, match="1011"):
        await socket.receive()


async def test_promise_5_a_peer_that_breaks_a_protocol_costs_one_line_and_its_connection(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Strict(Chat):
        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            raise ProtocolError("é" * 200, code=4400)

    socket = await enter(open_lobby(Strict))
    with caplog.at_level(logging.WARNING):
        await socket.send("x")
    (record,) = caplog.records
    assert record.exc_info is None
    with pytest.raises(ConnectionClosed, match="4400"):
        await socket.receive()


# -- 6 ---------------------------------------------------------------------------------------------------------------


async def test_promise_6_two_sockets_may_claim_one_id_and_each_leaves_by_itself(open_lobby: Opener) -> None:
    class Plain(Chat):
        pass

    lobby = open_lobby(Plain)
    older, newer = await enter(lobby, CHAT + "?_pk=x"), await enter(lobby, CHAT + "?_pk=x")
    room = only_room(lobby)
    room.broadcast("both")
    assert [await older.receive(), await newer.receive()] == ["both", "both"]
    assert room.connection("x") is newer.connection
    assert room.connections("x") == [older.connection, newer.connection]
    await newer.close()
    assert room.connection("x") is older.connection
    await older.send("still here")
    await older.close()
    assert room.connection("x") is None


# -- 7 ---------------------------------------------------------------------------------------------------------------


async def test_promise_7_a_room_is_evicted_after_a_grace_period_and_starts_again(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Plain(Chat):
        def on_stop(self) -> None:
            self.log.append("stop")

    lobby = open_lobby(Plain)
    await (await enter(lobby)).close()
    await clock.advance(9)
    await (await enter(lobby)).close()
    await clock.advance(9)
    assert Plain.log.count("init") == 1
    await clock.advance(2)
    assert list(lobby.rooms()) == []
    assert Plain.log[-1] == "stop"
    await enter(lobby)
    assert Plain.log.count("init") == 2


async def test_promise_7_connections_running_work_and_due_alarms_keep_a_room(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Working(Chat):
        go = asyncio.Event()

        def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.room.spawn(self.go.wait())

        async def on_alarm(self) -> None:
            await self.go.wait()

    lobby = open_lobby(Working)
    socket = await enter(lobby)
    await clock.advance(100)
    await socket.send("work")
    await socket.close()
    await clock.advance(100)
    only_room(lobby).set_alarm(clock.now())
    Working.go.set()
    Working.go = asyncio.Event()
    await clock.advance(100)
    assert Working.log.count("init") == 1
    assert len(list(lobby.rooms())) == 1
    Working.go.set()
    await clock.advance(20)
    assert list(lobby.rooms()) == []


async def test_promise_7_an_alarm_far_off_does_not_keep_a_room_and_wakes_it(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Alarmed(Chat):
        async def on_connect(self, connection: Connection) -> None:
            await self.room.set_alarm(clock.now() + 1000)

        def on_alarm(self) -> None:
            self.log.append(("alarm", self.number))

    lobby = open_lobby(Alarmed)
    await (await enter(lobby)).close()
    await clock.advance(20)
    assert list(lobby.rooms()) == []
    await clock.advance(1000)
    assert Alarmed.log[-1] == ("alarm", 1)


async def test_promise_7_a_hibernating_room_keeps_its_sockets_and_their_state(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Sleepy(Chat):
        hibernate = True
        auto_response = {"ping": "pong"}  # noqa: RUF012 - as users write it

        async def on_start(self) -> None:
            self.log.append(("start", [one.id for one in self.room.connections()]))

        def tags(self, connection: Connection, request: Request) -> list[str]:
            return ["tagged"]

        def on_connect(self, connection: Connection) -> None:
            connection.state = {"name": "Ada"}

        def on_message(self, connection: Connection, message: str | bytes) -> None:
            connection.send_json([connection.id, connection.tags, connection.state, connection.request.query["q"]])

    lobby = open_lobby(Sleepy)
    socket = await enter(lobby, CHAT + "?_pk=a&q=1")
    await clock.advance(11)
    assert only_room(lobby).life.party is None
    await socket.send("ping")
    assert await socket.receive() == "pong"
    assert only_room(lobby).life.party is None, "an automatic answer wakes nobody"
    await socket.send("wake up")
    assert await socket.receive() == '["a",["a","tagged"],{"name":"Ada"},"1"]'
    assert [entry for entry in Sleepy.log if entry[0] == "start"] == [("start", []), ("start", ["a"])]
    await clock.advance(11)
    await socket.close()
    assert Sleepy.log[-1] == ("close", "a", 1000, "", True, False)
    await clock.advance(11)
    assert list(lobby.rooms()) == []


async def test_promise_7_a_room_does_not_fall_asleep_between_a_message_and_its_hook(
    open_lobby: Opener, clock: ManualClock
) -> None:
    """A gateway may begin what ``receive`` returned a turn of the event loop later."""

    class Sleepy(Chat):
        hibernate = True

        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.log.append(message)

        def on_stop(self) -> None:
            self.log.append("stopped")

    lobby = open_lobby(Sleepy)
    socket = await enter(lobby)
    assert socket.connection is not None
    await clock.advance(9)
    handling = only_room(lobby).receive(socket.connection, "hello")
    await clock.advance(1)
    await handling
    await clock.advance(11)
    assert Sleepy.log == ["init", "hello", "stopped"]


# -- 8 ---------------------------------------------------------------------------------------------------------------


class Alarmed(Chat):
    """Writes down when its alarm rings; ``failures`` times it raises."""

    failures = 0
    clock: ManualClock

    def on_alarm(self) -> Any:
        self.log.append(self.clock.now())
        if self.failures:
            type(self).failures -= 1
            raise RuntimeError("no")


async def test_promise_8_an_alarm_rings_once_in_time_also_after_a_restart(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Plain(Alarmed):
        pass

    Plain.clock = clock
    start = clock.now()
    store = KeptStore()
    first = open_lobby(Plain, store=store)
    room = await first.room(Address("chat", "lobby"))
    room.set_alarm(start + 500)
    await room.set_alarm(start + 100)
    await first.close()
    await clock.advance(50)
    second = open_lobby(Plain, store=store)
    await second.start()
    await clock.advance(49.9)
    assert Plain.log == []
    await clock.advance(1000)
    assert Plain.log == ["init", start + 100]
    assert await store.alarms() == []


async def test_promise_8_an_alarm_that_was_due_while_the_server_was_down_rings_at_the_start(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Plain(Alarmed):
        pass

    Plain.clock = clock
    store = KeptStore()
    first = open_lobby(Plain, store=store)
    await (await first.room(Address("chat", "lobby"))).set_alarm(clock.now() + 100)
    await first.close()
    await clock.advance(5000)
    second = open_lobby(Plain, store=store)
    await second.start()
    await clock.advance(0)
    assert Plain.log == ["init", clock.now()]


async def test_promise_8_a_handler_that_raises_is_tried_again_and_its_alarm_stays_stored(
    open_lobby: Opener, clock: ManualClock, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Alarmed):
        failures = 3

    Failing.clock = clock
    start = clock.now()
    lobby = open_lobby(Failing)
    await (await lobby.room(Address("chat", "lobby"))).set_alarm(start)
    await clock.advance(10)
    assert len(await store.alarms()) == 1, "a crash now would have it rung again"
    await clock.advance(100)
    assert [when - start for when in Failing.log if when != "init"] == [0, 2, 6, 14]
    assert await store.alarms() == []


async def test_promise_8_a_handler_that_always_raises_is_given_up_and_forgotten(
    open_lobby: Opener, clock: ManualClock, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Alarmed):
        failures = 100

    Failing.clock = clock
    start = clock.now()
    lobby = open_lobby(Failing)
    await (await lobby.room(Address("chat", "lobby"))).set_alarm(start)
    await clock.advance(10_000)
    assert [when - start for when in Failing.log if when != "init"] == [0, 2, 6, 14, 30, 62, 126]
    assert await store.alarms() == []


async def test_promise_8_an_alarm_that_is_cut_off_by_a_shutdown_rings_after_the_restart(
    open_lobby: Opener, clock: ManualClock
) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def on_alarm(self) -> None:
            self.log.append("ring")
            await self.go.wait()
            self.log.append("rung")

    store = KeptStore()
    first = open_lobby(Slow, store=store)
    await (await first.room(Address("chat", "lobby"))).set_alarm(clock.now())
    await clock.advance(0)
    await first.close()
    Slow.go.set()
    second = open_lobby(Slow, store=store)
    await second.start()
    await clock.advance(0)
    assert [entry for entry in Slow.log if entry != "init"] == ["ring", "ring", "rung"]
    assert await store.alarms() == []


class KeptStore(MemoryStore):
    """A store that survives the lobby that closes it, as a file does."""

    async def close(self) -> None:
        pass


# -- 12 --------------------------------------------------------------------------------------------------------------


class Unread(MemoryTransport):
    """The transport of a client that reads nothing, and what was written after it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.late = 0

    def write(self, frame: Frame) -> int:
        self.late += self.ended is not None
        return super().write(frame)


async def test_promise_12_a_slow_client_is_cut_and_nobody_else_waits(open_lobby: Opener) -> None:
    class Plain(Chat):
        pass

    lobby = open_lobby(Plain, limits=Limits(buffer=1000))
    quick = await enter(lobby, CHAT + "?_pk=quick")
    room = only_room(lobby)
    transport = Unread()
    slow = await room.join(transport, Request.build(CHAT + "?_pk=slow"))
    for number in range(50):
        room.broadcast(f"{number:0100}")
        assert int(await quick.receive()) == number
    assert slow.closed
    assert slow.close_code == 1006
    assert transport.late == 0
    await room.leave(slow, 1006)  # as its gateway does
    assert room.connections() == [quick.connection]


async def test_promise_12_a_client_over_its_rate_is_closed_and_what_it_sends_is_dropped(open_lobby: Opener) -> None:
    class Counting(Chat):
        def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.log.append(message)

    lobby = open_lobby(Counting, limits=Limits(frames_per_second=0.001, rate_window=5000))
    socket = await enter(lobby)
    assert socket.connection is not None
    for number in range(100):
        await only_room(lobby).receive(socket.connection, str(number))
    assert Counting.log[1:] == [str(number) for number in range(5)]
    with pytest.raises(ConnectionClosed, match="1008"):
        await socket.receive()


# -- 13 --------------------------------------------------------------------------------------------------------------


async def test_promise_13_close_stops_rooms_says_goodbye_and_admits_no_more(open_lobby: Opener) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def on_stop(self) -> None:
            await self.room.storage.put("saved", True)
            await self.go.wait()
            self.log.append("stopped")

    store = KeptStore()
    lobby = open_lobby(Slow, store=store)
    socket = await enter(lobby)
    closing = asyncio.ensure_future(lobby.close())
    with pytest.raises(ConnectionClosed, match="1001"):
        await socket.receive()
    async with asyncio.timeout(5):
        for path in (CHAT, "/parties/chat/another"):
            admitted = await lobby.admit(Request.build(path))
            assert isinstance(admitted, Response)
            assert admitted.status == 503
            assert (await fetch(lobby, path)).status == 503
    assert not closing.done()
    Slow.go.set()
    await closing
    assert Slow.log[-1] == "stopped"
    assert list(lobby.rooms()) == []
    assert await store.get(Address("chat", "lobby"), ["saved"]) == {"saved": b"jtrue"}


async def test_promise_13_what_was_written_is_on_disk_before_the_goodbye(open_lobby: Opener) -> None:
    class Writing(Chat):
        def on_message(self, connection: Connection, message: str | bytes) -> None:
            self.room.storage.put("last words", message)

    store = KeptStore()
    lobby = open_lobby(Writing, store=store)
    socket = await enter(lobby)
    await socket.send("bye")
    closing = asyncio.ensure_future(lobby.close())
    with pytest.raises(ConnectionClosed, match="1001"):
        await socket.receive()
    assert await store.get(Address("chat", "lobby"), ["last words"]) == {"last words": b'j"bye"'}
    await closing


async def test_promise_13_whatever_hangs_is_cut_off(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "GRACE", 0.05)

    class Stubborn(Chat):
        async def hang(self) -> None:
            """Swallows its cancellation, as a broad except in a loop does."""
            while True:
                try:
                    await self.go.wait()
                    return
                except asyncio.CancelledError:
                    self.log.append("swallowed")

        go = asyncio.Event()

        def on_start(self) -> None:
            self.room.spawn(self.hang())

        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            await self.hang()

        async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
            await self.hang()

        async def on_stop(self) -> None:
            await self.hang()

    lobby = open_lobby(Stubborn, limits=Limits(close=0))
    room = await lobby.room(Address("chat", "lobby"))
    deaf = [await room.join(MemoryTransport(), Request.build(CHAT)) for _ in range(20)]
    stuck = asyncio.ensure_future(_handled(room, deaf[0]))
    await settle()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(20):
        await lobby.close()
    assert loop.time() - began < 2, "and not a grace period for each of the twenty"
    assert lobby.connected == 0
    Stubborn.go.set()
    await stuck


async def _handled(room: Room, connection: Connection) -> None:
    await room.receive(connection, "x")


async def test_promise_13_whoever_arrives_during_the_goodbyes_is_turned_away_at_once(open_lobby: Opener) -> None:
    class Slow(Chat):
        go = asyncio.Event()

        async def tags(self, connection: Connection, request: Request) -> list[str]:
            if connection.id == "late":
                await self.go.wait()
            return []

    lobby = open_lobby(Slow)
    await enter(lobby)
    room = only_room(lobby)
    transport = MemoryTransport()
    joining = asyncio.ensure_future(room.join(transport, Request.build(CHAT + "?_pk=late")))
    await settle()
    closing = asyncio.ensure_future(lobby.close())
    await settle()
    Slow.go.set()
    async with asyncio.timeout(5):
        with pytest.raises(RoomStopped):
            await joining
        await closing
    assert transport.ended is not None
    assert transport.ended.code == 1001


async def test_promise_13_a_hook_that_was_cut_off_cannot_write_into_the_next_room(
    open_lobby: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "GRACE", 0.01)

    class Slow(Chat):
        go = asyncio.Event()

        async def on_message(self, connection: Connection, message: str | bytes) -> None:
            await self.go.wait()
            try:
                await self.room.storage.put("key", "from the grave")
            except Exception as error:
                self.log.append(type(error).__name__)

    lobby = open_lobby(Slow, limits=Limits(close=0))
    socket = await enter(lobby)
    stuck = asyncio.ensure_future(socket.send("x"))
    await settle()
    await only_room(lobby).stop()
    again = await lobby.room(Address("chat", "lobby"))
    await again.storage.put("key", "alive")
    Slow.go.set()
    await stuck
    assert Slow.log[-1] == "StoreError"
    assert await again.storage.get("key") == "alive"
