"""WebSockets outside rooms: ``on_socket`` speaks with one client, within the same bounds as a room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from partyroom import Connection, Limits, Lobby, Party, Refused, Request, Response
from partyroom import outside as outside_module
from partyroom.errors import ConnectionClosed
from partyroom.gateways.aiohttp import Server
from partyroom.lobby import Admission
from partyroom.local import LocalSocket
from partyroom.testing import fetch, settle, visit

Messages = AsyncIterator[str | bytes]


class Echo(Party):
    """Says again what is said, until it is told to stop."""

    @classmethod
    async def on_socket(cls, connection: Connection, messages: Messages) -> None:
        connection.send_json([connection.request.path, connection.request.env.get("key")])
        async for message in messages:
            if message == "stop":
                return
            connection.send(message)

    def on_request(self, request: Request) -> Response:
        return Response("a room")


async def enter(lobby: Lobby, url: str = "/live") -> LocalSocket:
    admitted = await lobby.admit(Request.build(url))
    assert isinstance(admitted, Admission)
    return await LocalSocket(admitted.room, admitted.request).open()


async def refused(lobby: Lobby, status: int, url: str = "/live", **headers: str) -> None:
    with pytest.raises(Refused, match=str(status)):
        async with visit(lobby, url, headers=headers):
            pass


async def test_a_socket_that_addresses_no_room_is_served_by_the_first_party() -> None:
    class Other(Echo):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            raise AssertionError("not asked")

    async with (
        Lobby({"echo": Echo, "other": Other}, env={"key": 7}) as lobby,
        visit(lobby, "/live/feed?x=1") as ada,
        visit(lobby, "/live/feed") as bob,
    ):
        assert await ada.receive() == '["/live/feed",7]'
        await ada.send("hello")
        await ada.send(b"bytes")
        assert (await ada.receive(), await ada.receive()) == ("hello", b"bytes")
        assert await bob.receive() == '["/live/feed",7]', "alone, whatever the path"
        assert list(lobby.rooms()) == [], "nobody can reach what is no room"
        assert lobby.connected == 2
    assert lobby.connected == 0


async def test_returning_says_goodbye() -> None:
    async with Lobby(Echo) as lobby, visit(lobby, "/live") as ada:
        await ada.receive()
        await ada.send("last")
        await ada.send("stop")
        assert await ada.receive() == "last"
        with pytest.raises(ConnectionClosed, match="1000"):
            await ada.receive()


async def test_a_plain_function_is_enough_for_a_word() -> None:
    class Brief(Party):
        @classmethod
        def on_socket(cls, connection: Connection, messages: Messages) -> None:
            connection.send("busy, come again")

    async with Lobby(Brief) as lobby, visit(lobby, "/live") as ada:
        assert [message async for message in ada] == ["busy, come again"]


async def test_a_hook_that_raises_is_logged_and_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Party):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            raise RuntimeError("secret")

    async with Lobby(Failing) as lobby, visit(lobby, "/live") as ada:
        with pytest.raises(ConnectionClosed, match="1011: the server failed"):
            await ada.receive()
    assert "/live: on_socket failed" in caplog.text


async def test_messages_end_when_the_client_has_gone_and_the_room_with_them() -> None:
    ended: list[str] = []

    class Listening(Party):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            ended.extend([str(message) async for message in messages])
            ended.append(f"gone {connection.close_code}")

    async with Lobby(Listening, limits=Limits(rooms=1)) as lobby:
        ada = await enter(lobby)
        await ada.send("1")
        await ada.close(4000, "bye")
        await settle()
        assert ended == ["1", "gone 4000"]
        async with visit(lobby, "/live"):  # there is place for one only
            pass


async def test_a_hook_that_goes_on_without_its_client_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_module, "GRACE", 0.0)
    cancelled = asyncio.Event()

    class Deaf(Party):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with Lobby(Deaf) as lobby, asyncio.timeout(5):
        ada = await enter(lobby)
        await ada.close()
        await cancelled.wait()


async def test_a_client_is_read_no_faster_than_its_messages_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_module, "BACKLOG", 2)
    go = asyncio.Event()
    taken: list[Any] = []

    class Slow(Party):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            await go.wait()
            taken.extend([message async for message in messages])

    async with Lobby(Slow) as lobby, visit(lobby, "/live") as ada, asyncio.timeout(5):
        await ada.send("1")
        await ada.send("2")
        third = asyncio.ensure_future(ada.send("3"))
        await settle()
        assert not third.done()
        go.set()
        await third
        await settle()
    assert taken == ["1", "2", "3"]


async def test_a_client_whose_messages_nobody_takes_is_closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_module, "BACKLOG", 0)
    monkeypatch.setattr(outside_module, "PATIENCE", 0.0)

    class Deaf(Party):
        @classmethod
        async def on_socket(cls, connection: Connection, messages: Messages) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(outside_module, "GRACE", 0.0)
    async with Lobby(Deaf) as lobby, visit(lobby, "/live") as ada:
        await ada.send("anybody?")
        with pytest.raises(ConnectionClosed, match="1008"):
            await ada.receive()


async def test_the_gate_is_the_rooms_gate() -> None:
    limits = Limits(connections=1, connection_id=5, frames_per_second=1, rate_window=1, close=0)
    async with Lobby(Echo, limits=limits) as lobby:
        await refused(lobby, 403, origin="https://evil.example")
        await refused(lobby, 400, "/live?_pk=123456")
        async with visit(lobby, "/live") as ada:
            await refused(lobby, 503)
            await ada.receive()
            await ada.send("one a second")
            await ada.send("and not two")
            with pytest.raises(ConnectionClosed, match="1008"):
                await ada.send("or three")


async def test_without_the_hook_it_is_a_404_and_http_is_not_its_business() -> None:
    async with Lobby(Party) as lobby:
        await refused(lobby, 404)
    async with Lobby(Echo) as lobby:
        assert (await fetch(lobby, "/live")).status == 404
        assert (await fetch(lobby, "/parties/echo/x")).body == b"a room"


@pytest.mark.slow
async def test_a_gateway_needs_to_know_nothing_of_it() -> None:
    async with (
        Server(Lobby(Echo), port=0) as server,
        connect(server.url.replace("http", "ws") + "/live/feed", proxy=None) as ada,
        asyncio.timeout(5),
    ):
        assert await ada.recv() == '["/live/feed",null]'
        await ada.send("hello")
        assert await ada.recv() == "hello"
        await ada.send("stop")
        await ada.wait_closed()
        assert ada.close_code == 1000


async def test_a_shutdown_says_goodbye_to_these_too() -> None:
    async with Lobby(Echo) as lobby:
        ada = await enter(lobby)
        await ada.receive()
    with pytest.raises(ConnectionClosed, match="1001"):
        await ada.receive()
