"""Log: a document's accepted updates in a room's storage, as a snapshot and the updates since.

==========================  =========================================================
``document/snapshot``       the document as one update, up to some number
``document/update/<n>``     an update as it was accepted, ``n`` in 12 digits
``document/lineage``        the id of this history: random, made with its first update
``document/retired``        what replaced histories had written, as a state vector
``document/careful``        until when updates are tried first (``caution``)
==========================  =========================================================

An update is written once and never changed. Compaction replaces the snapshot and deletes the updates that are in it in
one batch, so a crash leaves either the old or the new. The store keeps a checksum with every row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from secrets import token_urlsafe
from typing import Any

from ..protocols import guard
from ..protocols.lib0 import Encoder
from ..storage import Storage, Write

__all__ = ["LEFT", "PREFIX", "Log", "deleted", "replaced"]

PREFIX = "document/"
"""What all keys of a document begin with."""

SNAPSHOT = "document/snapshot"
UPDATE = "document/update/"
LINEAGE = "document/lineage"
RETIRED = "document/retired"
CAREFUL = "document/careful"
LEFT = frozenset({LINEAGE, RETIRED})
"""The keys of what is left of a deleted document."""

MANY = 500
"""Updates after which a snapshot may be worth its while with people editing..."""
SOME = 20
"""...and when the last one has left."""
SMALL = 4096
"""Bytes of updates that need no snapshot: it loads faster, for it is not checked again."""
MOST_RETIRED = 10_000
"""Clients of replaced histories that are remembered, the latest history's first."""


class Log:
    """The stored side of one document."""

    def __init__(self, storage: Storage) -> None:
        self.lineage = ""
        """Which history this is; empty while nothing is stored."""
        self.retired: Mapping[int, int] = {}
        """How far each client's part of replaced histories is in this one: what goes beyond is theirs."""
        self.careful_until = 0.0
        """Until when updates are to be tried before they are applied, in seconds since the epoch."""
        self._storage = storage
        self._next = 0
        self._first = 0
        self._snapshot_bytes = 0
        self._update_bytes = 0
        self._least = 0

    def __len__(self) -> int:
        """How many updates there are since the snapshot."""
        return self._next - self._first

    async def load(self) -> tuple[bytes | None, list[bytes]]:
        """The snapshot, if there is one, and the updates since, to be applied in order."""
        single = await self._storage.get([SNAPSHOT, LINEAGE, RETIRED, CAREFUL])
        updates: dict[str, bytes] = await self._storage.list(UPDATE)
        snapshot: bytes | None = single.get(SNAPSHOT)
        self.lineage = single.get(LINEAGE, "")
        self.careful_until = single.get(CAREFUL, 0.0)
        if RETIRED in single:
            self.retired = guard.state_vector(single[RETIRED])
        if updates:
            self._first = int(next(iter(updates)).removeprefix(UPDATE))
            self._next = int(next(reversed(updates)).removeprefix(UPDATE)) + 1
        self._snapshot_bytes = len(snapshot or b"")
        self._update_bytes = sum(map(len, updates.values()))
        if not self.lineage and (snapshot is not None or updates):
            self.begin()  # written by a version that knew no lineage
        return snapshot, list(updates.values())

    async def drop(self, updates: Collection[bytes]) -> None:
        """Take updates out again, which have gone to quarantine."""
        stored = await self._storage.list(UPDATE)
        self._storage.delete([key for key, update in stored.items() if update in updates])

    def be_careful(self, until: float) -> None:
        """Keep ``careful_until``."""
        self.careful_until = until
        self._storage.put(CAREFUL, until)

    def begin(self, lineage: str = "") -> None:
        """Give the history an id, a random one unless its writer has one: to be called before its first update."""
        self.lineage = lineage or token_urlsafe(12)
        self._storage.put(LINEAGE, self.lineage)

    def append(self, update: bytes) -> Write:
        """Keep an accepted update; awaiting the result means that it is on disk."""
        key = f"{UPDATE}{self._next:012}"
        self._next += 1
        self._update_bytes += len(update)
        return self._storage.put(key, update)

    def worth_compacting(self, *, quiet: bool) -> bool:
        """Whether the updates have outgrown the snapshot; ``quiet`` says that nobody would wait for it.

        What is stored stays within a few times the snapshot's size, and a snapshot is written seldom enough that it
        costs little per update: of a large document, which nobody may wait for either, not for a few keystrokes.
        """
        if self._update_bytes < self._least:
            return False
        if not quiet:
            return len(self) >= MANY and self._update_bytes >= self._snapshot_bytes
        if self._update_bytes > (self._snapshot_bytes or SMALL) or len(self) >= MANY:
            return True
        return len(self) >= SOME and self._update_bytes * 8 >= self._snapshot_bytes

    def put_off(self) -> None:
        """The document cannot be compacted now; it would take long to find that out again at each update."""
        self._least = 2 * self._update_bytes

    @property
    def next(self) -> int:
        """The number of the next update."""
        return self._next

    def compact(self, snapshot: bytes, waiting: Iterable[bytes] = ()) -> Write:
        """Replace everything stored by ``snapshot`` and the updates that it does not hold, for they wait for others."""
        self._storage.delete([f"{UPDATE}{number:012}" for number in range(self._first, self._next)])
        self._first = self._next
        self._snapshot_bytes, self._update_bytes = len(snapshot), 0
        for update in waiting:
            self.append(update)
        return self._storage.put(SNAPSHOT, snapshot)

    def replace(self, snapshot: bytes, before: Mapping[int, int], now: Mapping[int, int]) -> Write:
        """Begin another history with ``snapshot``, in one batch.

        ``before`` and ``now`` are how far each client has written in the old history and in the new one.
        """
        self.retired = _retired(before, now, self.retired)
        self.begin()
        self._storage.put(RETIRED, _encoded(self.retired))
        return self.compact(snapshot)


