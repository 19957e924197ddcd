"""Keep: a document on this computer, so that a program which starts again, with or without a network, goes on.

What a ``Store`` has of one document::

    lineage            the history that it has
    snapshot           the document as one update, up to some number
    update/<n>         an update as it was accepted, ``n`` in 12 digits

Updates are appended as they are made, whoever made them, and replaced by a snapshot from time to time, in one batch. So
``kill -9`` costs at most what ``flush`` had not returned for, a few milliseconds' worth. While the store fails (a full
disk), the document goes on in memory and the writing is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from os import PathLike
from typing import ClassVar, Final, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from ..clock import Clock
from ..errors import Fenced, StoreClosed, StoreError
from ..http import Address
from ..stores.base import Batch, Range, Store
from ..stores.sqlite import SQLiteStore
from .waiting import Changes, deadline

__all__ = ["Keep", "Keepable", "Kept"]

log = logging.getLogger("partyroom.client")

Keepable: TypeAlias = str | PathLike[str] | Store
"""A file that is made if need be, or a store of the caller's."""

LINEAGE: Final = "lineage"
SNAPSHOT: Final = "snapshot"
UPDATE: Final = "update/"

MANY = 500
"""Updates after which a snapshot may be worth its while..."""
SOME = 20
"""...and when the program ends."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Kept(NamedTuple):
    """What was there: ``updates`` came after the ``snapshot``."""

    snapshot: bytes | None
    updates: list[bytes]
    lineage: str


class Keep:
    """One document in ``where``, under an ``address`` of its own there."""

    _in_use: ClassVar[WeakKeyDictionary[Store, set[Address]]] = WeakKeyDictionary()

    def __init__(self, where: Keepable, address: Address, clock: Clock) -> None:
        self._own = isinstance(where, (str, PathLike))
        self._store: Store = SQLiteStore(where) if isinstance(where, (str, PathLike)) else where
        self._address = address
        self._clock = clock
        self._clear = False
        self._waiting: dict[str, bytes | None] = {}
        self._writer: asyncio.Task[None] | None = None
        self._changed = Changes()
        self._asked = self._written = 0
        self._lost: StoreError | None = None
        self._opened = self._ending = False
        self._first = self._next = 0
        self._snapshot_bytes = self._update_bytes = 0

    async def open(self) -> Kept:
        """What was kept. Raises ``StoreError``, also where another client keeps this document there already."""
        addresses = self._in_use.setdefault(self._store, set())
        if self._address in addresses:
            raise StoreError(f"another client of this program keeps {self._address} in {self._store!r} already")
        addresses.add(self._address)
        self._opened = True
        return await self._read()

    async def read(self) -> Kept:
        """What is kept by now. Raises ``StoreError``."""
        await self.flush()
        return await self._read()

    async def _read(self) -> Kept:
        rows = dict(await self._store.load(self._address, Range()))
        updates = {key: value for key, value in rows.items() if key.startswith(UPDATE)}
        if updates:
            self._first = int(next(iter(updates)).removeprefix(UPDATE))
            self._next = max(self._next, int(next(reversed(updates)).removeprefix(UPDATE)) + 1)
        snapshot = rows.get(SNAPSHOT)
        self._snapshot_bytes = len(snapshot or b"")
        self._update_bytes = sum(map(len, updates.values()))
        return Kept(snapshot, list(updates.values()), rows.get(LINEAGE, b"").decode())

    def append(self, update: bytes) -> None:
        """Keep an accepted update."""
        key = f"{UPDATE}{self._next:012}"
        self._next += 1
        self._update_bytes += len(update)
        self._write({key: update})

    def continues(self, lineage: str) -> None:
        """The document's history is called this."""
        self._write({LINEAGE: lineage.encode()})

    def reset(self, lineage: str) -> None:
        """Forget the document, which has another history from now on."""
        self._waiting.clear()
        self._clear = True
        self._first = self._next
        self._snapshot_bytes = self._update_bytes = 0
        self._write({LINEAGE: lineage.encode()})

    def worth_compacting(self, *, ending: bool = False) -> bool:
        """Whether the updates have outgrown the snapshot; the file stays within a few times the document's size."""
        count = self._next - self._first
        if ending:
            return count >= SOME or self._update_bytes > self._snapshot_bytes > 0
        return count >= MANY and self._update_bytes >= self._snapshot_bytes

    def compact(self, snapshot: bytes, waiting: Iterable[bytes] = ()) -> None:
        """Replace all updates by ``snapshot``, and those that it does not hold, for they wait for others."""
        gone = {f"{UPDATE}{number:012}": None for number in range(self._first, self._next)}
        self._first = self._next
        self._snapshot_bytes, self._update_bytes = len(snapshot), 0
        self._write({**gone, SNAPSHOT: snapshot})
        for update in waiting:
            self.append(update)

    async def flush(self) -> None:
        """Wait until all so far is on disk. Raises ``StoreError`` where nothing will be any more."""
        wanted = self._asked
        await self._changed.until(lambda: self._lost or self._written >= wanted)
        if self._lost is not None:
            raise self._lost

    async def close(self) -> None:
        """Write what waits and let go of the store; what cannot be written now is lost, with a word in the log."""
        self._ending = True
        self._changed()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        if self._opened:
            self._in_use[self._store].discard(self._address)
            self._opened = False
        if self._own:
            await self._store.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, rows: dict[str, bytes | None]) -> None:
        if self._lost is not None:
            return
        self._waiting.update(rows)
        self._asked += 1
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._drain(), name=f"keeping {self._address}")

    def _batch(self) -> Batch:
        return Batch(
            puts={key: value for key, value in self._waiting.items() if value is not None},
            deletes=[key for key, value in self._waiting.items() if value is None],
            clear=self._clear,
        )

    async def _drain(self) -> None:
        """Write batch after batch until nothing waits."""
        pause = FIRST_PAUSE
        try:
            while self._waiting:
                batch, waiting, clear = self._batch(), self._waiting, self._clear
                self._waiting, self._clear, asked = {}, False, self._asked
                try:
                    await self._store.apply(self._address, batch)
                    self._written, pause = asked, FIRST_PAUSE
                    self._changed()
                except (StoreClosed, Fenced) as error:
                    self._lost = error
                    log.error("%s is not kept any more: %s", self._address, error)
                    return
                except StoreError as error:
                    if self._ending:
                        self._lost = error
                        log.error("what was last edited of %s is not kept: %s", self._address, error)
                        return
                    self._again(waiting, clear)
                    log.warning("%s cannot be kept now, trying again: %s", self._address, error)
                    await self._rest(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._writer = None
            self._changed()

    async def _rest(self, pause: float) -> None:
        with suppress(TimeoutError):
            async with deadline(self._clock, pause):
                await self._changed.until(lambda: self._ending)

    def _again(self, waiting: dict[str, bytes | None], clear: bool) -> None:
        """Put back what was not written, before what has come since."""
        if not self._clear:
            self._waiting = {**waiting, **self._waiting}
            self._clear = clear
