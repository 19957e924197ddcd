"""The ASGI gateway under a server of the tests' own, which does what others do seldom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from partyroom import Connection, Limits, Lobby, MemoryStore, Request, Response
from partyroom.errors import StoreError
from partyroom.gateways import asgi_socket
from partyroom.gateways.asgi import asgi_app, lifespan
from tests.gateways.suite import ROOM, Echo, within

Message = MutableMapping[str, Any]


class Server:
    """Asks an application one thing: ``say`` to it, and ``hear`` what it answers, while it ``takes``."""

    def __init__(self, lobby: Lobby, **scope: Any) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self.takes = asyncio.Event()
        self.takes.set()
        path = scope.pop("path", ROOM)
        self.scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"here")],
        } | scope
        self.task = asyncio.ensure_future(asgi_app(lobby)(self.scope, self._incoming.get, self._send))

    async def _send(self, message: Message) -> None:
        await self.takes.wait()
        self._answers.put_nowait(message)

    def say(self, kind: str, **more: Any) -> None:
        self._incoming.put_nowait({"type": kind, **more})

    async def hear(self) -> Message:
        message: Message = await within(self._answers.get())
        return message

    async def connect(self) -> Server:
        self.say("websocket.connect")
        assert await self.hear() == {"type": "websocket.accept", "subprotocol": None}
        return self


class Plain(Echo):
    """Each test has its own log."""


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    class Fresh(Plain):
        limits = Limits(message=1000, buffer=50_000, close=0.2)

    async with Lobby({"chat": Fresh}) as lobby:
        yield lobby


def log_of(lobby: Lobby) -> Any:
    return lobby.party_classes["chat"]


class TestHandshakes:
    async def test_without_the_extension_every_refusal_is_a_close(self, lobby: Lobby) -> None:
        server = Server(lobby, path="/parties/nobody/x")
        server.say("websocket.connect")
        assert (await server.hear())["type"] == "websocket.close"
        await within(server.task)

    async def test_with_it_a_refusal_has_a_status_and_a_body(self, lobby: Lobby) -> None:
        server = Server(lobby, path="/parties/nobody/x", extensions={"websocket.http.response": {}})
        server.say("websocket.connect")
        assert (await server.hear())["status"] == 404
        assert b"no such party" in (await server.hear())["body"]

    @pytest.mark.parametrize(
        ("root", "raw", "path"),
        [
            ("", b"/parties/chat/a%2Fb", "/parties/chat/a%2Fb"),
            ("/live", b"/live/parties/chat/a%2Fb", "/parties/chat/a%2Fb"),
            ("/live/", b"/live/parties/chat/a", "/parties/chat/a"),
            ("/l i", b"/l%20i/parties/chat/a", "/parties/chat/a"),
            ("/live", b"/parties/chat/behind-a-proxy", "/parties/chat/behind-a-proxy"),
            ("", b"/parties/chat/a?token=x", "/parties/chat/a"),
            ("", None, "/parties/chat/lobby"),
        ],
    )
    async def test_the_path_is_the_raw_one_below_the_mount(self, root: str, raw: bytes | None, path: str) -> None:
        class Where(Echo):
            def on_connect(self, connection: Connection) -> None:
                connection.send(connection.request.path)

        async with Lobby({"chat": Where}) as lobby:
            server = await Server(lobby, root_path=root, raw_path=raw).connect()
            assert (await server.hear())["text"] == path
            server.say("websocket.disconnect", code=1000)
            await within(server.task)


class TestSockets:
    async def test_text_is_measured_in_bytes(self, lobby: Lobby) -> None:
        server = await Server(lobby).connect()
        server.say("websocket.receive", text="é" * 500)
        assert (await server.hear())["text"] == "é" * 500
        server.say("websocket.receive", text="é" * 501)
        assert (await server.hear())["code"] == 1009
        await within(server.task)

    async def test_half_a_surrogate_pair_is_sent_as_a_browser_does(self, lobby: Lobby) -> None:
        server = await Server(lobby).connect()
        server.say("websocket.receive", text="half \ud800 of it, and \U0001f600")
        assert (await server.hear())["text"] == "half \ufffd of it, and \U0001f600"
        server.say("websocket.disconnect", code=1000)
        await within(server.task)

    async def test_one_whose_server_takes_no_more_is_let_go_of(self, lobby: Lobby) -> None:
        server = await Server(lobby).connect()
        server.takes.clear()
        for _ in range(60):
            server.say("websocket.receive", bytes=b"x" * 1000)
        assert await log_of(lobby).noted() == [("close", 1006, "", False)]
        await within(server.task)
        assert lobby.connected == 0

    async def test_a_room_that_cuts_its_own_client_finishes_its_hook(self) -> None:
        class Cutting(Echo):
            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                connection.abort()
                await asyncio.sleep(0)
                self.note("went on")

        async with Lobby({"chat": Cutting}) as lobby:
            server = await Server(lobby).connect()
            server.say("websocket.receive", text="cut me")
            assert await Cutting.noted(2) == ["went on", ("close", 1006, "", False)]
            await within(server.task)

    async def test_a_peer_that_does_not_answer_a_close_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asgi_socket, "CLOSE_TIMEOUT", 0.05)

        class Leaving(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> None:
                connection.close(4000, "bye")

        async with Lobby({"chat": Leaving}) as lobby:
            server = await Server(lobby).connect()
            server.say("websocket.receive", text="x")
            assert await server.hear() == {"type": "websocket.close", "code": 4000, "reason": "bye"}
            await within(server.task)
            assert await Leaving.noted() == [("close", 1006, "", False)]

    async def test_a_server_that_cancels_is_going_away(self, lobby: Lobby) -> None:
        server = await Server(lobby).connect()
        server.say("websocket.receive", text="settled in")
        await server.hear()
        server.task.cancel()
        assert (await server.hear())["code"] == 1001
        assert await log_of(lobby).noted() == [("close", 1001, "the server is going away", True)]
        with pytest.raises(asyncio.CancelledError):
            await server.task

    async def test_a_connection_that_is_lost_before_it_is_accepted_costs_nothing(self, lobby: Lobby) -> None:
        async def gone(message: Message) -> None:
            raise OSError

        server = Server(lobby)
        server.task.cancel()
        incoming: asyncio.Queue[Message] = asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})
        incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await within(asgi_app(lobby)(server.scope, incoming.get, gone))
        assert lobby.connected == 0


class TestHTTP:
    @pytest.mark.parametrize("header", [("x-a", "b\r\nSet-Cookie: c"), ("x-a\n", "b"), ("x-a", "\0")])
    async def test_a_header_cannot_become_two(self, header: tuple[str, str]) -> None:
        class Injected(Echo):
            def on_request(self, request: Request) -> Response:
                return Response("x", headers=[header])

        async with Lobby({"chat": Injected}) as lobby:
            server = Server(lobby, type="http", method="GET", scheme="http")
            server.say("http.request")
            with pytest.raises(ValueError, match="line break"):
                await within(server.task)

    async def test_one_who_hangs_up_before_the_body_is_complete_touches_no_room(self, lobby: Lobby) -> None:
        server = Server(lobby, type="http", method="POST", scheme="http")
        server.say("http.request", body=b"half", more_body=True)
        server.say("http.disconnect")
        await within(server.task)
        assert list(lobby.rooms()) == []

    async def test_another_kind_of_question_is_an_error(self, lobby: Lobby) -> None:
        with pytest.raises(ValueError, match="telnet"):
            await Server(lobby, type="telnet").task


class TestLives:
    async def test_a_servers_life_is_the_lobbys(self) -> None:
        lobby = Lobby({"chat": Plain})
        server = Server(lobby, type="lifespan")
        server.say("lifespan.startup")
        assert await server.hear() == {"type": "lifespan.startup.complete"}
        assert not lobby.closing
        server.say("lifespan.shutdown")
        assert await server.hear() == {"type": "lifespan.shutdown.complete"}
        assert lobby.closing

    async def test_a_store_that_does_not_open_fails_the_startup(self) -> None:
        class Broken(MemoryStore):
            async def alarms(self, **_: Any) -> Any:
                raise StoreError("the disk is gone")

        server = Server(Lobby({"chat": Plain}, store=Broken()), type="lifespan")
        server.say("lifespan.startup")
        assert await server.hear() == {"type": "lifespan.startup.failed", "message": "the disk is gone"}
        await within(server.task)

    async def test_an_applications_lifespan_starts_and_closes_it(self) -> None:
        lobby = Lobby({"chat": Plain})
        async with lifespan(lobby)(None):
            assert not lobby.closing
        assert lobby.closing
