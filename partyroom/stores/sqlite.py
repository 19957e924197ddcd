"""SQLiteStore: rooms in one file on disk, safe against ``kill -9``, a full disk, and a second process.

Writes go through one thread with *group commit*: while one commit waits for the disk, batches queue up, and all of them
become the next commit. A hundred rooms that save at once cost one ``fsync``, not a hundred. Reads have connections of
their own and never wait for a commit (write-ahead logging, https://sqlite.org/wal.html).

``rows`` has the tables and statements, ``sqlite_file`` what is checked and set when the file is opened, this module the
threads between them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from ..errors import LimitError, PartyroomError, StoreClosed, StoreError
from ..http import Address
from . import rows
from .base import Batch, Range
from .files import FileLock, beside, set_aside
from .inflight import InFlight
from .keys import EVERYTHING, check_fence, check_text, checked
from .sqlite_file import connect, damage, explained, explaining, identity, prepare, take_lock
from .sqlite_rooms import Databases, RoomDatabase

__all__ = ["SQLiteStore"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_MAX_VALUE: Final = 512 * _MIB
"""A row must fit into SQLite's limit of a billion bytes."""


@dataclass(slots=True)
class _Waiting:
    """A batch in the queue and who waits for it."""

    address: Address
    batch: Batch
    fence: int
    outcome: asyncio.Future[None]


