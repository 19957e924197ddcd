"""A document on a disk that fills up and is freed again; what its clients saw, as JSON.

python full_disk.py FOLDER LIMIT    LIMIT: "ballast" frees the disk by removing a file, "rlimit" bounds all files
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
from pathlib import Path
from typing import Any

from partyroom import DocumentParty, Lobby, SQLiteStore, storage
from partyroom.protocols import yjs
from partyroom.room import Room
from partyroom.testing import fetch
from tests.unit.documents.client import PATH, Client, join

storage.FIRST_PAUSE, storage.LONGEST_PAUSE = 0.02, 0.05
ASKED = yjs.SyncStatus(b"\x01")
MOST = 400


class Disk:
    """What there is to be filled, and a way to free it."""

    def __init__(self, folder: Path, limit: str) -> None:
        self.path = folder / "rooms.db"
        self._ballast = folder / "ballast" if limit == "ballast" else None
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        if self._ballast is not None:
            self._ballast.write_bytes(bytes(5 * 1024 * 1024))

    def fill(self) -> None:
        if self._ballast is None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 1024 * 1024, self._hard))

    def free(self) -> None:
        if self._ballast is None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._hard, self._hard))
        else:
            self._ballast.unlink()


async def stays_full(room: Room) -> bool:
    """Whether what waits is not written, however often that is tried."""
    writing = asyncio.ensure_future(room.storage.flush())
    while not writing.done() and not room.storage.failing:  # noqa: ASYNC110 - nothing tells that a store fails
        await asyncio.sleep(0.001)
    done, _ = await asyncio.wait([writing], timeout=10 * storage.LONGEST_PAUSE)
    writing.cancel()
    return not done


async def write_until_full(room: Room, ada: Client) -> str:
    for number in range(MOST):
        await ada.insert(0, f"{number}." + "x" * 40_000)
        if await stays_full(room):  # perhaps of a snapshot, and the edit itself is on disk
            await ada.insert(0, "one more.")
            await ada.read()
            ada.received.clear()
            await ada.socket.send(yjs.sync_status(b"\x01"))
            await ada.read()
            return str(ada.text)
    raise AssertionError("the disk does not fill up")


async def main(disk: Disk) -> None:
    saw: dict[str, Any] = {}
    async with Lobby({"notes": DocumentParty}, store=SQLiteStore(disk.path)) as lobby, join(lobby) as ada:
        await ada.insert(0, "before.")
        disk.fill()
        (room,) = lobby.rooms()
        text = await write_until_full(room, ada)
        saw["acknowledged on a full disk"] = ASKED in ada.received
        async with join(lobby) as bob:
            saw["a newcomer reads all of it"] = str(bob.text) == text
        saw["read over HTTP"] = (await fetch(lobby, PATH + "/doc")).status
        disk.free()
        await room.storage.flush()
        await ada.read()
        saw["acknowledged afterwards"] = ASKED in ada.received
        saw["failing afterwards"] = room.storage.failing
    async with Lobby({"notes": DocumentParty}, store=SQLiteStore(disk.path)) as lobby, join(lobby) as carol:
        saw["all of it is on disk"] = str(carol.text) == text
    print(json.dumps(saw))


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(Disk(Path(sys.argv[1]), sys.argv[2])))
