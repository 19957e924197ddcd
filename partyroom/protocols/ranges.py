"""Ranges: sets of ticks (a client and its clocks), as sorted ranges by client, and what can be done with such sets.

A state of a Yjs document is told by two of them: what is in it, and what of that is deleted. Both only ever grow, so
what has happened between two states is a matter of subtracting.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TypeAlias

from .lib0 import Decoder, varuint
from .structs import COLLECTED, DELETED, GAP, Id, Ranges, Struct, merged, read_deletions

__all__ = ["Ticks", "add", "alive", "common", "decode", "encode", "holds", "inserted", "pieces", "union", "without"]

Ticks: TypeAlias = dict[int, Ranges]
"""For each client the ranges of its clocks: sorted, and none touches the next."""


def add(ticks: Ticks, more: Ticks) -> None:
    """Put ``more`` into ``ticks``: in place, and fast where that is little."""
    for client, ranges in more.items():
        there = ticks.setdefault(client, [])
        for start, end in ranges:
            first, last = bisect_left(there, start, key=_end), bisect_right(there, end, key=_start)
            if first < last:
                start, end = min(start, there[first][0]), max(end, there[last - 1][1])
            there[first:last] = [(start, end)]


def union(*sets: Ticks) -> Ticks:
    """What is in any of them."""
    gathered: dict[int, Ranges] = {}
    for ticks in sets:
        for client, ranges in ticks.items():
            gathered.setdefault(client, []).extend(ranges)
    return {client: merged(ranges) for client, ranges in gathered.items()}


def without(ticks: Ticks, others: Ticks) -> Ticks:
    """What is in ``ticks`` and not in ``others``."""
    left: Ticks = {}
    for client, ranges in ticks.items():
        rest = [
            (start, end)
            for whole in ranges
            for start, end, inside in _cut(others.get(client, []), *whole)
            if not inside
        ]
        if rest:
            left[client] = rest
    return left


def common(ticks: Ticks, others: Ticks) -> Ticks:
    """What is in both."""
    return without(ticks, without(ticks, others))


def holds(ticks: Ticks, tick: Id) -> bool:
    """Whether a tick is among them."""
    ranges = ticks.get(tick[0])
    return ranges is not None and any(inside for _, _, inside in _cut(ranges, tick[1], tick[1] + 1))


def pieces(ticks: Ticks, client: int, start: int, end: int) -> list[tuple[int, int, bool]]:
    """The clocks from ``start`` to ``end``, in pieces that are wholly among ``ticks`` or wholly not."""
    ranges = ticks.get(client)
    return [(start, end, False)] if ranges is None else list(_cut(ranges, start, end))


def inserted(structs: dict[int, list[Struct]]) -> Ticks:
    """What an update's structs bring, be it deleted by now or not."""
    return {
        client: merged((one.clock, one.clock + one.length) for one in of_client if one.kind != GAP)
        for client, of_client in structs.items()
    }


def alive(structs: dict[int, list[Struct]], deletions: Ticks) -> Ticks:
    """What is in a document, and not deleted."""
    gone = (COLLECTED, DELETED, GAP)
    there = {
        client: merged((one.clock, one.clock + one.length) for one in of_client if one.kind not in gone)
        for client, of_client in structs.items()
    }
    return without(there, deletions)


def encode(ticks: Ticks) -> bytes:
    """The set in the form of a delete set, which ends an update (``yjs/src/utils/DeleteSet.js``)."""
    out = bytearray(varuint(sum(1 for ranges in ticks.values() if ranges)))
    for client in sorted(ticks, reverse=True):
        ranges = ticks[client]
        if ranges:
            out += varuint(client) + varuint(len(ranges))
            for start, end in ranges:
                out += varuint(start) + varuint(end - start)
    return bytes(out)


def decode(data: bytes) -> Ticks:
    """What ``encode`` made."""
    return read_deletions(Decoder(data))


def _cut(ranges: Ranges, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    at = bisect_right(ranges, start, key=_end) if ranges else 0
    last = bisect_left(ranges, end, key=_start) if ranges else 0
    for first, after in ranges[at:last]:
        if first > start:
            yield start, first, False
            start = first
        yield start, min(after, end), True
        start = min(after, end)
    if start < end:
        yield start, end, False


def _start(of: tuple[int, int]) -> int:
    return of[0]


def _end(of: tuple[int, int]) -> int:
    return of[1]
