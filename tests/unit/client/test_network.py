"""The client on a real network: against the ``websockets`` library's server, our own, and bare ones that are bad."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers as PeerHeaders
from websockets.http11 import Response as PeerResponse

from partyroom import Connection, Limits, Lobby, Party, Request, Response
from partyroom.client.fetch import fetch
from partyroom.client.mail import Outgoing
from partyroom.client.network import MAX_RETRY_AFTER, AiohttpWire, Network
from partyroom.client.socket import PartySocket, Status
from partyroom.client.wire import Target
from partyroom.errors import ConnectionClosed, HandshakeRefused, Unreachable
from partyroom.gateways.aiohttp import Server
from tests.unit.client.peers import SOON, bare, echo, peer, shake_hands, tls_contexts

MIB = 1024 * 1024
SECRET = "hunter2"


pytestmark = [pytest.mark.timeout(20), pytest.mark.slow]


async def until(wanted: Callable[[], object]) -> None:
    """Wait for what nobody tells of, for as long as a test may take."""
    while not wanted():  # noqa: ASYNC110
        await asyncio.sleep(0)


def socket_to(host: str, **options: Any) -> PartySocket:
    return PartySocket(host, **{"room": "r", "backoff": SOON, **options})


class TestAgainstWebsockets:
    async def test_messages_of_every_kind_and_length_come_back_in_order(self) -> None:
        messages: list[str | bytes] = []
        for length in (0, 1, 125, 126, 65535, 65536, 300_000):
            messages += ["é" * length, b"\xff" * length]
        async with peer() as server, socket_to(server.host) as socket:
            for message in messages:
                await socket.send(message)
            assert [await anext(socket) for _ in messages] == messages

    async def test_ten_thousand_messages_come_back_in_order(self) -> None:
        async with peer() as server, socket_to(server.host, queue=10 * MIB) as socket:
            for number in range(10_000):
                socket.post(f"{number}")
            assert [await anext(socket) for _ in range(10_000)] == [f"{number}" for number in range(10_000)]

    async def test_the_address_and_headers_arrive_as_they_were_given(self) -> None:
        async with (
            peer(subprotocols=["two"]) as server,
            socket_to(
                server.host + "/base",
                room="a/b ü?",
                party="p",
                path="x y/..",
                id="me & you",
                query={"token": "s+ =&"},
                headers={"authorization": "Bearer x"},
                protocols=["one", "two"],
            ) as socket,
        ):
            await socket.opened()
            assert socket.protocol == "two"
            (request,) = server.requests
            expected = "/base/parties/p/a%2Fb%20%C3%BC%3F/x%20y/%2E%2E?_pk=me+%26+you&token=s%2B+%3D%26"
            assert request.path == expected
            assert request.headers["Authorization"] == "Bearer x"

    @pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 3000, 4000])
    async def test_the_peers_code_and_reason_are_heard_and_answered(self, code: int) -> None:
        async def leave(connection: ServerConnection) -> None:
            await connection.close(code, "grüße")

        ends: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        async with peer(leave) as server, socket_to(server.host) as socket:
            socket.on_close(lambda *end: ends.put_nowait(end))
            assert [await ends.get() for _ in range(3)] == [(code, "grüße")] * 3  # and it came back each time

    async def test_44xx_is_the_end(self) -> None:
        async def leave(connection: ServerConnection) -> None:
            await connection.send("bye")
            await connection.close(4401, "who are you?")

        async with peer(leave) as server, socket_to(server.host) as socket:
            with pytest.raises(ConnectionClosed, match="4401: who are you"):
                assert [message async for message in socket] == ["bye"]
            assert len(server.requests) == 1

    async def test_our_goodbye_arrives(self) -> None:
        heard: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

        async def listen(connection: ServerConnection) -> None:
            await connection.wait_closed()
            heard.put_nowait((connection.close_code, connection.close_reason))

        async with peer(listen) as server:
            async with socket_to(server.host) as socket:
                await socket.opened()
            assert await heard.get() == (1000, "")
            async with socket_to(server.host) as socket:
                await socket.opened()
                await socket.close(4000, "ü" * 100)  # more than a close frame holds
            assert await heard.get() == (4000, "ü" * 61)

    async def test_a_cut_connection_is_1006_and_the_id_comes_back(self) -> None:
        ends: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        async with peer() as server, socket_to(server.host, id="me") as socket:
            socket.on_close(lambda *end: ends.put_nowait(end))
            await socket.opened()
            server.connections[0].transport.abort()
            assert (await ends.get())[0] == 1006
            await socket.opened()
            assert [request.path.partition("?")[2] for request in server.requests] == ["_pk=me"] * 2

    async def test_what_was_sent_while_the_server_was_away_arrives_in_order(self) -> None:
        async with peer() as server:
            port = server.port
            socket = socket_to(server.host)
            await socket.opened()
        for number in range(100):
            await socket.send(f"{number}")
        async with peer(port=port), socket:
            assert [await anext(socket) for _ in range(100)] == [f"{number}" for number in range(100)]

    async def test_a_reader_that_does_not_read_holds_the_peer_up_and_loses_nothing(self) -> None:
        sent = [0]

        async def flood(connection: ServerConnection) -> None:
            for number in range(64):
                await connection.send(bytes([number]) * MIB)
                sent[0] += 1
            await connection.wait_closed()

        async with peer(flood) as server, socket_to(server.host) as socket:
            await socket.opened()
            before = -1
            while sent[0] != before:  # until it gets no further
                before = sent[0]
                for _ in range(1_000):
                    await asyncio.sleep(0)
            assert sent[0] < 40  # what the buffers on the way hold
            assert [(await anext(socket))[0] for _ in range(64)] == list(range(64))

    async def test_a_sender_waits_for_a_peer_that_does_not_read(self) -> None:
        go = asyncio.Event()

        async def slow(connection: ServerConnection) -> None:
            await go.wait()
            await echo(connection)

        async with peer(slow) as server, socket_to(server.host, max_message=2 * MIB) as socket:
            await socket.opened()
            sending = asyncio.create_task(self.send_all(socket, 64))
            reading = asyncio.create_task(self.read_all(socket, 64))
            for _ in range(1_000):
                await asyncio.sleep(0)
            assert not sending.done()
            go.set()
            await sending
            assert await reading == list(range(64))

    async def send_all(self, socket: PartySocket, count: int) -> None:
        for number in range(count):
            await socket.send(bytes([number]) * MIB)

    async def read_all(self, socket: PartySocket, count: int) -> list[int | str]:
        return [(await anext(socket))[0] for _ in range(count)]

    async def test_a_message_that_is_too_large_costs_the_connection(self) -> None:
        ends: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        async with peer() as server, socket_to(server.host, max_message=1000) as socket:
            socket.on_close(lambda *end: ends.put_nowait(end))
            await socket.send("x" * 1000)
            await socket.send("x" * 2000)
            assert len(await anext(socket)) == 1000
            assert (await ends.get())[0] == 1009


def refusal(status: int, **headers: str) -> PeerResponse:
    given = PeerHeaders({"Content-Length": "0", **{name.replace("_", "-"): value for name, value in headers.items()}})
    return PeerResponse(status, "", given, b"")


class TestHandshakes:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 499])
    async def test_4xx_is_the_end(self, status: int) -> None:
        async with peer() as server, socket_to(server.host, query={"token": "hunter2"}) as socket:
            server.refusals = [refusal(status)] * 2
            with pytest.raises(HandshakeRefused, match=rf"127\.0\.0\.1:{server.port}/parties/main/r answered {status}"):
                await socket.opened()
            assert (socket.close_code, len(server.requests)) == (4000 + status, 1)

    @pytest.mark.parametrize("status", [200, 408, 425, 429, 500, 502, 503])
    async def test_after_any_other_answer_it_goes_on(self, status: int) -> None:
        async with peer() as server, socket_to(server.host) as socket:
            server.refusals = [refusal(status)] * 3
            await socket.opened()
            assert len(server.requests) == 4

    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [
            ("7", 7, 7),
            ("0", 0, 0),
            ("86400", MAX_RETRY_AFTER, MAX_RETRY_AFTER),
            (timedelta(seconds=100), 50, 100),
            (timedelta(seconds=-100), 0, 0),
            ("soon", 0, 0),
            ("-1", 0, 0),
            ("9" * 400, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        ],
    )
    async def test_retry_after_is_heeded(self, value: str | timedelta, least: float, most: float) -> None:
        if isinstance(value, timedelta):
            value = format_datetime(datetime.now(UTC) + value, usegmt=True)
        network = Network()
        async with peer() as server:
            server.refusals = [refusal(503, Retry_After=value)]
            with pytest.raises(Unreachable, match="503 Service Unavailable") as unreachable:
                await network.dial(Target(url=server.host))
            assert least <= unreachable.value.retry_after <= most
        await network.close()

    async def test_a_server_that_answers_nothing_is_given_up_in_time(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with bare(silent) as host, socket_to(host, connect_timeout=0.05) as socket:
            await until(lambda: socket.failure)
            assert socket.failure.endswith("within 0.05 s")

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: no\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"",
        ],
        ids=["no upgrade", "wrong accept", "no HTTP", "nothing"],
    )
    async def test_a_server_of_something_else_is_a_failure_that_says_so(self, answer: bytes) -> None:
        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.write_eof()
            await reader.read()

        network = Network()
        async with bare(other) as host:
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
                await network.dial(Target(url=host))
        await network.close()

    async def test_nobody_there_is_said_in_the_systems_words(self) -> None:
        async with bare(lambda reader, writer: asyncio.sleep(0)) as host:
            pass
        network = Network()
        with pytest.raises(Unreachable, match=r"no connection to http://127\.0\.0\.1:\d+: Connect"):
            await network.dial(Target(url=host))
        await network.close()


@asynccontextmanager
async def dialled(host: str, **options: Any) -> AsyncIterator[AiohttpWire]:
    network = Network()
    wire = await network.dial(Target(url=host, **options))
    try:
        yield wire
    finally:
        wire.abort()
        await network.close()


class TestBadPeers:
    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (b"\x88\x00", 1005),
            (b"\x88\x02\x03\xe8", 1000),
            (b"\x88\x02\x00\x00", 1002),  # a code that does not exist
            (b"\x83\x00", 1002),  # an opcode that does not exist
            (b"\x81\x01\xff", 1007),
            (b"\xff\xff" + b"\xff" * 8, 1002),
            (b"", 1006),
        ],
        ids=["no code", "1000", "code 0", "opcode 3", "not UTF-8", "reserved bits", "cut"],
    )
    async def test_what_it_sends_last_is_how_the_connection_ended(self, frame: bytes, code: int) -> None:
        async def last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await shake_hands(reader, writer)
            writer.write(frame)
            if frame:
                await reader.read()

        async with bare(last) as host, dialled(host) as wire:
            with pytest.raises(ConnectionClosed) as ended:
                await wire.receive()
            assert ended.value.code == code
            assert wire.ending

    async def test_a_part_of_a_message_is_a_sign_of_life(self) -> None:
        async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await shake_hands(reader, writer)
            writer.write(b"\x82\x7f" + (10 * MIB).to_bytes(8))
            while True:
                await reader.read(10)
                writer.write(b"x")

        async with bare(trickle) as host, dialled(host) as wire:
            receiving = asyncio.create_task(wire.receive())
            for _ in range(10):
                wire.heard()
                await wire.ping()  # what it sends, it sends because of this
                await until(wire.heard)
            assert not receiving.done()
            receiving.cancel()
            await asyncio.wait([receiving])

    async def test_one_that_does_not_read_is_let_go_of_with_its_socket(self) -> None:
        gone = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await shake_hands(reader, writer)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            try:
                while True:  # to hear of the end without reading
                    writer.write(b"\x89\x00")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            finally:
                gone.set()

        async with bare(deaf) as host:
            async with socket_to(host, close_timeout=0.05) as socket:
                await socket.opened()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await TestAgainstWebsockets().send_all(socket, 64)
            await gone.wait()

    async def test_pings_are_answered(self) -> None:
        async def ask(connection: ServerConnection) -> None:
            await (await connection.ping())
            await connection.send("answered")

        async with peer(ask) as server, socket_to(server.host) as socket:
            assert await anext(socket) == "answered"


class TestTls:
    async def test_a_certificate_that_is_trusted_opens_the_way(self, tmp_path: Path) -> None:
        theirs, ours = tls_contexts(tmp_path)
        async with peer(tls=theirs) as server, socket_to(server.host, ssl=ours) as socket:
            await socket.send("secret")
            assert await anext(socket) == "secret"
            assert socket.url.startswith("wss://")

    async def test_any_other_is_refused_and_the_failure_says_why(self, tmp_path: Path) -> None:
        theirs, _ = tls_contexts(tmp_path)
        network = Network()
        async with peer(tls=theirs) as server:
            with pytest.raises(Unreachable, match=r"certificate is not to be trusted \(self[- ]signed certificate"):
                await network.dial(Target(url=server.host))
        await network.close()


class Proxy:
    """An HTTP proxy (RFC 9110 section 9.3.6 for CONNECT; plain requests have an absolute URL)."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        method, target, _ = request.split(b" ", 2)
        address = target if method == b"CONNECT" else target.split(b"/")[2]
        host, _, port = address.decode().partition(":")
        there, onward = await asyncio.open_connection(host, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            onward.write(request)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.copy(reader, onward))
                group.create_task(self.copy(there, writer))
        finally:
            onward.transport.abort()

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        if writer.can_write_eof():
            writer.write_eof()


