"""MemoryStore: the store for tests, and for rooms that may forget everything when the process ends."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Coroutine
from typing import TYPE_CHECKING, Any
from weakref import finalize

from ..errors import Fenced, PartyroomError, StoreClosed
from ..http import Address
from .base import KEEP, Batch, Range
from .keys import EVERYTHING, check_fence, check_text, checked, span

if TYPE_CHECKING:
    from .sqlite_rooms import Databases, RoomDatabase

__all__ = ["MemoryStore"]


class _Kept:
    """What one room has stored; ``order`` is its keys sorted, or ``None`` where that must be done anew."""

    __slots__ = ("alarm", "fence", "items", "order")

    def __init__(self) -> None:
        self.items: dict[str, bytes] = {}
        self.order: list[str] | None = None
        self.alarm: float | None = None
        self.fence = 0

    def keys(self) -> list[str]:
        if self.order is None:
            self.order = sorted(self.items)
        return self.order


class MemoryStore:
    """Keeps everything in dictionaries: as durable as the process.

    Reads and writes give way to the event loop once, as those of a store on disk do, so that what can interleave in
    production interleaves in tests.
    """

    def __init__(self) -> None:
        self._rooms: dict[Address, _Kept] = {}
        self._databases: Databases | None = None
        self._closed = False

    async def get(self, address: Address, keys: Collection[str]) -> dict[str, bytes]:
        """The values of those of ``keys`` that exist."""
        await asyncio.sleep(0)
        self._check_open()
        for key in keys:
            check_text(key, "key")
        items = self._room(address).items
        return {key: items[key] for key in keys if key in items}

    async def load(self, address: Address, range: Range = EVERYTHING) -> list[tuple[str, bytes]]:
        """The keys and values in ``range``, in order."""
        await asyncio.sleep(0)
        self._check_open()
        low, high = span(range)
        kept = self._room(address)
        keys = kept.keys()
        found = keys[bisect_left(keys, low) : None if high is None else bisect_left(keys, high)]
        if range.reverse:
            found.reverse()
        return [(key, kept.items[key]) for key in found[: range.limit]]

    def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> Coroutine[Any, Any, None]:
        """Write ``batch``: done by the time of the call, so that batches take effect in the order of their calls."""
        try:
            self._check_open()
            check_fence(fence)
            self._write(address, checked(address, batch), fence)
        except PartyroomError as error:
            return _outcome(error)
        return _outcome(None)

    async def alarms(self, *, limit: int = 1000) -> list[tuple[Address, float]]:
        """The rooms that have an alarm and when (seconds since the epoch), the earliest first."""
        self._check_open()
        alarms = [(address, kept.alarm) for address, kept in self._rooms.items() if kept.alarm is not None]
        return sorted(alarms, key=lambda alarm: alarm[1])[:limit]

    async def rooms(self, party: str | None = None) -> list[Address]:
        """The rooms that have a key, an alarm or a database stored, in order."""
        self._check_open()
        kept = {address for address, room in self._rooms.items() if room.items or room.alarm is not None}
        if self._databases is not None:
            kept.update(self._databases.addresses())
        return sorted(address for address in kept if party in (None, address.party))

    def database(self, address: Address, *, size: int | None, seconds: float | None, fence: int = 0) -> RoomDatabase:
        """The room's SQL database, in memory; its statements run in the event loop's own thread."""
        return self._sql().of(address, size=size, seconds=seconds)

    async def image(self, address: Address) -> bytes | None:
        """The room's SQL database as the bytes of a file, for dumps; ``None`` where it has none."""
        return None if self._databases is None else await self._databases.image(address)

    async def set_image(self, address: Address, image: bytes) -> None:
        """Replace the room's SQL database; raises ``Damaged`` for bytes that are none."""
        await self._sql().set_image(address, image)

    def _sql(self) -> Databases:
        self._check_open()
        if self._databases is None:
            from .sqlite_rooms import Databases  # most programs that keep nothing need no SQL either

            self._databases = Databases()
            finalize(self, self._databases.close)
        return self._databases

    async def close(self) -> None:
        """Forget everything; later calls raise ``StoreClosed``."""
        self._closed = True
        self._rooms.clear()
        if self._databases is not None:
            self._databases.close()

    def _room(self, address: Address) -> _Kept:
        return self._rooms.get(address) or _Kept()

    def _write(self, address: Address, batch: Batch, fence: int) -> None:
        kept = self._rooms.setdefault(address, _Kept())
        if fence < kept.fence:
            raise Fenced(
                f"the room {address} belongs to epoch {kept.fence}; epoch {fence} may not write to it any more"
            )
        kept.fence = fence
        before = kept.items.keys()
        if batch.clear or batch.deletes or not batch.puts.keys() <= before:
            kept.order = None
        if batch.clear:
            kept.items.clear()
            if self._databases is not None:
                self._databases.remove(address)
        for key in batch.deletes:
            kept.items.pop(key, None)
        kept.items.update(batch.puts)
        if batch.alarm is not KEEP:
            kept.alarm = batch.alarm
        if not (kept.items or kept.alarm is not None or kept.fence):
            del self._rooms[address]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the memory store has been closed")


async def _outcome(error: PartyroomError | None) -> None:
    await asyncio.sleep(0)
    if error is not None:
        raise error
