"""The SQL databases of all rooms: a file for each, off the event loop, and not too many of them open.

A file of its own keeps rooms apart by construction: no statement of one can name a table of another, its size is the
file's, and deleting the room is deleting the file. The file's name is a hash of the room's address, since an id is data
and never a path. A store in memory has its databases in memory, and runs their statements where it is called.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from ..errors import StoreClosed
from ..http import Address
from .sql import Parameters, Row
from .sqlite_room import RoomFile

__all__ = ["Databases", "RoomDatabase"]

T = TypeVar("T")

MOST_OPEN: Final = 64
"""Files that stay open between statements; each needs two descriptors and some memory."""
THREADS: Final = 4
PAUSE: Final = 0.01
"""Seconds between two attempts to cut off a statement."""


class Databases:
    """The databases below ``folder``; without one, in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._threads = None if folder is None else ThreadPoolExecutor(THREADS, "partyroom-sql")
        self._lock = Lock()  # guards the three below; held for moments only, and taken after a file's own
        self._files: dict[Address, RoomFile] = {}
        self._open: OrderedDict[RoomFile, None] = OrderedDict()  # those last used at the end
        self._closed = False

    def of(
        self,
        address: Address,
        *,
        size: int | None,
        seconds: float | None,
        register: Callable[[], Awaitable[None]] | None = None,
    ) -> RoomDatabase:
        """A room's database; ``register`` is awaited before its file is made. Raises ``StoreClosed``."""
        file = self._taken(address)
        file.size, file.seconds = size, seconds
        return RoomDatabase(self, address, file, register)

    def exists(self, address: Address) -> bool:
        """Whether a room has a database."""
        if self._folder is not None:
            return self._path(address).exists()
        with self._lock:
            file = self._files.get(address)
        return file is not None and file.is_open

    def addresses(self) -> list[Address]:
        """The rooms that have one, in memory; on disk, those that are in use."""
        with self._lock:
            return [address for address, file in self._files.items() if file.is_open]

    def remove(self, address: Address) -> None:
        """Delete a room's database, cutting off what runs on it. Blocks; raises ``StoreError``."""
        if not self.exists(address):
            return
        file = self._taken(address)
        try:
            file.interrupt()
            while not file.lock.acquire(timeout=PAUSE):
                file.interrupt()  # the statement may not have begun the last time
            try:
                file.remove()
            finally:
                file.lock.release()
        finally:
            self.release(address, file, None)  # a statement that begins only now keeps nobody waiting

    async def image(self, address: Address) -> bytes | None:
        """A room's whole database as bytes; ``None`` where it has none."""
        return await self._alone(address, RoomFile.image) if self.exists(address) else None

    async def set_image(self, address: Address, image: bytes) -> None:
        """Replace a room's database."""
        await self._alone(address, lambda file: file.set_image(image))

    async def _alone(self, address: Address, work: Callable[[RoomFile], T]) -> T:
        """Run ``work`` for somebody who is no room."""
        file = self._taken(address)
        try:
            return await self.run(file, partial(work, file))
        finally:
            self.release(address, file, None)

    def close(self) -> None:
        """Finish what runs and close all files. Blocks."""
        with self._lock:
            self._closed = True
        if self._threads is not None:
            self._threads.shutdown()
        with self._lock:
            files, self._files = list(self._files.values()), {}
            self._open.clear()
        for file in files:
            with file.lock:
                file.close()

    async def run(self, file: RoomFile, work: Callable[[], T]) -> T:
        """Run ``work`` with the file's lock held. Raises ``StoreClosed``."""
        if self._threads is None:
            await asyncio.sleep(0)  # as a store on disk gives way
            self._check_open()
            return self._locked(file, work)
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._locked, file, work)
        except RuntimeError:  # the threads have been shut down
            self._check_open()
            raise
        return await running

    def release(self, address: Address, file: RoomFile, owner: object) -> None:
        """``owner`` has gone: its transaction is undone, and a file that nobody uses is closed. Does not wait."""
        if self._threads is None:
            self._release(address, file, owner)
            return
        with suppress(RuntimeError):  # shut down: then all are closed
            self._threads.submit(self._release, address, file, owner)

    def _release(self, address: Address, file: RoomFile, owner: object) -> None:
        with file.lock:
            file.rollback(owner)
            with self._lock:
                file.users -= 1
                if file.users or (self._folder is None and file.is_open):  # closed, one in memory would be lost
                    return
                self._open.pop(file, None)
                if self._files.get(address) is file:
                    del self._files[address]
            file.close()

    def _locked(self, file: RoomFile, work: Callable[[], T]) -> T:
        with file.lock:
            result = work()
            idle = self._used(file)
        if idle is not None:
            try:
                idle.close()
            finally:
                idle.lock.release()
        return result

    def _used(self, file: RoomFile) -> RoomFile | None:
        """Note that a file is in use, and where too many are open, lock and return one to close."""
        if self._folder is None:
            return None
        with self._lock:
            self._open[file] = None
            self._open.move_to_end(file)
            if len(self._open) <= MOST_OPEN:
                return None
            for idle in self._open:
                if idle is not file and not idle.in_transaction and idle.lock.acquire(blocking=False):
                    del self._open[idle]
                    return idle
        return None

    def _taken(self, address: Address) -> RoomFile:
        """The file of a room, with one user more."""
        self._check_open()
        with self._lock:
            file = self._files.get(address)
            if file is None:
                file = self._files[address] = RoomFile(None if self._folder is None else self._path(address))
            file.users += 1
            return file

    def _path(self, address: Address) -> Path:
        assert self._folder is not None
        # The length keeps "a" and "bc" apart from "ab" and "c".
        name = sha256(f"{len(address.party)} {address.party} {address.room}".encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.db"

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store has been closed")


class RoomDatabase:
    """One room's ``Database`` (see ``sql``), until it is released."""

    def __init__(
        self,
        databases: Databases,
        address: Address,
        file: RoomFile,
        register: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._databases = databases
        self._address = address
        self._file = file
        self._register = register
        self._turn = asyncio.Lock()
        self._released = False

    async def execute(self, statement: str, parameters: Parameters) -> list[Row]:
        """Run one statement; the rows that it returns."""
        return await self._run(partial(self._file.execute, self, statement, parameters))

    async def execute_many(self, statement: str, each: Sequence[Parameters]) -> None:
        """Run one statement for each set of parameters, all or nothing."""
        await self._run(partial(self._file.execute_many, self, statement, each))

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._run(partial(self._file.begin, self))

    async def commit(self) -> None:
        """Write what the transaction has done."""
        await self._run(partial(self._file.commit, self))

    async def rollback(self) -> None:
        """Undo what the transaction has done, if there is one."""
        await self._run(partial(self._file.rollback, self))

    def release(self) -> None:
        """The room has left memory."""
        if not self._released:
            self._released = True
            self._databases.release(self._address, self._file, self)

    async def _run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in its turn; to its end also when the caller waits no more, so that the turns stay in order."""
        task = asyncio.create_task(self._in_turn(work))
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async with self._turn:
            if self._released:
                raise StoreClosed(f"{self._address} has stopped: its database takes no more statements from here")
            if self._register is not None and not self._file.is_open and not self._databases.exists(self._address):
                await self._register()
            return await self._databases.run(self._file, work)


def _seen(task: asyncio.Task[T]) -> None:
    """Whoever waited has heard the error; where nobody did, it is no news."""
    if not task.cancelled():
        task.exception()
