"""The aiohttp gateway keeps the suite, by the short way in and by the long one, alone and in an application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from partyroom import Connection, Limits, Lobby, Request, Response
from partyroom.clock import Tick
from partyroom.gateways import aiohttp as aiohttp_gateway
from partyroom.gateways import aiohttp_direct
from partyroom.gateways.aiohttp import Server, lifespan, routes
from tests.gateways.socket_suite import SocketSuite
from tests.gateways.suite import ROOM, ROOMS_ONLY, Echo, GatewaySuite, Serve, Served, within
from tests.gateways.wire import TEXT, frame


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp_gateway, "DEAF_TIMEOUT", 0.2)


class TestDirect(SocketSuite):
    """Messages go from aiohttp's frame reader to the room."""

    direct = True

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with Server(lobby, port=0, direct=self.direct, **options) as server:
            yield server.url

    @pytest.mark.xfail(strict=True, reason="aiohttp's frame reader takes unmasked frames from clients (RFC 6455 5.1)")
    async def test_an_unmasked_frame_breaks_the_protocol(self, serve: Serve) -> None:
        await super().test_an_unmasked_frame_breaks_the_protocol(serve)

    async def test_nothing_is_written_to_a_peer_that_has_gone_while_its_message_is_dealt_with(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        """asyncio's own transports warn of each such write; uvloop's raise."""

        class Busy(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> Any:
                return self.go.wait() if message == "wait" else self.room.broadcast(message)

        served = await serve(Busy)
        client, gone = await served.client(), await served.wire()
        await gone.send(frame(TEXT, b"wait"))
        gone.abort()
        for number in range(50):
            await client.send(str(number))
            assert await within(client.recv()) == str(number)
        Busy.go.set()
        assert (await Busy.noted())[-1] == ("close", 1006, "", False)
        assert not [record for record in caplog.records if record.name == "asyncio"]


class TestPlain(TestDirect):
    """Messages go through ``WebSocketResponse.receive``."""

    direct = False
    cannot: Mapping[str, str] = {
        "test_nothing_is_written_to_a_peer_that_has_gone_while_its_message_is_dealt_with": "aiohttp tells who receives"
    }


class TestMounted(GatewaySuite):
    """Rooms in somebody's aiohttp application, beside its own routes."""

    foreign_loggers = frozenset({"aiohttp.server"})
    cannot: Mapping[str, str] = ROOMS_ONLY

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        app = web.Application()
        app.router.add_get("/hello", hello)
        app.add_routes(routes(lobby, **options))
        app.cleanup_ctx.append(lifespan(lobby))
        runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
        await runner.cleanup()

    async def test_the_applications_own_routes_are_left_alone(self, serve: Serve, http: aiohttp.ClientSession) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        async with http.get(served.url + "/hello") as response:
            assert await response.text() == "hello"
        async with http.get(served.url + "/parties/nobody/x") as response:
            assert response.status == 404

    @pytest.mark.xfail(strict=True, reason="aiohttp's frame reader takes unmasked frames from clients (RFC 6455 5.1)")
    async def test_an_unmasked_frame_breaks_the_protocol(self, serve: Serve) -> None:
        await super().test_an_unmasked_frame_breaks_the_protocol(serve)


class Listener:
    """Somebody who is told that bytes have arrived, and that no more will."""

    heard = closing = False
    tick = Tick()


class TestTheShortWay:
    def test_is_open_with_the_aiohttp_that_is_installed(self) -> None:
        """Else the direct tests would test the long way twice."""
        aiohttp_direct.available.cache_clear()
        assert aiohttp_direct.available()

    def test_is_closed_where_the_frame_reader_is_not_as_it_was(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Reader:
            def __init__(self, queue: object) -> None:
                pass

        monkeypatch.setattr(aiohttp_direct, "WebSocketReader", Reader)
        aiohttp_direct.available.cache_clear()
        with caplog.at_level(logging.WARNING):
            assert not aiohttp_direct.available()
        assert len(caplog.records) == 1
        socket = aiohttp_direct.open_socket(protocols=(), max_msg_size=10, ear=Listener(), direct=True)
        assert type(socket) is web.WebSocketResponse
        monkeypatch.undo()
        aiohttp_direct.available.cache_clear()


class TestServer:
    @pytest.mark.parametrize(
        "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: 1"], ids=["nothing", "a bit", "half a head"]
    )
    async def test_a_client_that_does_not_finish_its_request_head_is_cut(self, sent: bytes) -> None:
        class Plain(Echo):
            pass

        async with (
            Server(Lobby({"chat": Plain}, limits=Limits(handshake=0.1)), port=0) as server,
            AsyncExitStack() as stack,
        ):
            served = Served(server.lobby, server.url, stack)
            wire, client = await served.wire(None), await served.client()
            await wire.send(sent)
            assert await wire.read_to_end() == b""
            await client.send("not me")
            assert await within(client.recv()) == "not me"

    @pytest.mark.parametrize(
        "head",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 1000 + b"\r\n",
            b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"NONSENSE\r\n\r\n",
        ],
        ids=["a long header", "many headers", "a long path", "TLS", "nonsense"],
    )
    async def test_bad_http_is_a_400_and_one_line_in_the_log(
        self, head: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Plain(Echo):
            pass

        async with Server(Lobby({"chat": Plain}), port=0) as server, AsyncExitStack() as stack:
            wire = await Served(server.lobby, server.url, stack).wire(None)
            with caplog.at_level(logging.INFO):
                await wire.send(head)
                answer = await wire.read_to_end()
        assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 1
        assert not any(record.exc_info for record in caplog.records)

    async def test_one_who_is_gone_before_the_answer_costs_no_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        class Slow(Echo):
            @classmethod
            async def on_before_connect(cls, request: Request) -> None:
                asked.set()
                await go_on.wait()

        class Plain(Echo):
            pass

        async with Server(Lobby({"chat": Slow, "other": Plain}), port=0) as server, AsyncExitStack() as stack:
            served = Served(server.lobby, server.url, stack)
            with caplog.at_level(logging.INFO):
                wire = await served.wire(None)
                asking = asyncio.create_task(wire.upgrade(ROOM))
                await within(asked.wait())
                asking.cancel()
                await asyncio.wait([asking])
                wire.abort()
                await served.client("/parties/other/lobby")  # the server has had time to notice
                go_on.set()
                await served.client()  # the server has had time to complain
        assert not any(record.exc_info for record in caplog.records)

    async def test_a_request_outside_rooms_asks_the_first_party_and_then_the_pages(self) -> None:
        class Front(Echo):
            @classmethod
            def on_fetch(cls, request: Request) -> Response | None:
                return Response("front") if request.path == "/front" else None

        def pages(request: Request) -> Response | None:
            return Response("<p>", headers={"content-type": "text/html"}) if request.path == "/" else None

        async with Server(Lobby({"chat": Front}, pages=pages), port=0) as server, aiohttp.ClientSession() as http:
            for path, status, text in (("/front", 200, "front"), ("/", 200, "<p>"), ("/nothing", 404, "Not found\n")):
                async with http.get(server.url + path) as response:
                    assert (response.status, await response.text()) == (status, text)

    async def test_a_port_that_is_taken_raises_and_leaves_nothing_behind(self) -> None:
        class Plain(Echo):
            pass

        async with Server(Lobby({"chat": Plain}), port=0) as server:
            with pytest.raises(OSError, match="in use"):
                async with Server(Lobby({"chat": Plain}), port=server.port):
                    pass

    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://127.0.0.1:1999"),
            ("0.0.0.0", "http://127.0.0.1:1999"),
            ("::", "http://[::1]:1999"),
            ("localhost", "http://localhost:1999"),
            ("", "http://127.0.0.1:1999"),
        ],
    )
    async def test_the_url_is_one_that_can_be_opened(self, host: str, url: str) -> None:
        class Plain(Echo):
            pass

        assert Server(Lobby({"chat": Plain}), host=host).url == url

    async def test_a_gateway_in_front_of_two_lobbies_keeps_them_apart(self) -> None:
        class One(Echo):
            pass

        class Two(Echo):
            pass

        one, two = Lobby({"chat": One}), Lobby({"chat": Two})
        async with Server(one, port=0) as first, Server(two, port=0) as second, AsyncExitStack() as stack:
            await Served(one, first.url, stack).client(ROOM)
            await Served(two, second.url, stack).client(ROOM)
            assert (one.connected, two.connected) == (1, 1)
