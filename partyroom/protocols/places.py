"""Places: what a state says about where its items are, in numbers that are quick to compare.

One number stands for a client and its clock. The walk is over whole states that the engine has written, and it has to
be quick: of the 2 microseconds that a struct takes, most are for reading numbers.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from .lib0 import read_varuint
from .payload import CONTENTS, SPANS, refusal, text
from .structs import ANY, DELETED, STRING, TYPE

__all__ = ["Place", "Places"]

Place: TypeAlias = tuple[bytes | int, bytes]
"""A parent, by its name or its item, and the key in it."""

JOINED: Final = (DELETED, STRING, ANY)
"""What becomes one with its like."""


class Places:
    """The places in a state. Raises ``ProtocolError`` where that holds what ``guard.check`` refuses."""

    def __init__(self, state: bytes) -> None:
        self.clients = 0
        self.ticks = 0
        self.starts: list[int] = []
        """Where structs begin, and the last of each client ends."""
        self.gone: list[int] = []
        """Where structs end that are in no list."""
        self.types: set[int] = set()
        """Items that hold a shared type."""
        self.behind: dict[int, int] = {}
        """The first item behind each left origin, of which this is the end..."""
        self.crowds: dict[int, list[int]] = {}
        """...and all of them, where they are several."""
        self.rights: dict[int, int] = {}
        """The right origins of items."""
        self.fronts: set[int] = set()
        """Items that have a right origin, but no left one."""
        self.heads: dict[int, Place] = {}
        """Items that have neither."""
        self.seams: list[int] = []
        """Structs that could be one with the one before."""
        self.edges: list[int] = []
        """Where deletions begin and end."""
        self._deletions(state, self._structs(state))

    def _structs(self, data: bytes) -> int:
        """Walk over all structs; returns the byte after them."""
        self.clients, at = read_varuint(data, 0)
        for _ in range(self.clients):
            count, begin = read_varuint(data, at)
            client, at = read_varuint(data, begin)
            name = data[begin:at]
            clock, at = read_varuint(data, at)
            at, end = self._section(data, at, count, name, (client << 31) + clock)
            self.starts.append(end)
            self.ticks += end - (client << 31) - clock
        return at

    def _section(self, data: bytes, at: int, count: int, name: bytes, start: int) -> tuple[int, int]:
        """Walk over the structs of one client; returns the byte and the clock after them."""
        behind, rights, note = self.behind, self.rights, self.starts.append
        own, kind, right = start >> 31 << 31, -1, None
        for _ in range(count):
            note(start)
            info = data[at]
            at += 1
            before, kind = kind, info & 0b1_1111
            beside, left, right = right, None, None
            for flag in (0x80, 0x40):
                if info & flag:
                    if data.startswith(name, at):
                        who, at = own, at + len(name)
                    else:
                        who, at = read_varuint(data, at)
                        who <<= 31
                    when, more = data[at], data[at + 1]
                    if when < 128:
                        at += 1
                    elif more < 128:
                        when += (more << 7) - 128
                        at += 2
                    else:
                        when, at = read_varuint(data, at)
                    if flag == 0x80:
                        left = who + when + 1
                    else:
                        rights[start] = right = who + when
            if left is not None:
                other = behind.setdefault(left, start)
                if other != start:
                    self.crowds.setdefault(left, [other]).append(start)
                if left == start and kind == before and right == beside and kind in JOINED:
                    self.seams.append(start)
            elif right is not None:
                self.fronts.add(start)
            elif kind not in SPANS:
                self.heads[start], at = _place(data, at, keyed=bool(info & 0x20))
            if kind == STRING:
                length = data[at]
                if length < 128 and data[at + 1 : at + 1 + length].isascii():
                    at += 1 + length
                else:
                    length, at, _ = text(data, at)
            elif kind in CONTENTS:
                length, at, _ = CONTENTS[kind](data, at)
                if kind == TYPE:
                    self.types.add(start)
            elif info in SPANS:
                length, at, _ = SPANS[info](data, at)
                self.gone.append(start + length)
            else:
                raise refusal(at, f"no struct has the number {info}")
            start += length
        return at, start

    def _deletions(self, data: bytes, at: int) -> None:
        clients, at = read_varuint(data, at)
        for _ in range(clients):
            client, at = read_varuint(data, at)
            count, at = read_varuint(data, at)
            client <<= 31
            for _ in range(count):
                clock, at = read_varuint(data, at)
                length, at = read_varuint(data, at)
                self.edges += (client + clock, client + clock + length)


def _place(data: bytes, at: int, *, keyed: bool) -> tuple[Place, int]:
    """The place that begins at a byte, and the byte after it."""
    parent: bytes | int
    if data[at]:
        end = text(data, at + 1)[1]
        parent = data[at + 1 : end]
    else:
        who, end = read_varuint(data, at + 1)
        when, end = read_varuint(data, end)
        parent = (who << 31) + when
    at = text(data, end)[1] if keyed else end
    return (parent, data[end:at]), at
