"""The Tornado gateway keeps the suite, on its own and under a prefix, and its handler can be subclassed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tornado.web import Application, HTTPError, RequestHandler

from partyroom import Connection, Limits, Lobby, Request, Response
from partyroom.gateways import tornado_stream
from partyroom.gateways.reader import unmask
from partyroom.gateways.tornado import RoomHandler, handlers
from tests.gateways.certificate import certificate
from tests.gateways.servers import under_tornado
from tests.gateways.socket_suite import SocketSuite
from tests.gateways.suite import ROOM, ROOMS_ONLY, Echo, Serve, Served, within
from tests.gateways.wire import BINARY, TEXT, frame


class TestTornado(SocketSuite):
    """Rooms in a Tornado application."""

    cannot: Mapping[str, str] = ROOMS_ONLY

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with under_tornado(Application(list(handlers(lobby, **options))), lobby) as url:
            yield url


class TestUnderAPrefix(TestTornado):
    """Rooms under a path, as in a Jupyter Server, whose ``base_url`` has slashes at both ends."""

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        app = Application([*handlers(lobby, "/user/j%40o/", **options), (r"/user/[^/]*/hello", Hello)])
        async with under_tornado(app, lobby) as url:
            yield url + "/user/j%40o"  # which some clients send as it is, and others as j@o

    async def test_what_is_not_a_room_is_the_applications(self, serve: Serve, http: aiohttp.ClientSession) -> None:
        class Plain(Echo):
            pass

        served = await serve(Plain)
        for url, status in ((served.url + "/hello", 200), (served.url + "/parts", 404), (served.origin + ROOM, 404)):
            async with http.get(url) as response:
                assert response.status == status


class Hello(RequestHandler):
    """Somebody else's page."""

    def get(self) -> None:
        self.write("hello")


