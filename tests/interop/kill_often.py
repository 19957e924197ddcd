"""Kills a server again and again while people edit several documents, and looks at what they were told is saved.

Each writer types the words a0, a1, a2... and asks, every few words, whether all is saved; what the server has said yes
to is *acknowledged*. The server is killed at any moment: while it starts and loads, while people type, while a document
is compacted, kept as a version, evicted or loaded again (``restless_parties.py`` does all that all the time), and while
it stops. Then, before any writer can bring anything back, every document is read:

- it can be read, and holds of each writer the first words without a hole, at least all that were acknowledged;
- versions that were acknowledged are listed, and can be read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any, Final

import aiohttp
from pycrdt import Doc, Text

from partyroom.errors import ProtocolError
from partyroom.protocols import yjs
from partyroom.protocols.content import read
from partyroom.protocols.lib0 import read_varuint, varuint
from tests.interop.forked import ForkedServer
from tests.interop.fuzz import BINARY, connected, frame, read_frame

__all__ = ["kill_often"]

DOCUMENTS: Final = ("notes/one", "notes/two", "notes/three", "dozing/four")
LETTERS: Final = "ab"
"""Of the writers in each document."""
EVERY: Final = 0.004
"""Seconds between two words of one writer."""
LONGEST: Final = 0.3
"""Seconds of a server's life after all have joined."""
LIVES: Final = 25
"""Lives of the same documents before others take their place: they grow."""
PATIENCE: Final = 20.0


