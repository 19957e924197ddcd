"""A long document: how soon it is in memory when somebody wants it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from partyroom.protocols.replica import Replica

from .trace import long_document

__all__ = ["LOAD_TARGET", "Long", "long"]

LOAD_TARGET = 100.0
"""Milliseconds within which a document of some hundred thousand edits must load from its snapshot."""
ROUNDS = 7


@dataclass
class Long:
    """A document of so many edits: its state in bytes, and milliseconds to load that."""

    edits: int
    size: int
    load: float


def long(edits: int) -> Long:
    """Make such a document and load it some times; the median counts."""
    state = long_document(1, edits)
    taken = []
    for _ in range(ROUNDS):
        started = perf_counter()
        Replica().load([], snapshot=state)
        taken.append((perf_counter() - started) * 1e3)
    return Long(edits, len(state), sorted(taken)[ROUNDS // 2])