def replaced(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a room keeps (``now``) where a document takes the place of another (``before``) from outside the room.

    It becomes a history of its own, and what was written in the one before is retired: whoever comes with that is sent
    away. Raises ``ProtocolError`` where ``now`` is no document.
    """
    known = guard.state_vector(before[RETIRED]) if RETIRED in before else {}
    retired = _retired(_clocks(before), _clocks(now), known)
    kept = {key: value for key, value in now.items() if key not in (LINEAGE, RETIRED)}
    return {**kept, RETIRED: _encoded(retired)} if retired else kept


def deleted(before: Mapping[str, Any]) -> dict[str, Any]:
    """What is left in a room whose document is deleted from outside: enough to send away whoever comes with it.

    Nothing, where nothing was written. Raises ``ProtocolError`` where ``before`` is no document.
    """
    left = replaced(before, {})
    return {**left, LINEAGE: token_urlsafe(12)} if left else {}


def _clocks(kept: Mapping[str, Any]) -> dict[int, int]:
    """How far each client has written in a stored document."""
    clocks: dict[int, int] = {}
    for key, value in kept.items():
        if key == SNAPSHOT or key.startswith(UPDATE):
            for client, (_, end) in guard.check(value).clients.items():
                clocks[client] = max(end, clocks.get(client, 0))
    return clocks


def _retired(before: Mapping[int, int], now: Mapping[int, int], known: Mapping[int, int]) -> dict[int, int]:
    retired = {client: now.get(client, 0) for client, clock in before.items() if clock > now.get(client, 0)}
    for client, clock in known.items():
        retired.setdefault(client, max(clock, now.get(client, 0)))
    return dict(islice(retired.items(), MOST_RETIRED))


def _encoded(clocks: Mapping[int, int]) -> bytes:
    encoder = Encoder().varuint(len(clocks))
    for client, clock in clocks.items():
        encoder.varuint(client).varuint(clock)
    return bytes(encoder)