class Writer:
    """One person in one document, who remembers everything over all lives of the server."""

    def __init__(self, letter: str) -> None:
        self.letter = letter
        self.typed = 0
        self.acknowledged = 0
        self._doc: Doc[Text] = Doc()
        self._text = self._doc.get("body", type=Text)

    async def live(self, server: ForkedServer, path: str, joined: asyncio.Semaphore) -> None:
        """Join, and type until the server goes."""
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await connected(server.host, f"/parties/{path}")
            try:
                _send(writer, yjs.sync_step1(self._doc.get_state()))
                async with asyncio.TaskGroup() as group:
                    typing = asyncio.Event()
                    group.create_task(self._type(writer, typing))
                    await self._listen(reader, writer, typing, joined)
            except* (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.transport.abort()

    async def _listen(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        typing: asyncio.Event,
        joined: asyncio.Semaphore,
    ) -> None:
        while True:
            message = (await read_frame(reader))[1]
            with suppress(ProtocolError):
                match yjs.parse(message):
                    case yjs.SyncStep1(state):
                        _send(writer, yjs.sync_step2(self._doc.get_update(state)))
                    case yjs.SyncStep2(update):
                        self._doc.apply_update(update)
                        if not typing.is_set():
                            typing.set()
                            joined.release()
                    case yjs.Update(update):
                        self._doc.apply_update(update)
                    case yjs.SyncStatus(payload):
                        self.acknowledged = max(self.acknowledged, read_varuint(payload, 0)[0])

    async def _type(self, writer: asyncio.StreamWriter, typing: asyncio.Event) -> None:
        await typing.wait()
        while not writer.is_closing():
            before = self._doc.get_state()
            self._text += f"{self.letter}{self.typed} "
            self.typed += 1
            _send(writer, yjs.update(self._doc.get_update(before)))
            if self.typed % 3 == 0:
                _send(writer, yjs.sync_status(varuint(self.typed)))
            await asyncio.sleep(EVERY)
        raise ConnectionResetError


class Life:
    """Documents, their writers and their acknowledged versions, over some lives of a server."""

    def __init__(self, server: ForkedServer, dice: Random, name: str) -> None:
        self.acknowledged = 0
        """What has been acknowledged over all: words and versions."""
        self._server = server
        self._dice = dice
        self._paths = [f"{path}-{name}" for path in DOCUMENTS]
        self._writers = {path: [Writer(letter) for letter in LETTERS] for path in self._paths}
        self._versions: dict[str, list[str]] = {path: [] for path in self._paths}

    async def live(self) -> None:
        """A life of the server: it starts, and everything is there; people edit; it dies."""
        await self._start()
        await self.check()
        everybody = [(writer, path) for path, writers in self._writers.items() for writer in writers]
        joined = asyncio.Semaphore(0)
        before = self._count()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(writer.live(self._server, path, joined)) for writer, path in everybody]
            tasks += [group.create_task(self._keep_versions()), group.create_task(self._come_and_go())]
            async with asyncio.timeout(PATIENCE):
                for _ in everybody:
                    await joined.acquire()
            await asyncio.sleep(self._dice.random() * LONGEST)
            await self._end()
            for task in tasks:
                task.cancel()
        self.acknowledged += self._count() - before

    def _count(self) -> int:
        words = sum(writer.acknowledged for writers in self._writers.values() for writer in writers)
        return words + sum(map(len, self._versions.values()))

    async def _start(self) -> None:
        """Start the server; now and then it is killed once while it loads documents."""
        await asyncio.to_thread(self._server.start)
        if self._dice.random() < 0.15:
            looking = asyncio.gather(*map(self._look, self._paths), return_exceptions=True)
            await asyncio.sleep(self._dice.random() * 0.05)
            self._server.kill()
            await looking
            await asyncio.to_thread(self._server.start)

    async def _end(self) -> None:
        """Kill the server; now and then while it stops."""
        if self._dice.random() < 0.25:
            self._server.terminate()
            await asyncio.sleep(self._dice.random() * 0.1)
        self._server.kill()

    async def _keep_versions(self) -> None:
        """Somebody keeps versions by name, now of this document and now of that."""
        with suppress(aiohttp.ClientError, OSError):
            async with aiohttp.ClientSession(f"http://{self._server.host}") as session:
                while True:
                    path = self._dice.choice(self._paths)
                    name = f"{self._dice.getrandbits(40)}"
                    async with session.post(f"/parties/{path}/versions", json={"name": name}) as answer:
                        if answer.ok:
                            await answer.read()
                            self._versions[path].append(name)
                    await asyncio.sleep(0.05)

    async def _come_and_go(self) -> None:
        """Documents without writers are looked at for a moment: loaded, compacted and evicted."""
        while True:
            await asyncio.gather(*(self._look(f"{path}-visited") for path in DOCUMENTS), return_exceptions=True)
            await asyncio.sleep(0.08)

    async def _look(self, path: str) -> bytes:
        """A document as a newcomer gets it."""
        reader, writer = await connected(self._server.host, f"/parties/{path}")
        try:
            _send(writer, yjs.sync_step1(b"\0"))
            while True:
                said = yjs.parse((await read_frame(reader))[1])
                if isinstance(said, yjs.SyncStep2):
                    return said.update
        finally:
            writer.transport.abort()

    async def check(self) -> None:
        """Everything that was acknowledged is there."""
        async with asyncio.timeout(PATIENCE):
            documents = await asyncio.gather(*map(self._look, self._paths))
        for path, update in zip(self._paths, documents, strict=True):
            words = read(update).root("body").text().split()
            for writer in self._writers[path]:
                kept = [int(word[1:]) for word in words if word[0] == writer.letter]
                assert kept == list(range(len(kept))), (path, writer.letter, kept)
                assert len(kept) >= writer.acknowledged, (path, writer.letter, len(kept), writer.acknowledged)
        async with aiohttp.ClientSession(f"http://{self._server.host}") as session:
            await asyncio.gather(*(self._check_versions(session, path) for path in self._paths))

    async def _check_versions(self, session: aiohttp.ClientSession, path: str) -> None:
        wanted = self._versions[path]
        async with session.get(f"/parties/{path}/versions") as answer:
            listed: list[dict[str, Any]] = await answer.json()
        names = {version["name"]: version["id"] for version in listed if version["name"]}
        assert set(wanted) <= set(names), (path, set(wanted) - set(names))
        for name in wanted[-1:]:
            async with session.get(f"/parties/{path}/versions/{names[name]}.json") as answer:
                assert answer.status == 200, (path, await answer.text())
                json.loads(await answer.text())


def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(frame(BINARY, message))


async def kill_often(server: ForkedServer, seed: int, kills: int) -> int:
    """Kill a server so many times, which is not running before or afterwards; how much had been acknowledged in all.

    It serves ``restless_parties.py``.
    """
    dice = Random(seed)
    acknowledged = 0
    for name, lives in enumerate(_shares(kills)):
        life = Life(server, dice, str(name))
        for _ in range(lives):
            await life.live()
        await asyncio.to_thread(server.start)
        await life.check()
        await asyncio.to_thread(server.stop)
        acknowledged += life.acknowledged
    assert "ERROR" not in server.log(), server.log()
    return acknowledged


def _shares(kills: int) -> Iterable[int]:
    while kills > 0:
        yield min(LIVES, kills)
        kills -= LIVES
