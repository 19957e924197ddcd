"""Rooms on demand, over a real network and with processes that die: what a visitor may rely on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from partyroom import Connection, Lobby, Party, Request, Response, SQLiteStore
from partyroom.gateways.aiohttp import Server
from tests.bench.rooms import at_scale

pytestmark = pytest.mark.slow

ROOM = "/parties/main/lobby"


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


def socket(server: Server, path: str = ROOM) -> connect:
    return connect(server.url.replace("http", "ws", 1) + path, proxy=None)


class TestTwoSocketsOfOneId:
    """A tab that reconnects claims its id again while the server still holds the old socket."""

    class Main(Party):
        def __init__(self, room: Any) -> None:
            super().__init__(room)
            self.left: list[tuple[str, bool]] = []

        def on_message(self, connection: Connection, message: str | bytes) -> None:
            newest = self.room.connection(connection.id)
            assert newest is not None
            newest.send(f"to the newest: {message!s}")
            self.room.broadcast(f"to all: {message!s}")

        def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
            self.left.append((connection.id, was_clean))
            self.room.broadcast("one has left")

    @pytest.mark.parametrize("dies", ["older", "newer"])
    @pytest.mark.parametrize("how", ["by a goodbye", "by a cut"])
    async def test_one_dies_and_the_other_still_receives(self, dies: str, how: str) -> None:
        async with (
            Server(Lobby({"main": self.Main}), port=0) as server,
            socket(server, ROOM + "?_pk=me") as older,
            socket(server, ROOM + "?_pk=me") as newer,
        ):
            gone, left = (older, newer) if dies == "older" else (newer, older)
            await left.send("both here")
            assert [await left.recv() for _ in range(2 if left is newer else 1)][-1] == "to all: both here"
            if how == "by a cut":
                gone.transport.abort()
            else:
                await gone.close()
            assert await left.recv() == "one has left"
            await left.send("still here")
            assert [await left.recv(), await left.recv()] == ["to the newest: still here", "to all: still here"]


class TestFirstVisits:
    """Whoever comes first starts the room, and nobody starts it twice."""

    class Main(Party):
        starts = 0
        fails = 0
        begun: asyncio.Event
        go: asyncio.Event

        async def on_start(self) -> None:
            cls = type(self)
            cls.starts += 1
            self.begun.set()
            await self.go.wait()
            if cls.fails:
                cls.fails -= 1
                raise RuntimeError("not today")

        def on_connect(self, connection: Connection) -> None:
            connection.send("welcome")

        def on_request(self, request: Request) -> Response:
            return Response("welcome")

    @staticmethod
    async def all_at_once(server: Server, party: type[Main]) -> list[str | int]:
        """What ten requests and ten sockets get that all arrive before the room has started."""

        async def ask() -> str | int:
            async with aiohttp.request("GET", server.url + ROOM) as response:
                return response.status if response.status != 200 else await response.text()

        async def enter(client: ClientConnection) -> str | int:
            try:
                return str(await client.recv())
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 1006

        clients = await asyncio.gather(*(socket(server) for _ in range(10)))
        asking = [asyncio.ensure_future(ask()) for _ in range(10)]
        await party.begun.wait()
        party.go.set()
        found = await asyncio.gather(*map(enter, clients), *asking)
        await asyncio.gather(*(client.close() for client in clients))
        return found

    async def test_twenty_at_once_start_it_once(self) -> None:
        class Main(self.Main):  # type: ignore[name-defined,misc]
            begun, go = asyncio.Event(), asyncio.Event()

        async with Server(Lobby({"main": Main}), port=0) as server:
            assert await self.all_at_once(server, Main) == ["welcome"] * 20
        assert Main.starts == 1

    async def test_a_start_that_fails_is_tried_again_by_the_next_visit(self, caplog: pytest.LogCaptureFixture) -> None:
        class Main(self.Main):  # type: ignore[name-defined,misc]
            begun, go, fails = asyncio.Event(), asyncio.Event(), 1

        async with Server(Lobby({"main": Main}), port=0) as server:
            first = await self.all_at_once(server, Main)
            assert {1013, 500} >= set(first) - {"welcome"}, "some may come after the failure, and start it again"
            assert await self.all_at_once(server, Main) == ["welcome"] * 20
        assert Main.starts == 2
        assert caplog.text.count("on_start failed") == 1


RING = """
import asyncio, sys, time
from partyroom import Lobby, Party, SQLiteStore
from partyroom.http import Address

class Bell(Party):
    async def on_alarm(self):
        due = await self.room.storage.get("due")
        print("early" if time.time() < due else "ring", flush=True)
        if sys.argv[2] == "hang":
            await asyncio.Event().wait()

async def main():
    async with Lobby({"bell": Bell}, store=SQLiteStore(sys.argv[1])) as lobby:
        if sys.argv[2] == "set":
            room = await lobby.room(Address("bell", "x"))
            due = time.time() + 1.0
            room.storage.put("due", due)
            await room.set_alarm(due)
            print("set", flush=True)
            await asyncio.Event().wait()
        while sys.argv[2] == "hang" or await lobby.store.alarms():
            await asyncio.sleep(0.01)

asyncio.run(main())
"""


def ring(path: Path, what: str, *, kill: bool) -> str:
    """Run a server until it has said its line, and kill it or let it end."""
    with subprocess.Popen([sys.executable, "-c", RING, str(path), what], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = server.stdout.readline().strip()
        if kill:
            server.kill()
        rest = server.stdout.read()
    assert (server.returncode, rest) == (-9 if kill else 0, "")
    return said


def test_an_alarm_rings_after_kill_9_also_one_that_was_killed_while_it_rang(tmp_path: Path) -> None:
    path = tmp_path / "rooms.db"
    assert ring(path, "set", kill=True) == "set"
    assert ring(path, "hang", kill=True) == "ring", "not early, and not lost with the process that set it"
    assert ring(path, "answer", kill=False) == "ring", "until its handler has ended"

    async def left() -> Any:
        store = SQLiteStore(path)
        alarms = await store.alarms()
        await store.close()
        return alarms

    assert asyncio.run(left()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_three_hundred_rooms_have_their_own_state_leave_memory_and_come_back() -> None:
    found = await at_scale(300)
    assert len(found.revived) == 300
    assert found.failed is None