class SQLiteStore:
    """Keeps rooms in the SQLite file ``path``; its folder is made if need be.

    Nothing is touched until the first use (or ``await store.open()``, for an error at once), so a store may be made at
    module level, outside any event loop. Opening raises ``StoreError`` for what the operator must mend (a folder that
    cannot be written, a second process, a newer schema) and tries again at the next use. A damaged file is renamed to
    ``NAME.damaged-TIME`` with a warning in the log, and a new one begun.

    ``check_up_to`` is the size in bytes up to which the whole file is checked when it is opened (100 MB take 0.15 s
    from memory, 1.5 s from a cold disk); of a larger one the header and schema are, and each row when it is read.
    ``readers`` is how many reads may run at once.
    """

    def __init__(self, path: str | os.PathLike[str], *, check_up_to: int = 32 * _MIB, readers: int = 2) -> None:
        if os.fspath(path) == ":memory:":
            raise StoreError("SQLiteStore keeps rooms in a file; for a store in memory use MemoryStore()")
        self.path = Path(path).absolute()
        self._check_up_to = check_up_to
        self._writer_thread = ThreadPoolExecutor(1, "partyroom-writer")
        self._reader_threads = ThreadPoolExecutor(readers, "partyroom-reader")
        self._databases = Databases(beside(self.path, ".rooms"))
        self._queue_lock = Lock()  # guards the three below; held for moments only
        self._queue: list[_Waiting] = []
        self._draining = False
        self._closed = False
        self._open_lock = Lock()  # guards the four below
        self._file_lock: FileLock | None = None
        self._identity: tuple[int, int] | None = None
        self._in_flight: InFlight | None = None
        self._writer: sqlite3.Connection | None = None  # the writer thread's alone once opened
        self._readers: list[sqlite3.Connection] = []  # those not in use

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self.path)!r})"

    async def open(self) -> None:
        """Open the file now instead of at the first use; raises ``StoreError``."""
        await self._read(lambda connection: None)

    async def get(self, address: Address, keys: Collection[str]) -> dict[str, bytes]:
        """The values of those of ``keys`` that exist, as of one moment. Raises ``Damaged``."""
        wanted = tuple(keys)
        for text in (*address, *wanted):
            check_text(text, "key or room id")
        return await self._read(lambda connection: rows.get(connection, address, wanted))

    async def load(self, address: Address, range: Range = EVERYTHING) -> list[tuple[str, bytes]]:
        """The keys and values in ``range``, in order. Raises ``Damaged``."""
        for text in address:
            check_text(text, "room id")
        return await self._read(lambda connection: rows.load(connection, address, range))

    def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> Coroutine[Any, Any, None]:
        """Write ``batch``; when awaited, it is on disk. The call itself takes its place in the queue, not the await."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            check_fence(fence)
            self._enqueue(_Waiting(address, _fitting(checked(address, batch)), fence, outcome))
        except PartyroomError as error:
            outcome.set_exception(error)
        return _wait(outcome)

    async def alarms(self, *, limit: int = 1000) -> list[tuple[Address, float]]:
        """The rooms that have an alarm and when (seconds since the epoch), the earliest first."""
        return await self._read(lambda connection: rows.alarms(connection, limit))

    async def rooms(self, party: str | None = None) -> list[Address]:
        """The rooms that have a key, an alarm or a database stored, of ``party`` or of all, in order."""
        if party is not None:
            check_text(party, "party")
        return await self._read(lambda connection: rows.rooms(connection, party, self._databases.exists))

    def database(self, address: Address, *, size: int | None, seconds: float | None, fence: int = 0) -> RoomDatabase:
        """The room's SQL database: a file of its own in ``NAME.rooms``, which is made when it is first used."""
        for text in address:
            check_text(text, "room id")

        async def register() -> None:  # so that ``rooms`` knows of it
            await self.apply(address, Batch(), fence=fence)

        return self._databases.of(address, size=size, seconds=seconds, register=register)

    async def image(self, address: Address) -> bytes | None:
        """The room's SQL database as the bytes of a file, for dumps; ``None`` where it has none."""
        return await self._databases.image(address)

    async def set_image(self, address: Address, image: bytes) -> None:
        """Replace the room's SQL database; raises ``Damaged`` for bytes that are none."""
        await self.apply(address, Batch())
        await self._databases.set_image(address, image)

    async def close(self) -> None:
        """Write what ``apply`` has accepted, then close the file; later calls raise ``StoreClosed``."""
        with self._queue_lock:
            self._closed = True
        await asyncio.to_thread(self._release)

    @property
    def in_flight(self) -> InFlight | None:
        """What rooms do that may kill the process, noted in ``NAME.in-flight``: see ``stores.inflight``."""
        return self._in_flight

    # Writing: on the caller's thread up to the queue, on the writer thread from there.

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._queue_lock:
            self._check_open()
            self._queue.append(waiting)
            if not self._draining:
                self._draining = True
                self._writer_thread.submit(self._drain)

    def _drain(self) -> None:
        """Commit group after group until nothing waits."""
        while True:
            with self._queue_lock:
                group, self._queue = self._queue, []
                if not group:
                    self._draining = False
                    return
            _settle(group, self._commit(group))

    def _commit(self, group: list[_Waiting]) -> list[Exception | None]:
        """Write the whole group in one transaction and return what became of each batch."""
        try:
            connection = self._writing()
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(connection, waiting) for waiting in group]
            connection.execute("COMMIT")
        except Exception as error:
            self._drop_writer()
            return [explained(error, "write to", self.path) for waiting in group]
        return [outcome or self._bury(connection, waiting) for outcome, waiting in zip(outcomes, group, strict=True)]

    def _attempt(self, connection: sqlite3.Connection, waiting: _Waiting) -> Exception | None:
        """Write one batch of a group, or nothing of it."""
        connection.execute("SAVEPOINT batch")
        try:
            rows.write(connection, waiting.address, waiting.batch, waiting.fence)
            if waiting.batch.clear and self._databases.exists(waiting.address):
                rows.doom(connection, waiting.address)
        except Exception as error:
            if not connection.in_transaction:
                raise  # SQLite has given up the whole transaction, as it does when the disk is full
            connection.execute("ROLLBACK TO batch")
            connection.execute("RELEASE batch")
            return explained(error, "write to", self.path)
        connection.execute("RELEASE batch")
        return None

    def _bury(self, connection: sqlite3.Connection, waiting: _Waiting) -> Exception | None:
        """Delete the database of a room that has been cleared: after the commit, which could have failed."""
        if not waiting.batch.clear:
            return None
        try:
            if waiting.address in rows.doomed(connection):
                self._databases.remove(waiting.address)
                rows.spare(connection, waiting.address)
        except Exception as error:
            return explained(error, "write to", self.path)
        return None

    def _writing(self) -> sqlite3.Connection:
        """The writer's connection, to the file that is still at ``path``."""
        self._ensure_open()
        if self._identity != identity(self.path):
            # What is written to an unlinked file is gone at exit; nobody may be told that it was saved.
            raise StoreError(f"{self.path} was removed or replaced while in use: put it back, or restart the server")
        if self._writer is None:
            self._writer = connect(self.path)
        return self._writer

    def _drop_writer(self) -> None:
        """After a failed transaction begin with a fresh connection: it cannot be stuck in the old error."""
        connection, self._writer = self._writer, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    # Reading: on the reader threads.

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._reader_threads, self._reading, work)

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on a connection of its own, in a transaction: it sees the file as of one moment."""
        self._ensure_open()
        with explaining("read", self.path):
            try:
                connection = self._readers.pop()
            except IndexError:
                connection = connect(self.path)
            try:
                connection.execute("BEGIN")
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
        self._readers.append(connection)
        return result

    # Opening and closing: on whichever thread comes first.

    def _ensure_open(self) -> None:
        with self._open_lock:
            if self._file_lock is None:
                self._open()

    def _open(self) -> None:
        lock = take_lock(self.path)
        try:
            with explaining("open", self.path):
                self._set_aside_if_damaged()
                self._writer = connect(self.path, create=True)
                prepare(self._writer)
                self._identity = identity(self.path)
                for address in rows.doomed(self._writer):  # the process ended between a commit and what it promised
                    self._databases.remove(address)
                    rows.spare(self._writer, address)
            self._in_flight = self._open_in_flight()
        except BaseException:
            self._drop_writer()
            lock.release()
            raise
        self._file_lock = lock

    def _open_in_flight(self) -> InFlight | None:
        try:
            return InFlight(beside(self.path, ".in-flight"))
        except OSError as error:
            logger.warning("a crash will not be traced to what caused it: %s", error)
            return None

    def _set_aside_if_damaged(self) -> None:
        reason = damage(self.path, self._check_up_to)
        if reason is not None:
            aside = set_aside(self.path)
            logger.warning(
                "%s is damaged (%s): it has been moved to %s and a new store is begun. "
                "To save what can be saved: sqlite3 '%s' .recover",
                *(self.path, reason, aside, aside),
            )

    def _release(self) -> None:
        self._writer_thread.shutdown()  # after what is queued
        self._reader_threads.shutdown()
        self._databases.close()
        with self._open_lock:
            while self._readers:
                self._readers.pop().close()
            self._drop_writer()
            if self._in_flight is not None:
                self._in_flight.close()
            if self._file_lock is not None:
                self._file_lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"the store {self.path} has been closed")


def _fitting(batch: Batch) -> Batch:
    """``batch``, or ``LimitError`` for a value that SQLite cannot hold."""
    for key, value in batch.puts.items():
        if len(value) > _MAX_VALUE:
            raise LimitError(f"the value of {key!r} has {len(value)} bytes; SQLiteStore holds {_MAX_VALUE} at most")
    return batch


def _settle(group: list[_Waiting], outcomes: list[Exception | None]) -> None:
    """Tell everyone who waits, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], Exception | None]]] = {}
    for waiting, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(waiting.outcome.get_loop(), []).append((waiting.outcome, outcome))
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_resolve, settled)


def _resolve(settled: list[tuple[asyncio.Future[None], Exception | None]]) -> None:
    for future, error in settled:
        if future.done():
            continue  # cancelled: nobody waits, but the batch was accepted and is written
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


async def _wait(outcome: asyncio.Future[None]) -> None:
    await outcome
