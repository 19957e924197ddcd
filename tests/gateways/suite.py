"""What every gateway owes its rooms and their clients, whatever framework it stands on.

A gateway's test class inherits from ``GatewaySuite`` and overrides ``serving``. The clients are the ``websockets`` and
aiohttp libraries, and bare sockets where a library would be too polite.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from partyroom import Connection, Limits, Lobby, Party, Request, Response
from partyroom import room as room_module
from partyroom.errors import ProtocolError
from tests.gateways.wire import BINARY, CLOSE, PATIENCE, PING, PONG, TEXT, Wire, frame

ROOM = "/parties/chat/lobby"


class Echo(Party):
    """Answers what it hears, and writes down in ``log`` who came and went."""

    log: list[Any]
    changed: asyncio.Event
    go: asyncio.Event

    def __init_subclass__(cls) -> None:
        cls.log, cls.changed, cls.go = [], asyncio.Event(), asyncio.Event()

    def note(self, entry: Any) -> None:
        self.log.append(entry)
        self.changed.set()

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        connection.send(message)

    def on_error(self, connection: Connection, error: BaseException) -> Any:
        self.note(("error", error))

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> Any:
        self.note(("close", code, reason, was_clean))

    @classmethod
    async def noted(cls, count: int = 1) -> list[Any]:
        """The log, once it has ``count`` entries."""
        async with asyncio.timeout(PATIENCE):
            while len(cls.log) < count:
                cls.changed.clear()
                await cls.changed.wait()
        return cls.log


class Served:
    """A lobby that is being served at ``url``."""

    def __init__(self, lobby: Lobby, url: str, stack: AsyncExitStack) -> None:
        self.lobby = lobby
        self.url = url
        self.origin = "/".join(url.split("/")[:3])
        self._stack = stack

    def connecting(self, path: str = ROOM, **options: Any) -> connect:
        """A client of the ``websockets`` library, to be awaited or entered."""
        options = {"compression": None, "max_size": None, "proxy": None, "ping_interval": None, **options}
        return connect("ws" + self.url.removeprefix("http") + path, **options)

    async def client(self, path: str = ROOM, **options: Any) -> ClientConnection:
        """A connected client of the ``websockets`` library, until the test ends."""
        return await self._stack.enter_async_context(self.connecting(path, **options))

    async def wire(self, path: str | None = ROOM) -> Wire:
        """A bare client, connected to ``path``, or to nothing yet."""
        wire = await self._stack.enter_async_context(Wire(self.url))
        return wire if path is None else await wire.open(path)


Serve = Callable[..., Awaitable[Served]]

ROOMS_ONLY = {"test_a_socket_outside_rooms_is_alone_and_ends_with_its_hook_or_its_client": "only rooms are ours there"}
"""What cannot be where all paths but those of rooms are the application's own."""


async def within(awaitable: Awaitable[Any], seconds: float = PATIENCE) -> Any:
    """The result, or ``TimeoutError``."""
    return await asyncio.wait_for(awaitable, seconds)


async def closed(client: ClientConnection) -> tuple[int | None, str]:
    """How the connection ended, as the client saw it."""
    await within(client.wait_closed())
    return client.close_code, client.close_reason or ""