class TestProxies:
    async def test_a_plain_connection_goes_through_it(self) -> None:
        proxy = Proxy()
        async with peer() as server, bare(proxy.talk) as address:
            async with socket_to(server.host, proxy=address.replace("//", "//ada:hunter2@")) as socket:
                await socket.send("x")
                assert await anext(socket) == "x"
            assert b"Proxy-Authorization: Basic YWRhOmh1bnRlcjI=" in proxy.requests[0]

    async def test_a_tls_connection_goes_through_it(self, tmp_path: Path) -> None:
        theirs, ours = tls_contexts(tmp_path)
        proxy = Proxy()
        async with peer(tls=theirs) as server, bare(proxy.talk) as address:
            async with socket_to(server.host, proxy=address, ssl=ours) as socket:
                await socket.send("x")
                assert await anext(socket) == "x"
            assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")

    async def test_one_that_refuses_is_the_end(self) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

        async with (
            bare(refuse) as address,
            socket_to("https://127.0.0.1:1", proxy=address.replace("//", "//ada:hunter2@")) as socket,
        ):
            with pytest.raises(HandshakeRefused, match="407") as refused:
                await socket.opened()
            assert "hunter2" not in str(refused.value)


class TestSecrets:
    @pytest.mark.parametrize("status", [403, 503])
    async def test_no_failure_and_no_log_has_the_query_headers_or_password(
        self, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG):
            async with peer() as server:
                server.refusals = [refusal(status)]
                network = Network()
                for host in (server.host, "http://127.0.0.1:1"):
                    target = Target(url=f"http://ada:{SECRET}@{host[7:]}/x?t={SECRET}", headers={"x-key": SECRET})
                    try:
                        await network.dial(target)
                    except (HandshakeRefused, Unreachable) as error:
                        shown += [repr(error), *traceback.format_exception(error), repr(error.__context__)]
                await network.close()
        assert len(shown) > 2
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("partyroom")]
        assert SECRET not in "\n".join([*shown, *ours])


