"""Placement: which node answers for a room. The default says: this one, always."""

from __future__ import annotations

from typing import Protocol

from .http import Address

__all__ = ["Here", "Placement"]


class Placement(Protocol):
    """Decides where a room lives and with which right it writes."""

    async def claim(self, address: Address) -> int:
        """Take the room for this node and return its fence: an epoch that grows with each change of owner.

        Raises ``Refused`` when the room lives elsewhere.
        """
        ...


class Here:
    """A single node: every room lives here."""

    async def claim(self, address: Address) -> int:
        """Always this node, with fence 0."""
        return 0
