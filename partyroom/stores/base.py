"""Store: where a room's bytes live. The contract every store keeps; ``partyroom.testing`` has the suite that checks it.

A store is a map from (party, room, key) to bytes, an alarm per room, and atomic batches. It knows nothing of JSON,
documents or connections. Keys are ordered by Unicode code point, which is also the order of their UTF-8 bytes.

- **Atomic**: of one batch, all or nothing is there after a crash.
- **Durable**: when ``apply`` returns, the batch is on disk (a memory store: as durable as the process).
- **Ordered**: batches of one room take effect in the order in which ``apply`` was *called*, also when not awaited.
- **Consistent**: a ``get`` or ``load`` called after an ``apply`` returned sees all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Protocol

from ..http import Address

__all__ = ["KEEP", "Batch", "Keep", "Range", "Store"]


class Keep(Enum):
    """The one value ``KEEP``: leave the alarm as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which keys ``load`` returns: all that match every given bound, in order, at most ``limit``.

    ``start`` is inclusive, ``start_after`` and ``end`` are exclusive; with ``reverse`` the order is descending and the
    bounds keep their meaning (as Durable Object storage's ``list`` does).
    """

    prefix: str = ""
    start: str | None = None
    start_after: str | None = None
    end: str | None = None
    reverse: bool = False
    limit: int | None = None

    def holds(self, key: str) -> bool:
        """Whether ``key`` is within the bounds (``limit`` aside)."""
        return (
            key.startswith(self.prefix)
            and (self.start is None or key >= self.start)
            and (self.start_after is None or key > self.start_after)
            and (self.end is None or key < self.end)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One atomic change of one room: first ``clear`` (every key), then ``deletes``, then ``puts``.

    ``alarm`` is a time in seconds since the epoch, ``None`` to have none, or ``KEEP``. ``clear`` leaves it alone, and
    removes the room's SQL database, where the store keeps any.
    """

    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletes: Collection[str] = ()
    clear: bool = False
    alarm: float | Literal[Keep.KEEP] | None = KEEP


class Store(Protocol):
    """Where bytes live. Every method may be called concurrently for any rooms; errors are ``StoreError`` s."""

    async def get(self, address: Address, keys: Collection[str]) -> dict[str, bytes]:
        """The values of those of ``keys`` that exist. Raises ``Damaged`` for one whose checksum does not match."""
        ...

    async def load(self, address: Address, range: Range = Range()) -> list[tuple[str, bytes]]:
        """The keys and values in ``range``, in order."""
        ...

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        """Write ``batch``; on return it is durable. On ``StoreError`` nothing of it was written.

        ``fence`` is the writer's epoch for this room: the highest seen is kept with the room, and a lower one raises
        ``Fenced``, so that a node which lost its room cannot overwrite its successor's work.
        """
        ...

    async def alarms(self, *, limit: int = 1000) -> list[tuple[Address, float]]:
        """The rooms that have an alarm and when (seconds since the epoch), the earliest first."""
        ...

    async def rooms(self, party: str | None = None) -> list[Address]:
        """The rooms that have anything stored, of ``party`` or of all, in order."""
        ...

    async def close(self) -> None:
        """Finish what ``apply`` has accepted, then release everything; later calls raise ``StoreClosed``."""
        ...
