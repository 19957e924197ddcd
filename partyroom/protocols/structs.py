"""Structs: what a Yjs update says, as values: who inserted what beside what, and what is deleted.

The bytes are those of the v1 encoding (``yjs/src/utils/encoding.js``). The walk here trusts them, since ``guard.check``
has been over them before; it only turns them into values. Lengths and clocks count UTF-16 units in text and single
values elsewhere, as Yjs does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from .lib0 import Decoder, read_varuint

__all__ = [
    "ANY",
    "BINARY",
    "COLLECTED",
    "DELETED",
    "DOCUMENT",
    "EMBED",
    "FORMAT",
    "GAP",
    "STRING",
    "TYPE",
    "FormatContent",
    "Id",
    "Ranges",
    "Struct",
    "Subdocument",
    "TypeContent",
    "merged",
    "read_deletions",
    "read_structs",
]

Id: TypeAlias = tuple[int, int]
"""A client and one of its clocks."""

Ranges: TypeAlias = list[tuple[int, int]]
"""Where deletions of one client begin and end; sorted, and none touches the next."""

COLLECTED: Final = 0
DELETED: Final = 1
BINARY: Final = 3
STRING: Final = 4
EMBED: Final = 5
FORMAT: Final = 6
TYPE: Final = 7
ANY: Final = 8
DOCUMENT: Final = 9
GAP: Final = 10


class Subdocument(NamedTuple):
    """A document inside another: a name to find it by, and nothing of what it holds."""

    guid: str
    options: Any


class TypeContent(NamedTuple):
    """A shared type as an item brings it: Yjs' number for its kind, and the name of an XML element."""

    number: int
    name: str


class FormatContent(NamedTuple):
    """From here on text has this format (or not any more, with ``None``); ``size`` is what it takes in bytes."""

    key: str
    value: Any
    size: int


class Struct(NamedTuple):
    """One struct: ``length`` clocks from ``clock`` on.

    ``kind`` is Yjs' number for what it holds (``COLLECTED`` and ``GAP`` hold nothing). ``origin`` is the last tick on
    its left when it was written and ``right_origin`` the first on its right. Where it has neither, ``parent`` is the
    name of a root or the id of the item that holds the type, and ``key`` the key in a map.

    ``content`` is a ``str``, a list of values (``ANY``), ``bytes``, JSON (``EMBED``), a
    ``FormatContent``, a ``TypeContent`` or a ``Subdocument``; ``None`` where it is gone.
    """

    clock: int
    length: int
    kind: int
    origin: Id | None = None
    right_origin: Id | None = None
    parent: str | Id | None = None
    key: str | None = None
    content: Any = None


def read_structs(update: bytes) -> tuple[dict[int, list[Struct]], dict[int, Ranges]]:
    """The structs of each client in order, and what is deleted of each; ``guard.check`` has accepted the update."""
    source = Decoder(update)
    clients: dict[int, list[Struct]] = {}
    for _ in range(source.varuint()):
        count, client, clock = source.varuint(), source.varuint(), source.varuint()
        structs = clients[client] = []
        for _ in range(count):
            struct = _struct(source, clock)
            structs.append(struct)
            clock += struct.length
    return clients, read_deletions(source)


def _struct(source: Decoder, clock: int) -> Struct:
    info = source.byte()
    if info in (COLLECTED, GAP):
        return Struct(clock, source.varuint(), info)
    origin = right_origin = parent = key = None
    if info & 0x80:
        origin = _id(source)
    if info & 0x40:
        right_origin = _id(source)
    if not info & 0xC0:
        parent = source.string() if source.byte() else _id(source)
        if info & 0x20:
            key = source.string()
    kind = info & 0x1F
    if kind == STRING:
        text = source.string()
        length = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
        return Struct(clock, length, kind, origin, right_origin, parent, key, text)
    length, content = _content(source, kind)
    return Struct(clock, length, kind, origin, right_origin, parent, key, content)


def _id(source: Decoder) -> Id:
    data = source.data
    client, at = read_varuint(data, source.at)
    clock, source.at = read_varuint(data, at)
    return client, clock


def _content(source: Decoder, kind: int) -> tuple[int, Any]:
    """The length of what is not text, and what it is."""
    match kind:
        case 1:
            return source.varuint(), None
        case 3:
            return 1, source.buffer()
        case 5:
            return 1, json.loads(source.string())
        case 6:
            start = source.at
            key, value = source.string(), json.loads(source.string())
            return 1, FormatContent(key, value, source.at - start)
        case 7:
            number = source.byte()
            return 1, TypeContent(number, source.string() if number == 3 else "")
        case 8:
            values = [source.any() for _ in range(source.varuint())]
            return len(values), values
    return 1, Subdocument(source.string(), source.any())


def read_deletions(source: Decoder) -> dict[int, Ranges]:
    """A delete set: what is deleted of each client (``yjs/src/utils/DeleteSet.js``)."""
    deleted: dict[int, Ranges] = {}
    for _ in range(source.varuint()):
        client, count = source.varuint(), source.varuint()
        ranges = []
        for _ in range(count):
            clock = source.varuint()
            ranges.append((clock, clock + source.varuint()))
        deleted[client] = merged(ranges)
    return deleted


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same ranges, sorted and without overlaps: a hostile delete set names one place a million times."""
    whole: Ranges = []
    for start, end in sorted(ranges):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        elif start < end:
            whole.append((start, end))
    return whole
