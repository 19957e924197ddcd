"""Kills a server in the middle of a stream of edits, again and again, and looks at what is there afterwards.

A document client is never told by the server that an edit is on disk, so what must be there is what can be observed:
``PycrdtClient`` stands by as an ``Observer`` and notes what the server relays, and when.

- What had been relayed when an HTTP request began that the room answers only after a write of its own is on disk (a
  room's writes reach the disk in their order) is there: that is "confirmed".
- What was relayed ``SAFE`` seconds before the kill is there: "relayed before the last commit".
- Whatever else is there, each writer's edits are there from the first on without a hole.
- When the writers are back, all that they typed is there, once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.interop.node import NodeClient
from tests.interop.pycrdt_client import PycrdtClient
from tests.interop.server import Server

SAFE = 1.0
"""Seconds in which what was relayed reaches the disk: ``storage.LINGER`` is 0.1, the rest is for a busy disk."""
EVERY = 5
"""Milliseconds between two edits of one writer."""
AHEAD = 50
"""Lines of a chat that are always on their way."""
LETTERS = "ab"
"""Of the writers: ``a`` types the words a0, a1, a2..."""

Counts = dict[str, int]
NOTHING: Counts = dict.fromkeys(LETTERS, 0)


class Observer(PycrdtClient):
    """Notes when it has seen how many edits of each writer."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.history: list[tuple[float, Counts]] = [(0.0, NOTHING)]

    def received(self) -> None:
        text = str(self.body)
        self.history.append((monotonic(), {letter: text.count(letter) for letter in LETTERS}))

    @property
    def seen(self) -> Counts:
        """How many edits of each writer are in the document."""
        return self.history[-1][1]

    def seen_at(self, moment: float) -> Counts:
        """What was ``seen`` then."""
        return next(counts for when, counts in reversed(self.history) if when <= moment)


async def kill_documents(server: Server, after: Iterable[int], room: str = "a") -> None:
    """Two y-websocket clients type in a room, and the server is killed when so many more edits have been relayed.

    ``server`` serves ``parties.py``; it runs before and afterwards.
    """
    async with AsyncExitStack() as stack:
        writers = {}
        for letter in LETTERS:
            client = await stack.enter_async_context(NodeClient.running("provider.js", "y-websocket"))
            await client.call("open", host=server.host, party="notes", room=room)
            await client.until(lambda seen: seen["synced"])
            writers[letter] = client
        required = NOTHING
        for number, edits in enumerate(after):
            due = await _type_until_killed(server, writers, room, edits, confirm=number % 2 == 0)
            required = {letter: max(required[letter], due[letter]) for letter in LETTERS}
            server.start()
            await _check_what_is_kept(server, room, required)
            await _come_back(server, writers, room)
    assert "ERROR" not in server.log()


async def _type_until_killed(
    server: Server, writers: dict[str, NodeClient], room: str, edits: int, *, confirm: bool
) -> Counts:
    """Leaves the server dead and the writers offline; how many edits of each must have survived."""
    async with observing(server, room) as observer:
        before = observer.seen
        for letter, writer in writers.items():
            await writer.call("type", letter=letter, every=EVERY)
        confirmed = NOTHING
        confirming = asyncio.create_task(_confirm(server, room, observer))
        if not confirm:  # asking makes the room write at once, so it is not always done
            confirming.cancel()
        await observer.until_so(lambda: sum(observer.seen.values()) >= sum(before.values()) + edits, timeout=30)
        safe = observer.seen_at(monotonic() - SAFE)
        server.kill()
        with suppress(asyncio.CancelledError):
            confirmed = await confirming
        for writer in writers.values():
            await writer.call("disconnect")  # or they would bring back what the server has lost
    return {letter: max(safe[letter], confirmed[letter]) for letter in LETTERS}


async def _confirm(server: Server, room: str, observer: Observer) -> Counts:
    """Ask the room to answer when all that it has relayed is on disk, until it is killed; what it last confirmed."""
    confirmed = NOTHING
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession(f"http://{server.host}") as session:
            while True:
                asked = observer.seen
                async with session.get(f"/parties/notes/{room}") as answer:
                    assert await answer.text() == "on disk"
                confirmed = asked
    return confirmed


async def _check_what_is_kept(server: Server, room: str, required: Counts) -> None:
    async with observing(server, room) as observer:
        for letter in LETTERS:
            kept = numbers(observer, letter)
            assert kept == list(range(len(kept)))
            assert len(kept) >= required[letter]


async def _come_back(server: Server, writers: dict[str, NodeClient], room: str) -> None:
    """The writers have typed on meanwhile; they stop, connect, and everything is everywhere."""
    typed = {letter: await writer.call("stopTyping") for letter, writer in writers.items()}
    async with observing(server, room) as observer:
        for writer in writers.values():
            await writer.call("connect")
        await observer.until_so(lambda: observer.seen == typed)
        for letter in LETTERS:
            assert numbers(observer, letter) == list(range(typed[letter]))
        length = len(str(observer.body))
        for writer in writers.values():
            await writer.events("changed", len(writer.untaken("changed")))
            await writer.until(lambda seen: seen["synced"] and seen["length"] == length and not seen["pending"])


@asynccontextmanager
async def observing(server: Server, room: str) -> AsyncIterator[Observer]:
    """An observer that has the room's document."""
    async with Observer.joined(f"ws://{server.host}/parties/notes/{room}") as observer:
        await observer.until_so(lambda: observer.synced)
        yield observer


def numbers(observer: Observer, letter: str) -> list[int]:
    """The numbers of one writer's words, in the order of the text."""
    return [int(word[1:]) for word in str(observer.body).split() if word[0] == letter]


async def kill_chats(server: Server, after: Iterable[int]) -> None:
    """Somebody talks in a room of the README's ``Chat``; the server is killed when another has heard so many lines.

    The room passes a line on when ``await self.room.storage.put(...)`` has returned. ``server`` serves that class; it
    runs before and afterwards.
    """
    for number, lines in enumerate(after):
        url = f"ws://{server.host}/parties/chat/room-{number}"
        heard = await _hear_until_killed(server, url, lines)
        assert heard == list(range(len(heard)))
        server.start()
        async with connect(url) as newcomer:
            kept = [int(line) for line in json.loads(await newcomer.recv())]
        assert kept[-1] >= heard[-1]
        assert kept == list(range(max(0, kept[-1] - 99), kept[-1] + 1))
    assert "ERROR" not in server.log()


async def _hear_until_killed(server: Server, url: str, lines: int) -> list[int]:
    async with connect(url) as listener, connect(url) as talker:
        assert [await listener.recv(), await talker.recv()] == ["[]", "[]"]
        for number in range(AHEAD):
            await talker.send(str(number))
        heard = []
        async with asyncio.timeout(30):
            for number in range(lines):
                heard.append(int(await listener.recv()))
                await talker.send(str(AHEAD + number))
        server.kill()
        with suppress(ConnectionClosed):
            while True:  # what was on its way already
                heard.append(int(await listener.recv()))
    return heard