class TestSessions:
    async def test_a_given_session_is_used_and_left_open(self) -> None:
        async with peer() as server, aiohttp.ClientSession(headers={"x-mine": "yes"}) as session:
            async with socket_to(server.host, session=session) as socket:
                await socket.opened()
            assert server.requests[0].headers["x-mine"] == "yes"
            assert not session.closed

    async def test_a_wire_hands_a_message_over_before_it_waits(self) -> None:
        """Else a message could be given back to the queue though it was sent, or be lost though it was not."""
        async with peer() as server, dialled(server.host) as wire:
            sending = wire.send(Outgoing.of("x"))
            with contextlib.suppress(StopIteration):
                sending.send(None)
            assert await wire.receive() == "x"


class Rooms(Party):
    limits = Limits(close=0.5)

    async def on_connect(self, connection: Connection) -> None:
        connection.send(f"hello {connection.id}")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send(message)

    def on_request(self, request: Request) -> Response:
        if request.method == "DELETE":
            return Response("no", status=405)
        said = {
            "method": request.method,
            "path": request.subpath,
            "query": list(request.query.pairs()),
            "key": request.headers.get("x-key"),
            "type": request.headers.get("content-type"),
            "body": request.body.decode(),
        }
        return Response.json(said)


@pytest.fixture
async def rooms() -> AsyncIterator[Server]:
    async with Server(Lobby({"main": Rooms}), port=0) as server:
        yield server