class GatewaySuite:
    """The suite: ``serving(lobby, heartbeat=...)`` serves a lobby and yields its URL, with a path if it has one."""

    cannot: Mapping[str, str] = {}
    """Tests that a server cannot pass, by name (with or without parameters), and why. If one passes, the run fails."""
    untried: Mapping[str, str] = {}
    """Likewise, and they are not even run, since they fail only after a while, or by chance."""
    foreign_loggers: frozenset[str] = frozenset()
    """Loggers of a host application, which may say what they like of bad HTTP."""

    def serving(self, lobby: Lobby, **options: Any) -> AbstractAsyncContextManager[str]:
        """Serve ``lobby`` on a free port; on exit, close it."""
        raise NotImplementedError

    @pytest.fixture
    async def serve(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
        monkeypatch.setattr(room_module, "GRACE", 0.05)
        async with AsyncExitStack() as servers, AsyncExitStack() as clients:

            async def serve(party: type[Party], *, gateway: dict[str, Any] | None = None, **options: Any) -> Served:
                options = {"limits": Limits(close=0.5), **options}
                lobby = Lobby({"chat": party}, **options)
                url = await servers.enter_async_context(self.serving(lobby, **gateway or {}))
                return Served(lobby, url, clients)

            yield serve

    @pytest.fixture
    async def http(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
            yield session

    # -- messages ----------------------------------------------------------------------------------------------------

    async def test_text_and_bytes_of_every_length_come_back_as_they_were(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        client = await (await serve(Plain)).client()
        for length in (0, 1, 125, 126, 127, 65535, 65536, 300_000):
            for message in ("é" * (length // 2), b"\xff" * length):
                await client.send(message)
                assert await within(client.recv()) == message

    async def test_messages_keep_their_order_whichever_hooks_await(self, serve: Serve) -> None:
        class Mixed(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                return self.later(connection, message) if int(message) % 3 == 0 else connection.send(message)

            async def later(self, connection: Connection, message: str | bytes) -> None:
                await asyncio.sleep(0)
                if int(message) % 2:
                    await self.room.storage.put("last", message)
                connection.send(message)

        client = await (await serve(Mixed)).client()
        expected = [str(number) for number in range(1000)]

        async def send() -> None:
            for message in expected:
                await client.send(message)

        sending = asyncio.ensure_future(send())
        assert [await within(client.recv()) for _ in expected] == expected
        await sending

    async def test_many_messages_in_one_segment_with_a_ping_and_a_close(self, serve: Serve) -> None:
        class Mixed(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                return self.later(connection, message) if message == "7" else connection.send(message)

            async def later(self, connection: Connection, message: str | bytes) -> None:
                await asyncio.sleep(0)
                connection.send(message)

        wire = await (await serve(Mixed)).wire()
        numbers = [str(number).encode() for number in range(50)]
        after = frame(TEXT, b"after the close")
        await wire.send(
            b"".join([frame(TEXT, n) for n in numbers]) + frame(PING, b"p") + frame(CLOSE, b"\x0f\xa0bye") + after
        )
        heard = [await wire.hear() for _ in range(52)]
        assert [one.payload for one in heard if one.opcode == TEXT] == numbers
        assert (PONG, b"p") in heard
        assert heard[-1] == (CLOSE, b"\x0f\xa0bye")
        assert await wire.read_to_end() == b""
        assert await Mixed.noted() == [("close", 4000, "bye", True)]

    async def test_a_message_in_fragments_is_one_also_with_a_ping_between_and_byte_by_byte(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire()
        data = (
            frame(TEXT, b"h\xc3", fin=False)
            + frame(0, b"", fin=False)
            + frame(PING, b"between")
            + frame(0, b"\xa9", fin=False)
            + frame(0, b"llo")
        )
        await wire.send(data)
        heard = {await wire.hear(), await wire.hear()}
        assert heard == {(PONG, b"between"), (TEXT, "héllo".encode())}
        for number in range(len(data)):
            await wire.send(data[number : number + 1])
        assert {await wire.hear(), await wire.hear()} == heard

    async def test_a_broadcast_reaches_everyone_in_order(self, serve: Serve) -> None:
        class Relay(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                self.room.broadcast(message)

        served = await serve(Relay)
        clients = [await served.client() for _ in range(5)]
        for number in range(100):
            await clients[number % 5].send(f"{number % 5}: {number}")
        heard = [[await within(client.recv()) for _ in range(100)] for client in clients]
        assert all(one == heard[0] for one in heard)
        for sender in "01234":
            numbers = [int(text[3:]) for text in heard[0] if text[0] == sender]
            assert numbers == sorted(numbers)
            assert len(numbers) == 20

    # -- peers that break the protocol -------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(frame(TEXT, b"\xff\xfe"), 1007, id="text that is not UTF-8"),
            pytest.param(frame(TEXT, b"h\xc3"), 1007, id="text that ends within a character"),
            pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="a surrogate in UTF-8"),
            pytest.param(frame(TEXT, b"x", rsv=4), 1002, id="a reserved bit"),
            pytest.param(frame(0x3, b"x"), 1002, id="an unknown opcode"),
            pytest.param(frame(0xB, b"x"), 1002, id="an unknown control opcode"),
            pytest.param(frame(PING, b"x", fin=False), 1002, id="a fragmented ping"),
            pytest.param(frame(PING, b"x" * 126), 1002, id="a long ping"),
            pytest.param(frame(0, b"x"), 1002, id="a continuation of nothing"),
            pytest.param(frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002, id="a message within a message"),
            pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a close code"),
            pytest.param(frame(CLOSE, b"\x03\xe7"), 1002, id="close code 999"),
            pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="close code 1005"),
            pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="a close reason that is not UTF-8"),
        ],
    )
    async def test_a_peer_that_breaks_the_protocol_is_closed_and_nobody_else(
        self, serve: Serve, data: bytes, code: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        good, bad = await served.client(), await served.wire()
        with caplog.at_level(logging.WARNING):
            await bad.send(frame(TEXT, b"fine") + data)
            assert (await bad.hear_close()).code == code
            error, ended = await Plain.noted(2)
        assert error[0] == "error"
        assert isinstance(error[1], ProtocolError)
        assert ended[0] == "close"
        assert len(caplog.records) <= 1
        assert not any(record.exc_info for record in caplog.records)
        await good.send("still here")
        assert await within(good.recv()) == "still here"

    async def test_an_unmasked_frame_breaks_the_protocol(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire()
        await wire.send(frame(TEXT, b"x", masked=False))
        assert (await wire.hear()).code == 1002

    async def test_a_message_of_exactly_the_limit_passes_and_a_larger_one_is_closed_with_1009(
        self, serve: Serve
    ) -> None:
        class Small(Echo):
            limits = Limits(message=1000, close=0.5)

        served = await serve(Small)
        client = await served.client()
        await client.send("x" * 1000)
        assert await within(client.recv()) == "x" * 1000
        await client.send("x" * 1001)
        assert (await closed(client))[0] == 1009
        assert [entry[0] for entry in await Small.noted(2)] == ["error", "close"]

    async def test_fragments_that_grow_over_the_limit_are_closed_with_1009(self, serve: Serve) -> None:
        class Small(Echo):
            limits = Limits(message=1000, close=0.5)

        wire = await (await serve(Small)).wire()
        await wire.send(frame(BINARY, b"x" * 600, fin=False) + frame(0, b"x" * 600, fin=False))
        assert (await wire.hear()).code == 1009

    async def test_an_announced_giant_is_refused_before_it_is_sent(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire()
        await wire.send(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff")
        assert (await wire.hear()).code == 1009

    # -- closing -----------------------------------------------------------------------------------------------------

    async def test_a_clients_close_code_and_reason_come_back_to_it(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        client = await (await serve(Plain)).client()
        await client.close(4321, "dönne")
        assert await closed(client) == (4321, "dönne")
        assert await Plain.noted() == [("close", 4321, "dönne", True)]

    async def test_a_close_without_a_code_is_1005_and_is_answered(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire()
        await wire.send(frame(CLOSE))
        assert (await wire.hear()).opcode == CLOSE
        assert await Plain.noted() == [("close", 1005, "", True)]

    async def test_a_room_that_closes_has_what_it_sent_before_delivered(self, serve: Serve) -> None:
        class Leaving(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                self.room.broadcast("to all")
                connection.send("x" * 1_000_000)
                connection.close(4001, "that was all")
                connection.send("nobody hears this")

        client = await (await serve(Leaving)).client()
        await client.send("x")
        assert await within(client.recv()) == "to all"
        assert len(await within(client.recv())) == 1_000_000
        assert await closed(client) == (4001, "that was all")
        assert await Leaving.noted() == [("close", 4001, "that was all", True)]

    async def test_a_connection_that_is_reset_has_left_once(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        wire = await served.wire()
        await wire.send(frame(TEXT, b"x"))
        await wire.hear()
        wire.abort()
        assert await Plain.noted() == [("close", 1006, "", False)]
        assert served.lobby.connected == 0

    async def test_a_connection_that_just_ends_has_left_once(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire()
        wire.end()
        assert await Plain.noted() == [("close", 1006, "", False)]

    async def test_a_reset_during_a_hook_leaves_after_it(self, serve: Serve) -> None:
        class Slow(Echo):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                self.note("begun")
                await self.go.wait()
                connection.send("into the void")
                self.note("done")

        wire = await (await serve(Slow)).wire()
        await wire.send(frame(TEXT, b"x"))
        await Slow.noted()
        wire.abort()
        Slow.go.set()
        assert await Slow.noted(3) == ["begun", "done", ("close", 1006, "", False)]

    async def test_a_reset_before_the_room_has_started_is_greeted_and_seen_off(self, serve: Serve) -> None:
        class Slow(Echo):
            async def on_start(self) -> None:
                await self.go.wait()

            def on_connect(self, connection: Connection) -> None:
                self.note("connect")

        served = await serve(Slow)
        wire = await served.wire()
        wire.abort()
        client = await served.client()
        Slow.go.set()
        await client.send("x")
        await within(client.recv())
        log = await Slow.noted(3)
        assert log.count("connect") == 2
        assert log.count(("close", 1006, "", False)) == 1

    async def test_a_hook_that_raises_closes_its_connection_with_1011(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                return self.later() if message == "later" else [][1]

            async def later(self) -> None:
                await asyncio.sleep(0)
                raise RuntimeError("secret")

        served = await serve(Failing)
        for message in ("now", "later"):
            client = await served.client()
            await client.send(message)
            code, reason = await closed(client)
            assert code == 1011
            assert "secret" not in reason

    # -- backpressure ------------------------------------------------------------------------------------------------

    async def test_a_slow_hook_stops_the_reading_and_nothing_is_lost(self, serve: Serve) -> None:
        class Slow(Echo):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                await self.go.wait()
                self.note(len(message))

        wire = await (await serve(Slow)).wire()
        message = frame(BINARY, b"x" * 50_000)
        sent = await wire.send_until_stuck(message, most=64 * 1024 * 1024)
        assert sent < 32 * 1024 * 1024, "the kernel's buffers are full, and the server's memory is not"
        Slow.go.set()
        if rest := sent % len(message):
            await wire.send(message[rest:])
        assert await Slow.noted(-(-sent // len(message))) == [50_000] * -(-sent // len(message))

    async def test_a_client_that_does_not_read_is_cut_and_the_others_hear_on(self, serve: Serve) -> None:
        class Relay(Echo):
            limits = Limits(buffer=200_000, close=0.5)

            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                self.room.broadcast(message)

        served = await serve(Relay)
        await served.wire(ROOM + "?_pk=slow")
        quick = await served.client()
        for _ in range(1000):
            await quick.send(b"x" * 50_000)
            assert len(await within(quick.recv())) == 50_000
            if Relay.log:
                break
        assert await Relay.noted() == [("close", 1006, "", False)]
        await quick.send("still here")
        assert await within(quick.recv()) == "still here"

    async def test_pings_of_a_client_that_does_not_read_fill_no_memory(self, serve: Serve) -> None:
        class Plain(Echo):
            limits = Limits(buffer=100_000, close=0.5)

        served = await serve(Plain)
        wire = await served.wire()
        pings = frame(PING, b"x" * 125) * 1000
        asked = await wire.send_until_stuck(pings, most=32 * 1024 * 1024)
        wire.end()
        answered = len(await wire.read_to_end())
        assert answered < max(asked, 16 * 1024 * 1024) / 2, "no more than the kernel's buffers held"

    # -- heartbeats --------------------------------------------------------------------------------------------------

    async def test_a_ping_is_answered_with_its_payload(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        client = await (await serve(Plain)).client()
        await within(await client.ping(b"payload"))

    async def test_a_silent_peer_is_asked_and_then_cut(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain, gateway={"heartbeat": 0.05})).wire()
        assert (await wire.hear()).opcode == PING
        assert await wire.read_to_end() in (b"", b"\x88\x18\x03\xf3keepalive ping timeout")  # uvicorn says it too
        assert await Plain.noted() == [("close", 1006, "", False)]

    async def test_a_peer_that_answers_is_not_cut(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain, gateway={"heartbeat": 0.05})).wire()
        for _ in range(6):
            ping = await wire.hear()
            assert ping.opcode == PING
            await wire.send(frame(PONG, ping.payload))
        await wire.send(frame(TEXT, b"still here"))
        assert (TEXT, b"still here") in [await wire.hear() for _ in range(2)]

    async def test_a_peer_is_not_taken_for_dead_while_its_own_hook_is_slow(self, serve: Serve) -> None:
        class Slow(Echo):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                self.note("begun")
                await self.go.wait()
                connection.send("done")

        served = await serve(Slow, gateway={"heartbeat": 0.05})
        slow, silent = await served.wire(), await served.wire()
        await slow.send(frame(TEXT, b"x"))
        await Slow.noted()
        for _ in range(3):  # three times as long as it takes to cut a peer
            await silent.read_to_end()
            silent = await served.wire()
        Slow.go.set()
        while (heard := await slow.hear()).opcode != TEXT:
            pass
        assert heard.payload == b"done"

    # -- the handshake -----------------------------------------------------------------------------------------------

    async def test_the_101_does_not_wait_for_on_start_and_messages_sent_meanwhile_wait(self, serve: Serve) -> None:
        class Slow(Echo):
            async def on_start(self) -> None:
                await self.go.wait()

            async def on_connect(self, connection: Connection) -> None:
                await asyncio.sleep(0)
                connection.send("welcome")

        client = await within((await serve(Slow)).client())
        for number in range(10):
            await client.send(str(number))
        Slow.go.set()
        assert [await within(client.recv()) for _ in range(11)] == ["welcome", *map(str, range(10))]

    async def test_a_room_that_cannot_start_says_try_again_later(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(Echo):
            def on_start(self) -> None:
                raise RuntimeError("no")

        client = await (await serve(Broken)).client()
        assert (await closed(client))[0] == 1013

    async def test_a_refusal_is_an_http_response(self, serve: Serve) -> None:
        class Guarded(Echo):
            limits = Limits(connections_per_room=1, close=0.5)

            @classmethod
            def on_before_connect(cls, request: Request) -> Response | None:
                if request.query.get("token") == "wrong":
                    return Response("who are you?", 401, {"X-Hint": "ask"})
                return None

        served = await serve(Guarded)
        await served.client()
        expected = [
            (ROOM + "?token=wrong", {}, 401),
            ("/parties/nobody/lobby", {}, 404),
            (ROOM, {"origin": "https://evil.example"}, 403),
            (ROOM, {}, 503),
            (ROOM + "?_pk=" + "x" * 257, {}, 400),
            ("/parties/chat/" + "x" * 513, {}, 400),
            ("/parties/chat/%FF", {}, 400),
        ]
        for path, options, status in expected:
            with pytest.raises(InvalidStatus) as refused:
                await served.client(path, **options)
            assert refused.value.response.status_code == status, path
            if status == 401:
                assert refused.value.response.headers["x-hint"] == "ask"
                assert refused.value.response.body == b"who are you?"
        assert served.lobby.connected == 1

    async def test_a_page_of_the_same_host_or_of_a_listed_one_may_connect(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain, origins=["https://*.example.com"])
        await served.client(origin=served.origin)
        await served.client(origin="https://app.example.com")

    @pytest.mark.parametrize("origin", ["http://[", "http://\udcff", "\u00e9", "null"])
    async def test_a_strange_origin_is_refused_without_a_traceback(
        self, serve: Serve, origin: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Plain(Echo):
            pass

        wire = await (await serve(Plain)).wire(None)
        with caplog.at_level(logging.WARNING):
            head = await wire.upgrade(ROOM, f"Origin: {origin}")
        assert head.split(" ")[1] in ("400", "403")
        assert not any(record.exc_info for record in caplog.records)

    async def test_the_first_subprotocol_offered_is_chosen(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        assert (await served.client(subprotocols=["yjs", "chat"])).subprotocol == "yjs"
        assert (await served.client()).subprotocol is None

    @pytest.mark.parametrize(
        "head",
        [
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"],
            [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: \u00e9" * 16,
            ],
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
            [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 99",
            ],
            ["Connection: close", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
        ],
        ids=["no key", "a short key", "a strange key", "no version", "a future version", "no upgrade"],
    )
    async def test_a_bad_handshake_is_a_client_error_and_nobody_has_come(
        self, serve: Serve, head: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Plain(Echo):
            def on_connect(self, connection: Connection) -> None:
                self.note("connect")

        served = await serve(Plain)
        wire = await served.wire(None)
        with caplog.at_level(logging.ERROR):
            await wire.send(
                "\r\n".join([f"GET {wire.prefix}{ROOM} HTTP/1.1", f"Host: {wire.host}", *head, "", ""]).encode()
            )
            status = (await wire.read_head()).split(" ")[1]
        assert status.startswith("4")
        assert Plain.log == []
        assert served.lobby.connected == 0
        assert not any(record.exc_info for record in caplog.records)

    async def test_an_id_may_be_claimed_and_the_first_claim_counts(self, serve: Serve) -> None:
        class Named(Echo):
            def on_connect(self, connection: Connection) -> None:
                connection.send(connection.id)

        served = await serve(Named)
        assert await within((await served.client(ROOM + "?_pk=first&_pk=second")).recv()) == "first"
        assert await within((await served.client(ROOM + "?_pk=a%20%26%2B+b")).recv()) == "a &+ b"
        assert len(await within((await served.client(ROOM + "?_pk=")).recv())) == 36

    # -- WebSockets outside rooms ------------------------------------------------------------------------------------

    async def test_a_socket_outside_rooms_is_alone_and_ends_with_its_hook_or_its_client(self, serve: Serve) -> None:
        class Alone(Echo):
            @classmethod
            async def on_socket(cls, connection: Connection, messages: AsyncIterator[str | bytes]) -> None:
                connection.send(connection.request.path + "?" + connection.request.query.get("x", ""))
                async for message in messages:
                    if message == "stop":
                        return
                    connection.send(message)
                cls.log.append("gone")
                cls.changed.set()

        served = await serve(Alone)
        ada, bob = await served.client("/live/feed?x=1"), await served.client("/live/feed")
        assert await within(ada.recv()) == "/live/feed?1"
        assert await within(bob.recv()) == "/live/feed?"
        for message in ("é" * 70_000, b"\xff" * 70_000):
            await ada.send(message)
            assert await within(ada.recv()) == message
        await ada.send("stop")
        assert await closed(ada) == (1000, "")
        await bob.close(4000, "bye")
        assert await Alone.noted() == ["gone"]
        assert (bob.close_code, bob.close_reason) == (4000, "bye")

    async def test_without_on_socket_a_socket_outside_rooms_is_refused(self, serve: Serve) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        with pytest.raises(InvalidStatus) as refused:
            await served.client("/live/feed")
        assert refused.value.response.status_code in (403, 404)

    # -- HTTP --------------------------------------------------------------------------------------------------------

    async def test_every_method_reaches_the_room(self, serve: Serve, http: aiohttp.ClientSession) -> None:
        class Http(Echo):
            def on_request(self, request: Request) -> Response:
                return Response(request.body + request.method.encode(), 201, {"X-Method": request.method})

        served = await serve(Http)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            async with http.request(method, served.url + ROOM, data=b"body " if method != "HEAD" else None) as response:
                assert response.status == 201
                assert response.headers["X-Method"] == method
                assert await response.read() == (b"" if method == "HEAD" else b"body " + method.encode())

    @pytest.mark.parametrize(
        ("path", "room", "subpath"),
        [
            ("/parties/chat/a%2Fb%20%E2%98%83", "a/b ☃", ""),
            ("/parties/chat/a%252Fb/x/y%2Fz", "a%2Fb", "x/y/z"),
            ("//parties//chat///lobby//sub/", "lobby", "sub"),
            ("/parties/chat/%2e%2e", "..", ""),
            ("/parties/chat/..", "..", ""),
            ("/parties/chat/a+b;c", "a+b;c", ""),
            ("/parties/chat/%00", "\0", ""),
            pytest.param("/parties/chat/two%0Alines/and%0Amore", "two\nlines", "and\nmore", id="line breaks"),
        ],
    )
    async def test_a_path_is_taken_as_it_was_sent(self, serve: Serve, path: str, room: str, subpath: str) -> None:
        class Where(Echo):
            def on_request(self, request: Request) -> Response:
                return Response.json([request.path, self.room.id, request.room, request.subpath])

        wire = await (await serve(Where)).wire(None)
        await wire.send(f"GET {wire.prefix}{path} HTTP/1.1\r\nHost: {wire.host}\r\nConnection: close\r\n\r\n".encode())
        assert (await wire.read_head()).startswith("HTTP/1.1 200 ")
        assert await wire.read_to_end() == Response.json([path, room, room, subpath]).body

    async def test_a_request_carries_what_was_asked(self, serve: Serve, http: aiohttp.ClientSession) -> None:
        class Asked(Echo):
            def on_request(self, request: Request) -> Response:
                return Response.json(
                    [request.query.pairs(), request.headers.all("x-a"), request.host, request.scheme, request.remote]
                )

        served = await serve(Asked)
        headers = [("X-A", "1"), ("X-A", "2")]
        async with http.get(served.url + ROOM + "?a=1&b=%20+&a=3&empty=", headers=headers) as response:
            pairs, repeated, host, scheme, remote = await response.json()
        assert pairs == [["a", "1"], ["b", "  "], ["a", "3"], ["empty", ""]]
        assert repeated == ["1", "2"]
        assert (host, scheme, remote) == (served.origin.removeprefix("http://"), "http", "127.0.0.1")

    async def test_a_body_over_the_limit_is_413_however_it_is_sent(
        self, serve: Serve, http: aiohttp.ClientSession
    ) -> None:
        class Size(Echo):
            def on_request(self, request: Request) -> Response:
                return Response(str(len(request.body)))

        served = await serve(Size, limits=Limits(body=1000, close=0.5))

        async def pieces(size: int) -> AsyncIterator[bytes]:
            for _ in range(size // 100):
                yield b"x" * 100

        for size, status in ((1000, 200), (1100, 413)):
            for data in (b"x" * size, pieces(size)):
                async with http.post(served.url + ROOM, data=data) as response:
                    assert response.status == status

    async def test_a_failing_hook_is_a_500_that_says_nothing(
        self, serve: Serve, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Echo):
            def on_request(self, request: Request) -> Response:
                raise RuntimeError("secret")

        async with http.get((await serve(Failing)).url + ROOM) as response:
            assert response.status == 500
            assert "secret" not in await response.text()

    async def test_another_origin_may_fetch_only_where_it_is_allowed(
        self, serve: Serve, http: aiohttp.ClientSession
    ) -> None:
        class Plain(Echo):
            def on_request(self, request: Request) -> Response:
                return Response(request.method)

        closed, opened = await serve(Plain), await serve(Plain, cors=True)
        async with http.options(closed.url + ROOM) as response:
            assert "access-control-allow-origin" not in response.headers
            assert await response.text() == "OPTIONS"
        async with http.options(opened.url + ROOM) as response:
            assert response.headers["access-control-allow-origin"] == "*"
            assert await response.text() == ""
        async with http.get(opened.url + ROOM) as response:
            assert response.headers["access-control-allow-origin"] == "*"
            assert await response.text() == "GET"

    @pytest.mark.parametrize(
        "body",
        [
            [b"Transfer-Encoding: chunked\r\n\r\nnot a number\r\n"],
            [b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"not a number\r\n"],
            [b"Content-Length: 1000\r\n\r\nand then it is gone"],
        ],
        ids=["a broken chunk", "a later broken chunk", "half a body"],
    )
    async def test_a_broken_body_costs_no_traceback(
        self, serve: Serve, body: list[bytes], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        wire = await served.wire(None)
        with caplog.at_level(logging.INFO):
            await wire.send(f"POST {wire.prefix}{ROOM} HTTP/1.1\r\nHost: {wire.host}\r\n".encode())
            for piece in body:
                await wire.send(piece)
                await (await served.client()).close()  # the server has had time to read it
            wire.end()
            await wire.read_to_end()
            await served.client()  # the server has had time to complain
        assert not any(record.exc_info for record in caplog.records if record.name not in self.foreign_loggers)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def test_a_shutdown_says_1001_to_everyone(self) -> None:
        class Plain(Echo):
            pass

        lobby = Lobby({"chat": Plain})
        async with AsyncExitStack() as stack:
            async with self.serving(lobby) as url:
                served = Served(lobby, url, stack)
                clients = [await served.client() for _ in range(3)]
            assert [await closed(client) for client in clients] == [(1001, "the server is going away")] * 3
        assert [entry[0] for entry in Plain.log] == ["close"] * 3
        with pytest.raises(OSError):  # noqa: PT011 - refused, whatever the system calls it
            await served.client()

    async def test_a_shutdown_ends_in_time_with_a_stuck_hook_and_a_stuck_peer(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(room_module, "GRACE", 0.05)

        class Stuck(Echo):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                if message == "flood":
                    for _ in range(100):
                        connection.send(b"x" * 50_000)
                self.note("begun")
                await self.go.wait()

            async def on_request(self, request: Request) -> Response:
                self.note("asked")
                await self.go.wait()
                return Response("too late")

        lobby = Lobby({"chat": Stuck}, limits=Limits(close=0.3))
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            async with self.serving(lobby) as url:
                served = Served(lobby, url, stack)
                deaf, hung, asking = await served.wire(), await served.wire(), await served.wire(None)
                await deaf.send(frame(TEXT, b"flood"))
                await hung.send(frame(TEXT, b"hang"))
                await asking.send(f"GET {asking.prefix}{ROOM} HTTP/1.1\r\nHost: {asking.host}\r\n\r\n".encode())
                await Stuck.noted(3)
                began = loop.time()
            assert loop.time() - began < 3
        assert lobby.connected == 0
        Stuck.go.set()


__all__ = ["ROOM", "ROOMS_ONLY", "ConnectionClosed", "Echo", "GatewaySuite", "Serve", "Served", "closed", "within"]