class Guard(RequestHandler):
    """A framework's handler, which knows who somebody is."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        who = self.get_argument("who", "")
        if who == "nobody":
            raise HTTPError(403)
        if who == "lost":
            self.redirect("/login")
        self.current_user = who


class Guarded(RoomHandler, Guard):
    """Rooms behind it."""

    async def visitor(self, request: Request) -> Request | Response:
        if self.current_user == "mallory":
            return Response("not you", 401, {"X-Why": "known"})
        return request.replace(user=self.current_user)


class Asked(Echo):
    """Says who asks."""

    def on_connect(self, connection: Connection) -> None:
        connection.send(str(connection.request.user))

    def on_request(self, request: Request) -> Response:
        return Response(f"{request.user} {len(request.body)}", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])


class TestTheHandler:
    @pytest.fixture
    async def guarded(self) -> AsyncIterator[Served]:
        lobby = Lobby({"chat": Asked}, limits=Limits(body=1_000_000))
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(
                under_tornado(Application(list(handlers(lobby, handler=Guarded))), lobby)
            )
            yield Served(lobby, url, stack)

    async def test_tells_the_room_who_asks(self, guarded: Served) -> None:
        assert await within((await guarded.client(ROOM + "?who=ada")).recv()) == "ada"
        async with (
            aiohttp.ClientSession() as http,
            http.post(guarded.url + ROOM + "?who=ada", data=b"four") as response,
        ):
            assert await response.text() == "ada 4"
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert "Etag" not in response.headers

    @pytest.mark.parametrize(("who", "status"), [("mallory", 401), ("nobody", 403), ("lost", 302)])
    async def test_refuses_before_a_room_is_touched(self, guarded: Served, who: str, status: int) -> None:
        wire = await guarded.wire(None)
        assert (await wire.upgrade(f"{ROOM}?who={who}")).split(" ")[1] == str(status)
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{guarded.url}{ROOM}?who={who}", allow_redirects=False) as response,
        ):
            assert response.status == status
            assert response.headers.get("X-Why") == ("known" if who == "mallory" else None)
        assert list(guarded.lobby.rooms()) == []

    async def test_hears_a_body_out_to_say_that_it_is_too_large(self, guarded: Served) -> None:
        async with aiohttp.ClientSession() as http:
            for data in (BytesIO(b"x" * 5_000_000), pieces()):
                async with http.post(guarded.url + ROOM + "?who=ada", data=data) as response:
                    assert response.status == 413
            async with http.post(guarded.url + ROOM + "?who=ada", data=BytesIO(b"x" * 1_000_000)) as response:
                assert await response.text() == "ada 1000000"

    async def test_answers_without_a_body_where_there_may_be_none(self) -> None:
        class Empty(Echo):
            def on_request(self, request: Request) -> Response:
                return Response("not sent", int(request.query["status"]))

        lobby = Lobby({"chat": Empty})
        async with under_tornado(Application(list(handlers(lobby))), lobby) as url, aiohttp.ClientSession() as http:
            for status in (204, 304):
                async with http.get(f"{url}{ROOM}?status={status}") as response:
                    assert (response.status, await response.read()) == (status, b"")


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(50):
        yield b"x" * 100_000


class TestTheStream:
    async def test_is_written_and_read_under_tls(self, tmp_path: Path) -> None:
        class Big(Echo):
            limits = Limits(message=4_000_000, buffer=50_000_000)

        lobby = Lobby({"chat": Big})
        names = certificate(tmp_path)
        ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.load_cert_chain(*names)
        theirs = ssl.create_default_context(cafile=names[0])
        async with (
            under_tornado(Application(list(handlers(lobby))), lobby, ssl_options=ours) as url,
            aiohttp.ClientSession() as http,
            http.ws_connect(url.replace("http", "https", 1) + ROOM, ssl=theirs, max_msg_size=0) as socket,
        ):
            for size in (1, 20_000, 4_000_000):
                for _ in range(5):  # all are written before any is read
                    await socket.send_bytes(b"x" * size)
                for _ in range(5):
                    assert await within(socket.receive_bytes()) == b"x" * size

    async def test_keeps_the_order_of_what_the_system_does_not_take_at_once(self) -> None:
        class Counting(Echo):
            limits = Limits(buffer=100_000_000)

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                for number in range(2_000):
                    connection.send(b"%d," % number + b"x" * (number * 7 % 20_000))

        lobby = Lobby({"chat": Counting})
        async with under_tornado(Application(list(handlers(lobby))), lobby) as url, AsyncExitStack() as stack:
            wire = await Served(lobby, url, stack).wire()
            await wire.send(frame(TEXT, b"go") * 2)
            for number in (*range(2_000), *range(2_000)):
                heard = await wire.hear()
                assert heard == (BINARY, b"%d," % number + b"x" * (number * 7 % 20_000))

    async def test_one_who_sends_without_a_pause_does_not_keep_the_others_out(self) -> None:
        class Plain(Echo):
            limits = Limits(frames_per_second=None, bytes_per_second=None)

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                if message != "flood":
                    connection.send(message)

        lobby = Lobby({"chat": Plain})
        async with under_tornado(Application(list(handlers(lobby))), lobby) as url, AsyncExitStack() as stack:
            served = Served(lobby, url, stack)
            quick, flooding = await served.client(), await served.wire()

            async def flood() -> None:
                while True:
                    await flooding.send(frame(TEXT, b"flood") * 5_000)

            task = asyncio.create_task(flood())
            for number in range(20):
                await quick.send(str(number))
                assert await within(quick.recv()) == str(number)
            task.cancel()

    def test_unmasks_with_tornados_own_c_code_where_it_is_as_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from tornado import util

        assert tornado_stream.UNMASK is util._websocket_mask
        monkeypatch.setattr(util, "_websocket_mask", lambda key, data: data)
        assert tornado_stream.fast_unmask() is unmask
        monkeypatch.delattr(util, "_websocket_mask")
        assert tornado_stream.fast_unmask() is unmask
