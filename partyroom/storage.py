"""Storage: what ``room.storage`` is, over a Store.

Writes are visible to the room's own reads at once and go to the store in the background. All that were made while one
batch was being written make up the next: a hundred writes in a hook cost one commit, and writes with no ``await``
between them happen all or none. Awaiting a write means that it is on disk. A store that fails is tried again with
growing pauses until it works or the room is stopped by force; meanwhile those who await go on waiting, so nothing is
ever acknowledged that is not stored.

A write that nobody awaits may wait for company, ``LINGER`` seconds at most: a commit costs the disk as much for one
small write as for a hundred.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from .clock import Clock, LoopClock, Timer
from .errors import Fenced, LimitError, SqlError, StoreClosed, StoreError, is_failure
from .http import Address
from .limits import DEFAULTS, Limits
from .stores.base import KEEP, Batch, Keep, Range, Store
from .stores.inflight import InFlight, InFlightStore
from .stores.sql import Database, SqlStore

__all__ = ["Storage", "Transaction", "Write", "decode", "encode"]

log = logging.getLogger("partyroom.storage")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
LINGER = 0.1


def encode(value: Any) -> bytes:
    """A value as it is stored: ``b`` and the bytes, or ``j`` and JSON. Raises ``TypeError`` for anything else."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b"b" + bytes(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return b"j" + text.encode(errors="backslashreplace")  # JSON may hold half a surrogate pair, as \ud800


def decode(stored: bytes) -> Any:
    """The value that ``encode`` stored; a new object at each call, so changing it changes nothing stored."""
    return stored[1:] if stored[:1] == b"b" else json.loads(stored[1:])


@dataclass(slots=True)
class Overlay:
    """Writes that are not known to be in the store yet; ``None`` marks a deleted key."""

    values: dict[str, bytes | None] = field(default_factory=dict)
    clear: bool = False
    alarm: float | Literal[Keep.KEEP] | None = KEEP
    done: asyncio.Future[None] | None = None

    def __bool__(self) -> bool:
        return bool(self.values) or self.clear or self.alarm is not KEEP

    def batch(self) -> Batch:
        return Batch(
            puts={key: value for key, value in self.values.items() if value is not None},
            deletes=[key for key, value in self.values.items() if value is None],
            clear=self.clear,
            alarm=self.alarm,
        )


class Write:
    """What a write returns: await it to know that the write is on disk, or drop it and go on."""

    __slots__ = ("_done", "_hurry")

    def __init__(self, done: asyncio.Future[None], hurry: Callable[[], None]) -> None:
        self._done = done
        self._hurry = hurry

    def __await__(self) -> Generator[Any, None, None]:
        self._hurry()
        return asyncio.shield(self._done).__await__()

    def add_done_callback(self, callback: Callable[[asyncio.Future[None]], object]) -> None:
        """Call ``callback`` with a finished future once the write is on disk, or has failed for good."""
        self._done.add_done_callback(callback)


