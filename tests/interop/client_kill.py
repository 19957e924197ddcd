"""Kills a server under ten Python clients, again and again; each types, asks what is saved, and sends numbers.

- What a client was told is saved is in the dead server's file, before anybody can bring it again.
- Within one connection of a ``PartySocket`` the echo of its numbers has no hole and no step back, and no number comes
  twice over all connections.
- When the last server is up, everybody has the same text, with every word that anybody typed, once and in order.
- When the clients have gone, so have their tasks and threads.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, Self

from pycrdt import Text

from partyroom import SQLiteStore
from partyroom.client import DocumentClient, PartySocket
from partyroom.documents.log import Log
from partyroom.http import Address
from partyroom.protocols.replica import Replica
from partyroom.storage import Storage
from tests.interop.server import Server
from tests.interop.sites import QUICK, body, text

CLIENTS: Final = 10
EVERY: Final = 0.02
"""Seconds between two words of one client, and between two numbers."""
ROOM: Final = "a"


class Typist:
    """One client: ``letter`` types the words a0, a1, a2..."""

    def __init__(self, host: str, letter: str) -> None:
        self.letter = letter
        self.typed = self.saved = 0
        self.notes = DocumentClient(host, party="notes", room=ROOM, backoff=QUICK, user={"name": letter})
        self.socket = PartySocket(host, party="echo", room=letter, backoff=QUICK)
        self.echoes: list[list[int]] = []
        """What came back, by connection."""
        self.socket.on_open(lambda: self.echoes.append([]))
        self.socket.on_message(self._echoed)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.notes.start()
        self.socket.start()
        self._tasks = [asyncio.create_task(work()) for work in (self._type, self._save, self._number)]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()
        await self.notes.close()
        await self.socket.close()

    async def stop(self) -> None:
        """Type no more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _type(self) -> None:
        while True:
            end = body(self.notes)
            end += f"{self.letter}{self.typed} "
            self.typed += 1
            await asyncio.sleep(EVERY)

    async def _save(self) -> None:
        while True:
            typed = self.typed
            await self.notes.saved()
            self.saved = typed
            await asyncio.sleep(EVERY)

    async def _number(self) -> None:
        number = 0
        while True:
            await self.socket.send(str(number))
            number += 1
            await asyncio.sleep(EVERY)

    def _echoed(self, message: str | bytes) -> None:
        assert isinstance(message, str)
        if message.isdecimal():  # and no greeting
            self.echoes[-1].append(int(message))

    def check_order(self) -> None:
        """Within each connection every number follows the one before; over all, none comes twice."""
        for echoed in filter(None, self.echoes):
            assert echoed == list(range(echoed[0], echoed[0] + len(echoed)))
        numbers = [number for echoed in self.echoes for number in echoed]
        assert numbers == sorted(set(numbers))


async def kill_under_clients(server: Server, after: Iterable[int]) -> None:
    """Kill ``server`` whenever so many more words are saved. It serves ``parties.py``, and runs before and after."""
    async with PartySocket(server.host, party="echo", room="first") as first:
        await first.opened()  # what aiohttp loads once for the whole program, the resolver's thread, is there then
    before, threads = asyncio.all_tasks(), _threads()
    async with AsyncExitStack() as stack:
        letters = [chr(ord("a") + number) for number in range(CLIENTS)]
        typists = [await stack.enter_async_context(Typist(server.host, letter)) for letter in letters]
        for words in after:
            await _until_saved(typists, words)
            saved = {typist.letter: typist.saved for typist in typists}
            server.kill()
            await _check_what_is_stored(server.data, saved)
            await asyncio.to_thread(server.start)
        for typist in typists:
            await typist.stop()
        await _check_that_all_agree(typists)
    assert asyncio.all_tasks() == before
    assert _threads() <= threads
    assert "ERROR" not in server.log()


def _threads() -> set[threading.Thread]:
    """All but the event loop's own pool and those that read what servers print."""
    return {t for t in threading.enumerate() if not t.name.startswith("asyncio_") and not t.name.endswith("(_read)")}


async def _until_saved(typists: list[Typist], words: int) -> None:
    wanted = sum(typist.saved for typist in typists) + words
    async with asyncio.timeout(60):
        while sum(typist.saved for typist in typists) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(EVERY)


async def _check_what_is_stored(data: Path, saved: dict[str, int]) -> None:
    """Look into a copy of the dead server's file."""
    copy = data.with_name("copy")
    await asyncio.to_thread(shutil.copytree, data, copy)
    (file,) = copy.glob("*.db")
    store = SQLiteStore(file)
    snapshot, updates = await Log(Storage(store, Address("notes", ROOM))).load()
    await store.close()
    await asyncio.to_thread(shutil.rmtree, copy)
    replica = Replica()
    replica.load(updates, snapshot=snapshot)
    words = str(replica.doc.get("body", type=Text)).split()
    for letter, count in saved.items():
        assert [word for word in words if word[0] == letter][:count] == [f"{letter}{number}" for number in range(count)]


async def _check_that_all_agree(typists: list[Typist]) -> None:
    for typist in typists:
        await typist.notes.saved(timeout=60)
    first = typists[0]
    words = sum(typist.typed for typist in typists)
    for typist in typists:
        await _until_it_has(typist.notes, words)
        assert text(typist.notes) == text(first.notes)
        mine = [word for word in text(first.notes).split() if word[0] == typist.letter]
        assert mine == [f"{typist.letter}{number}" for number in range(typist.typed)]
        typist.check_order()
        assert len(typist.echoes) > 1
        assert set(typist.notes.others) == {other.notes.client_id for other in typists if other is not typist}


async def _until_it_has(notes: DocumentClient, words: int) -> None:
    changed = asyncio.Event()
    end = notes.on_change(changed.set)
    try:
        async with asyncio.timeout(60):
            while text(notes).count(" ") < words:
                changed.clear()
                await changed.wait()
    finally:
        end()
