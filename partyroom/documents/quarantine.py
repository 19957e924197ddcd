"""Quarantine: updates that broke the engine or killed a process, kept for the operator and never applied again.

They lie in the room's storage under ``document/quarantine/<n>``: the newest ``MOST``, and of each at most ``LONGEST``
bytes, so that nobody fills a disk with them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final, NamedTuple

from ..connection import Connection
from ..storage import Storage
from .peers import identity

__all__ = ["Quarantine", "Quarantined", "sender_of"]

PREFIX: Final = "document/quarantine/"
MOST: Final = 16
LONGEST: Final = 1024 * 1024


class Quarantined(NamedTuple):
    """One update: when it was set aside (seconds since the epoch), whose it was and why, its size and first bytes."""

    at: float
    sender: str
    reason: str
    size: int
    update: bytes


class Quarantine:
    """One document's."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def all(self) -> list[Quarantined]:
        """What has been set aside, the oldest first."""
        kept: dict[str, dict[str, Any]] = await self._storage.list(PREFIX)
        return [Quarantined(**{**one, "update": b64decode(one["update"])}) for one in kept.values()]

    async def keep(self, at: float, sender: str, reason: str, update: bytes) -> None:
        """Set an update aside; it is on disk with whatever is written next."""
        keys = list(await self._storage.list(PREFIX))
        number = int(keys[-1].removeprefix(PREFIX)) + 1 if keys else 0
        kept = Quarantined(at, sender, reason, len(update), update[:LONGEST])
        self._storage.delete(keys[: max(0, len(keys) + 1 - MOST)])
        self._storage.put(f"{PREFIX}{number:012}", {**kept._asdict(), "update": b64encode(kept.update).decode()})


def sender_of(sender: object) -> str:
    """Who sent an update, for the operator: a connection's id, its user where one is known, and its address."""
    if not isinstance(sender, Connection):
        return str(sender)
    who, request = identity(sender.request), sender.request
    return f"{sender.id} ({f'{who!r} ' if who not in (None, sender.id) else ''}from {request.remote or 'here'})"