class Storage:
    """A room's key-value storage: values are JSON or bytes; keys are text, ordered by code point.

    Keys are at most 2 KiB and values 128 KiB (as Durable Objects have it) unless ``limits`` say otherwise; more raises
    ``LimitError`` at the call and writes nothing.
    """

    def __init__(
        self,
        store: Store,
        address: Address,
        limits: Limits = DEFAULTS,
        *,
        clock: Clock | None = None,
        fence: int = 0,
        on_lost: Callable[[StoreError], object] | None = None,
    ) -> None:
        self._store = store
        self._address = address
        self._limits = limits
        self._clock = clock or LoopClock()
        self._fence = fence
        self._on_lost = on_lost
        self._waiting = Overlay()
        self._writing = Overlay()
        self._writer: asyncio.Task[None] | None = None
        self._linger: Timer | None = None
        self._transactions = asyncio.Lock()
        self._lost: StoreError | None = None
        self.failing = False
        """Whether the store refused the last batch, which is being tried again."""

    # -- reading -----------------------------------------------------------------------------------------------------

    @overload
    async def get(self, key: str, default: Any = None) -> Any: ...
    @overload
    async def get(self, key: Collection[str], default: Any = None) -> dict[str, Any]: ...

    async def get(self, key: str | Collection[str], default: Any = None) -> Any:
        """The value of a key or ``default``; or of several keys, a dict of those that exist."""
        if isinstance(key, str):
            return (await self._get([key])).get(key, default)
        return await self._get(list(key))

    async def _get(self, keys: list[str]) -> dict[str, Any]:
        found: dict[str, bytes | None] = {}
        missing = []
        for key in keys:
            self._check_key(key)
            known, value = self._pending(key)
            if known:
                found[key] = value
            else:
                missing.append(key)
        if missing:
            found.update(await self._store.get(self._address, missing))
        return {key: decode(value) for key in keys if (value := found.get(key)) is not None}

    def _pending(self, key: str) -> tuple[bool, bytes | None]:
        for overlay in (self._waiting, self._writing):
            if key in overlay.values:
                return True, overlay.values[key]
            if overlay.clear:
                return True, None
        return False, None

    async def list(
        self,
        prefix: str = "",
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """The keys and values in a range, in order: ``start`` is inclusive, ``start_after`` and ``end`` exclusive."""
        if start is not None and start_after is not None:
            raise ValueError("give start or start_after, not both")
        if limit is not None and limit < 1:
            raise ValueError(f"limit is at least 1, not {limit}")
        pending: dict[str, bytes | None] = {}
        cleared = False
        for overlay in (self._writing, self._waiting):
            if overlay.clear:
                pending, cleared = {}, True
            pending.update(overlay.values)
        # What is pending may delete some of the rows that are loaded, so load as many more.
        more = None if limit is None else limit + sum(value is None for value in pending.values())
        bounds = Range(prefix=prefix, start=start, start_after=start_after, end=end, reverse=reverse, limit=more)
        rows: dict[str, bytes | None] = {}
        if not cleared:
            rows.update(await self._store.load(self._address, bounds))
        rows.update((key, value) for key, value in pending.items() if bounds.holds(key))
        kept = sorted(((key, value) for key, value in rows.items() if value is not None), reverse=reverse)
        return {key: decode(value) for key, value in kept[:limit]}

    # -- writing -----------------------------------------------------------------------------------------------------

    @overload
    def put(self, key: str, value: Any) -> Write: ...
    @overload
    def put(self, key: Mapping[str, Any]) -> Write: ...

    def put(self, key: str | Mapping[str, Any], value: Any = None) -> Write:
        """Set one key, or every key of a mapping at once (all or nothing)."""
        values = {key: value} if isinstance(key, str) else key
        return self._change({name: self._encode(name, value) for name, value in values.items()})

    def delete(self, key: str | Collection[str]) -> Write:
        """Delete one key, or several at once; a key that does not exist is no error."""
        keys = [key] if isinstance(key, str) else list(key)
        for name in keys:
            self._check_key(name)
        return self._change(dict.fromkeys(keys))

    def delete_all(self) -> Write:
        """Delete every key, and the room's SQL database; the alarm stays."""
        done = self._change({})
        self._waiting.clear = True
        self._waiting.values.clear()
        return done

    def overwrite(self, rows: Mapping[str, bytes], alarm: float | None) -> Write:
        """Replace everything by ``rows`` as the store has them (``encode``), alarm included."""
        done = self.delete_all()
        self._waiting.values.update(rows)
        self._waiting.alarm = alarm
        return done

    def set_alarm(self, when: float | None) -> Write:
        """Keep the room's alarm with its data: what ``room.set_alarm`` calls."""
        done = self._change({})
        self._waiting.alarm = when
        return done

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """``async with room.storage.transaction() as txn``: its writes happen together at the end, or not at all.

        An exception (or ``txn.rollback()``) drops them. Transactions of one room run one after the other, and leaving
        the block waits until the writes are on disk.
        """
        async with self._transactions:
            transaction = Transaction(self)
            yield transaction
            if transaction.changes:
                await self._change(transaction.changes)

    async def flush(self) -> None:
        """Wait until everything written so far is on disk."""
        while (done := self._waiting.done or self._writing.done) is not None:
            self._hurry()
            await asyncio.shield(done)

    @property
    def dirty(self) -> bool:
        """Whether some writes are not on disk yet."""
        return bool(self._waiting) or bool(self._writing)

    @property
    def in_flight(self) -> InFlight | None:
        """Where to note what may kill the process, once the store is open; ``None`` where there is no such place."""
        return self._store.in_flight if isinstance(self._store, InFlightStore) else None

    def database(self) -> Database:
        """The room's SQL database, of the same store: what ``room.sql`` opens. Raises ``SqlError``, ``StoreError``."""
        if self._lost is not None:
            raise self._lost
        store, limits = self._store, self._limits
        if not isinstance(store, SqlStore):
            raise SqlError(f"{type(store).__name__} keeps no SQL databases: use SQLiteStore, or MemoryStore in tests")
        return store.database(self._address, size=limits.sql, seconds=limits.sql_time, fence=self._fence)

    def abandon(self, error: StoreError) -> None:
        """Give up on what is not written; those who await it get ``error``."""
        self._lost = error
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._writer is not None:
            self._writer.cancel()
        for overlay in (self._writing, self._waiting):
            if overlay.done is not None and not overlay.done.done():
                overlay.done.set_exception(error)
                overlay.done.exception()  # seen: nobody has to await it
        self._writing, self._waiting = Overlay(), Overlay()

    def _change(self, values: Mapping[str, bytes | None]) -> Write:
        if self._lost is not None:
            raise self._lost
        waiting = self._waiting
        if waiting.done is None:
            waiting.done = asyncio.get_running_loop().create_future()
            if self._writer is None:
                self._linger = self._clock.call_later(LINGER, self._begin)
        waiting.values.update(values)
        return Write(waiting.done, self._hurry)

    def _hurry(self) -> None:
        """Somebody waits for what waits."""
        if self._linger is not None:
            self._linger.cancel()
            self._begin()

    def _begin(self) -> None:
        self._linger = None
        self._writer = asyncio.create_task(self._write(), name=f"storage of {self._address}")

    async def _write(self) -> None:
        """Write batch after batch until nothing waits; there is at most one such task."""
        try:
            while self._waiting.done is not None:
                self._writing, self._waiting = self._waiting, Overlay()
                if self._writing:
                    await self._apply(self._writing.batch())
                done, self._writing = self._writing.done, Overlay()
                if done is not None and not done.done():
                    done.set_result(None)
        except (Fenced, StoreClosed) as error:
            log.error("%s: its last writes are lost: %s", self._address, error)
            self._writer = None
            self.abandon(error)
            if self._on_lost is not None:
                self._on_lost(error)
        finally:
            self._writer = None

    async def _apply(self, batch: Batch) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._store.apply(self._address, batch, fence=self._fence)
            except (Fenced, StoreClosed):
                raise
            except BaseException as error:  # a StoreError, or a bug of the store's: neither may lose what was written
                if not is_failure(error):
                    raise
                self.failing = True
                log.error("%s: could not write, trying again in %.1f s: %s", self._address, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self.failing = False
                return

    # -- checks ------------------------------------------------------------------------------------------------------

    def _encode(self, key: str, value: Any) -> bytes:
        self._check_key(key)
        stored = encode(value)
        if self._limits.value is not None and len(stored) - 1 > self._limits.value:
            size, most = len(stored) - 1, self._limits.value
            raise LimitError(f"the value of {key!r} is {size} bytes, over the limit of {most}: use several keys")
        return stored

    def _check_key(self, key: str) -> None:
        if not isinstance(key, str):
            raise TypeError(f"a storage key is str, not {type(key).__name__}")
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise LimitError(f"the storage key {key!r} holds a lone surrogate, which is not text") from None
        if not 0 < size <= self._limits.key:
            raise LimitError(f"a storage key is 1 to {self._limits.key} bytes, and {key[:40]!r} is {size}")


class Transaction:
    """A view of the storage whose writes happen together when its block ends."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.changes: dict[str, bytes | None] = {}
        """The writes so far, encoded; ``None`` marks a deleted key."""

    @overload
    async def get(self, key: str, default: Any = None) -> Any: ...
    @overload
    async def get(self, key: Collection[str], default: Any = None) -> dict[str, Any]: ...

    async def get(self, key: str | Collection[str], default: Any = None) -> Any:
        """As ``Storage.get``, with this transaction's own writes."""
        keys = [key] if isinstance(key, str) else list(key)
        found = await self._storage.get([name for name in keys if name not in self.changes])
        for name in keys:
            stored = self.changes.get(name)
            if stored is not None:
                found[name] = decode(stored)
        return found.get(key, default) if isinstance(key, str) else found

    def put(self, key: str | Mapping[str, Any], value: Any = None) -> None:
        """Set one key, or every key of a mapping."""
        values: Iterable[tuple[str, Any]] = [(key, value)] if isinstance(key, str) else key.items()
        self.changes.update([(name, self._storage._encode(name, value)) for name, value in values])

    def delete(self, key: str | Collection[str]) -> None:
        """Delete one key, or several."""
        keys = [key] if isinstance(key, str) else list(key)
        for name in keys:
            self._storage._check_key(name)
        self.changes.update(dict.fromkeys(keys))

    def rollback(self) -> None:
        """Drop the writes so far."""
        self.changes.clear()
