"""A play for rooms: actors do what a script of chance says, and each hears what a model says that it must.

Two rooms, whose clients say, tell, close, cut and fail, in hooks with and without ``await``, across rooms and as they
leave; clients of the ``websockets`` library, whose bytes arrive in any pieces, and visitors in the process. The model
is written down where the party calls: as if every message were sent at once.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any, ClassVar, Self

from tornado.web import Application
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from partyroom import Connection, Lobby, Party, Request
from partyroom.errors import ConnectionClosed
from partyroom.gateways.aiohttp import Server
from partyroom.gateways.asgi import asgi_app
from partyroom.gateways.tornado import handlers
from partyroom.http import Address
from partyroom.testing import settle, visit
from tests.gateways.servers import under_hypercorn, under_tornado, under_uvicorn
from tests.gateways.wire import PATIENCE

__all__ = ["STAGES", "play"]

ROOMS = ("stage", "wings")
ABORTED, FAILED = 1006, 1011
Steps = list[list[Any]]


class Script(Party):
    """Does what it is told, and writes down what each connection must hear: texts, and at the end a close code."""

    due: ClassVar[dict[str, list[str | int]]]
    closes: ClassVar[list[str]]
    done: ClassVar[dict[str, int]]
    astray: ClassVar[list[str]]
    left: ClassVar[asyncio.Event]
    others: ClassVar[dict[str, Script]]
    count: ClassVar[int]

    def __init_subclass__(cls) -> None:
        cls.due, cls.closes, cls.done, cls.astray = {}, [], {}, []
        cls.left, cls.others, cls.count = asyncio.Event(), {}, 0

    def on_start(self) -> None:
        self.others[self.room.id] = self

    def tags(self, connection: Connection, request: Request) -> list[str]:
        self.due[connection.id], self.done[connection.id] = [], 0
        return []

    def say(self, text: str, without: Sequence[str] = ()) -> None:
        for one in self.room.connections():
            if one.id not in without:
                self.due[one.id].append(text)
        self.room.broadcast(text, without)

    def on_connect(self, connection: Connection) -> None:
        self.due[connection.id].append("hello")
        connection.send("hello")
        self.say(f"{connection.id} has come")

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        number, steps = json.loads(message)
        if connection.closed or number != self.done[connection.id]:
            self.astray.append(f"{connection.id}'s message {number}")  # after its end, or before another was done
        if ["wait"] in steps:
            return self.slowly(connection, steps)
        for step in steps:
            self.do(connection, *step)
        self.done[connection.id] += 1
        return None

    async def slowly(self, connection: Connection, steps: Steps) -> None:
        for step in steps:
            if step == ["wait"]:
                await settle(self.count % 3)
            else:
                self.do(connection, *step)
        self.done[connection.id] += 1

    def do(self, connection: Connection, what: str, whom: Any = None) -> None:
        type(self).count += 1
        text = f"{self.count} " + "x" * (self.count % 7 * 40)
        if what == "say":
            self.say(text, whom)
        elif what == "across":
            for party in self.others.values():
                party.say(text)
        elif what == "fail":
            raise ValueError("as it is told")
        elif (one := self.room.connection(whom)) is not None:
            end = {"close": 4000 + self.count % 100, "abort": ABORTED}.get(what)
            self.due[whom].append(end or (text if what == "tell" else what))
            if what == "close":
                one.close(4000 + self.count % 100)
            elif what == "abort":
                one.abort()
            else:
                one.send(text if what == "tell" else what)

    def on_error(self, connection: Connection, error: BaseException) -> None:
        if not connection.closed and isinstance(error, ValueError):
            self.due[connection.id].append(FAILED)

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        self.closes.append(connection.id)
        self.left.set()
        self.say(f"{connection.id} has gone")


class Actor:
    """A client: what it has ``heard``, and whether it is ``leaving`` by itself."""

    def __init__(self, id: str, room: str) -> None:
        self.id, self.room = id, room
        self.heard: list[str | int] = []
        self.leaving = False
        self._sent = 0
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None]

    def hear(self, what: str | int) -> None:
        self.heard.append(what)
        self._changed.set()

    def message(self, steps: Steps) -> str:
        """The next message, which says which one it is."""
        self._sent += 1
        return json.dumps([self._sent - 1, steps])

    @property
    def over(self) -> bool:
        return bool(self.heard) and isinstance(self.heard[-1], int)

    @property
    def ready(self) -> bool:
        return not (self.over or self.leaving)

    async def until(self, what: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while what not in self.heard and not self.over:
                self._changed.clear()
                await self._changed.wait()

    async def act(self, rng: random.Random, script: list[Steps], end: str = "") -> None:
        raise NotImplementedError

    async def go(self) -> None:
        raise NotImplementedError


class Client(Actor):
    """One of the ``websockets`` library, without its I/O: this cuts its bytes into pieces."""

    async def open(self, url: str) -> Self:
        uri = parse_uri(f"ws{url.removeprefix('http')}/parties/script/{self.room}?_pk={self.id}")
        self._protocol = ClientProtocol(uri)
        self._reader, self._writer = await asyncio.open_connection(uri.host, uri.port)
        self._protocol.send_request(self._protocol.connect())
        self._writer.write(b"".join(self._protocol.data_to_send()))
        self._listening = asyncio.create_task(self._listen())
        return self

    async def _listen(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self._protocol.receive_data(data)
                for event in self._protocol.events_received():
                    if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                        self.hear(str(event.data, "utf-8"))
                if (goodbye := self._protocol.close_rcvd) and not self.over:
                    self.hear(goodbye.code)
                if not self.leaving:
                    self._writer.write(b"".join(self._protocol.data_to_send()))
        except ConnectionError:
            pass
        if not self.over:
            self.hear(ABORTED)
        self._writer.close()

    @property
    def ready(self) -> bool:
        return super().ready and self._protocol.state is State.OPEN

    async def act(self, rng: random.Random, script: list[Steps], end: str = "") -> None:
        if not self.ready:
            return
        for steps in script:
            self._protocol.send_text(self.message(steps).encode())
        self.leaving = bool(end)
        if end == "bye":
            self._protocol.send_close(1000)
        data = b"".join(self._protocol.data_to_send())
        if end == "die":  # in the midst of a frame
            data = data[: rng.randrange(len(data))]
        while data:
            cut = rng.choice((len(data), rng.randrange(1, len(data) + 1)))
            self._writer.write(data[:cut])
            data = data[cut:]
            await settle(rng.randrange(3))
        if end in ("die", "reset"):
            (self._writer.close if end == "die" else self._writer.transport.abort)()

    async def go(self) -> None:
        self._writer.close()
        await asyncio.wait_for(self._listening, PATIENCE)


class Visitor(Actor):
    """One in this process."""

    async def open(self, lobby: Lobby) -> Self:
        self._stack = AsyncExitStack()
        url = f"/parties/script/{self.room}?_pk={self.id}"
        self._socket = await self._stack.enter_async_context(visit(lobby, url))
        self._listening = asyncio.create_task(self._listen())
        return self

    async def _listen(self) -> None:
        try:
            while True:
                self.hear(str(await self._socket.receive()))
        except ConnectionClosed as closed:
            self.hear(int(closed.code))

    async def act(self, rng: random.Random, script: list[Steps], end: str = "") -> None:
        for steps in script:
            if self._socket.transport.ended is None:
                await self._socket.send(self.message(steps))
        self.leaving = self.leaving or bool(end)
        if end == "bye":
            await self._socket.close()
        elif end:
            self._socket.transport.abort()

    async def go(self) -> None:
        await self._stack.aclose()
        await self._listening


def some_steps(rng: random.Random, ids: list[str]) -> Steps:
    """What one message asks for."""
    steps: Steps = []
    ends = ["close", "abort", "fail"] * (rng.random() < 0.12)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        what = rng.choice(["say"] * 10 + ["say but"] * 3 + ["tell"] * 5 + ["wait"] * 3 + ["across"] * 2 + ends)
        if what == "say but":
            steps.append(["say", rng.sample(ids, min(len(ids), 2))])
        elif what in ("wait", "across", "fail"):
            steps.append([what])
        else:
            steps.append([what, [] if what == "say" else rng.choice(ids)])
    return steps


class Cast:
    """The actors of one play."""

    def __init__(self, rng: random.Random, lobby: Lobby, url: str | None) -> None:
        self.actors: list[Actor] = []
        self._rng = rng
        self._lobby = lobby
        self._url = url
        self._acting: dict[Actor, asyncio.Task[None]] = {}

    async def join(self) -> None:
        rng = self._rng
        name, room = f"c{len(self.actors)}", rng.choice(ROOMS)
        if self._url is None or rng.random() < 0.2:
            self.actors.append(await Visitor(name, room).open(self._lobby))
            return
        client = await Client(name, room).open(self._url)
        self.actors.append(client)
        if rng.random() < 0.7:
            await client.until("hello")

    async def act(self) -> None:
        """Some do something at the same time."""
        rng = self._rng
        able = [one for one in self.actors if one.ready and (one not in self._acting or self._acting[one].done())]
        if len(able) < 3 or (len(able) < 7 and rng.random() < 0.2):
            await self.join()
            return
        ids = [one.id for one in self.actors if one.ready]
        for one in rng.sample(able, rng.randrange(1, len(able) + 1)):
            script = [some_steps(rng, ids) for _ in range(rng.choice((1, 1, 1, 1, 2, 4, 8)))]
            end = rng.choice(("bye", "bye", "die", "reset")) if rng.random() < 0.05 else ""
            self._acting[one] = asyncio.create_task(one.act(rng, script, end))
        await settle(rng.choice((0, 1, 3, 10)))
        if rng.random() < 0.3:
            await self.rest()

    async def rest(self) -> None:
        """Until all have done it."""
        await asyncio.gather(*self._acting.values())
        self._acting.clear()

    async def curtain(self, script: type[Script]) -> None:
        """Until the rooms have dealt with everything, and all who are there have heard so."""
        await self.rest()
        for one in self.actors:
            await one.until("hello")
            await one.act(self._rng, [[["that is all", one.id]]])
            if one.ready:
                await one.until("that is all")
        async with asyncio.timeout(PATIENCE):
            while self._lobby.connected > len(self._staying()):
                script.left.clear()
                await script.left.wait()
        for party in script.others.values():
            party.say("the end")
        for one in self.actors:
            if not one.leaving:
                await one.until("the end")

    def _staying(self) -> list[Actor]:
        rooms = {name: self._lobby.peek(Address("script", name)) for name in ROOMS}
        return [one for one in self.actors if one.ready and (room := rooms[one.room]) and room.connection(one.id)]

    def check(self, script: type[Script]) -> None:
        """Each has heard all that was said, as far as it was there to hear it."""
        for one in self.actors:
            due, heard = script.due[one.id], one.heard
            if one.leaving or ABORTED in due:  # what was on its way is lost, and what came was in order
                heard = [what for what in heard if isinstance(what, str)]
                due = due[: len(heard)]
            assert heard == due, one.id


async def play(seed: int, stage: str, rounds: int = 25) -> None:
    """One play, under one of ``STAGES``."""

    class Tonight(Script):
        pass

    rng, lobby = random.Random(seed), Lobby({"script": Tonight})
    async with lobby, STAGES[stage](lobby) as url:
        cast = Cast(rng, lobby, url)
        for _ in range(rounds):
            await cast.act()
        await cast.curtain(Tonight)
        cast.check(Tonight)
        for one in cast.actors:
            await one.go()
    assert sorted(Tonight.closes) == sorted(Tonight.due)
    assert not Tonight.astray


@asynccontextmanager
async def by_aiohttp(lobby: Lobby, direct: bool = True) -> AsyncIterator[str]:
    async with Server(lobby, port=0, direct=direct) as server:
        yield server.url


STAGES: dict[str, Callable[[Lobby], AbstractAsyncContextManager[str | None]]] = {
    "no gateway": lambda lobby: nullcontext(),
    "aiohttp": by_aiohttp,
    "aiohttp, not direct": lambda lobby: by_aiohttp(lobby, direct=False),
    "tornado": lambda lobby: under_tornado(Application(list(handlers(lobby))), lobby),
    "uvicorn": lambda lobby: under_uvicorn(asgi_app(lobby)),
    "hypercorn": lambda lobby: under_hypercorn(asgi_app(lobby)),
}
"""Where a play is given."""