class TestAgainstOurServer:
    async def test_a_room_answers(self, rooms: Server) -> None:
        async with socket_to(rooms.url, id="ada", room="a/b") as socket:
            await socket.send(b"x")
            assert [await anext(socket) for _ in range(2)] == ["hello ada", b"x"]

    async def test_a_party_that_is_not_there_is_the_end(self, rooms: Server) -> None:
        async with socket_to(rooms.url, party="nobody") as socket:
            with pytest.raises(HandshakeRefused) as refused:
                await socket.opened()
            assert refused.value.status == 404

    async def test_fetch_carries_what_the_socket_carries_and_what_is_given(self, rooms: Server) -> None:
        socket = socket_to(rooms.url, query=lambda: {"token": "t"}, headers={"x-key": "k"}, path="of/the/socket")
        for running in (False, True):
            if running:
                socket.start()
            answer = await socket.fetch("some/dé", method="POST", query={"n": 1}, json={"ü": [1]})
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.text() == (
                '{"method":"POST","path":"some/dé","query":[["token","t"],["n","1"]],"key":"k",'
                '"type":"application/json","body":"{\\"ü\\": [1]}"}'
            )
        await socket.close()
        assert (await socket.fetch()).status == 200

    async def test_fetch_without_a_socket(self, rooms: Server) -> None:
        answer = await fetch(rooms.url, room="r", method="PUT", body="text", headers={"x-key": "k"})
        assert '"method":"PUT"' in answer.text()
        assert '"body":"text"' in answer.text()
        assert (await fetch(rooms.url, room="r", method="DELETE")).status == 405
        with pytest.raises(ValueError, match="not both"):
            await fetch(rooms.url, room="r", body="x", json=1)
        with pytest.raises(Unreachable, match="no answer from"):
            await fetch("127.0.0.1:1", room="r", query={"token": "hunter2"})

    async def test_fetch_gives_up_in_time(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with bare(silent) as host:
            with pytest.raises(Unreachable, match=r"within 0\.05 s"):
                await fetch(host, room="r", timeout=0.05)

    async def test_a_server_that_stops_says_so_and_one_that_starts_is_found(self) -> None:
        async with Server(Lobby({"main": Rooms}), port=0) as first:
            port = int(first.url.rpartition(":")[2])
            socket = socket_to(first.url)
            await socket.opened()
            assert (await anext(socket)) == f"hello {socket.id}"
        await until(lambda: socket.status is Status.CONNECTING)
        assert socket.close_code == 1001
        await socket.send("while you were out")
        async with Server(Lobby({"main": Rooms}), port=port):
            assert [await anext(socket) for _ in range(2)] == [f"hello {socket.id}", "while you were out"]
            await socket.close()
