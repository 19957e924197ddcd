"""Writing: edits as Yjs updates, built from the mirror.

The engine could make them itself, but its ways to edit take indices in bytes, panic at what they do not expect, write
whole numbers as floats, and hang in arrays in which a stranger has planted text. What an edit comes down to is little:
a struct says what it stands between, and a deletion names ticks (``yjs/src/utils/encoding.js``, the v1 encoding).
The engine applies such an update as it would somebody else's, within the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..protocols.ranges import Ticks, add
from ..protocols.structs import ANY, BINARY, STRING, TYPE, Id, Struct, TypeContent
from ..protocols.writing import write_struct, write_update
from .items import Branch
from .mirror import Mirror

__all__ = ["ARRAY", "MAP", "TEXT", "New", "delete", "delete_keys", "insert", "insert_text", "set_keys"]

ARRAY: Final = 0
MAP: Final = 1
TEXT: Final = 2


class New(NamedTuple):
    """A shared type to be made: Yjs' number for its kind."""

    kind: int


class _Piece(NamedTuple):
    """The content of one struct."""

    kind: int
    length: int
    content: Any


def insert_text(mirror: Mirror, client: int, branch: Branch, index: int, text: str) -> bytes:
    """The update with which ``client`` inserts a text."""
    units = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
    return _insert(mirror, client, branch, index, [_Piece(STRING, units, text)])


def insert(mirror: Mirror, client: int, branch: Branch, index: int, values: Iterable[Any]) -> bytes:
    """The update with which ``client`` inserts storable values, or ``New`` ones, into a list."""
    return _insert(mirror, client, branch, index, _pieces(values))


def set_keys(mirror: Mirror, client: int, branch: Branch, values: Mapping[str, Any]) -> bytes:
    """The update with which ``client`` sets keys of a map."""
    start = mirror.clock(client)
    parent, structs = _parent(branch), []
    for clock, (key, value) in enumerate(values.items(), start):
        (piece,) = _pieces([value])
        line = branch.entries.get(key)
        last = None if line is None else line.last
        left = None if last is None else last.last
        structs.append(Struct(clock, piece.length, piece.kind, left, None, parent, key, piece.content))
    return _update(client, start, structs, {})


def delete(branch: Branch, start: int, stop: int) -> bytes:
    """The update that deletes what a list or text shows from ``start`` to ``stop``."""
    doomed: Ticks = {}
    item, offset = branch.items.at(start)
    left = stop - start
    while left > 0 and item is not None:
        if taken := min(item.size - offset, left):
            begin = item.units(offset)
            add(doomed, {item.client: [(item.clock + begin, item.clock + item.units(offset + taken))]})
            left -= taken
        item, offset = item.right, 0
    return _update(0, 0, [], doomed)


def delete_keys(branch: Branch, keys: Iterable[str]) -> bytes:
    """The update that deletes keys of a map."""
    doomed: Ticks = {}
    for key in keys:
        if (item := branch.value(key)) is not None:
            add(doomed, {item.client: [(item.clock, item.end)]})
    return _update(0, 0, [], doomed)


def _insert(mirror: Mirror, client: int, branch: Branch, index: int, pieces: list[_Piece]) -> bytes:
    left, right = _gap(branch, index)
    clock = start = mirror.clock(client)
    parent, structs = _parent(branch), []
    for piece in pieces:
        structs.append(Struct(clock, piece.length, piece.kind, left, right, parent, None, piece.content))
        clock += piece.length
        left = (client, clock - 1)
    return _update(client, start, structs, {})


def _gap(branch: Branch, index: int) -> tuple[Id | None, Id | None]:
    """The ticks to the left and to the right of an index; what is deleted counts as well, as in Yjs."""
    item, offset = branch.items.before(index)
    if item is None:
        after = branch.items.first
        return None, None if after is None else (after.client, after.clock)
    tick = item.clock + item.units(offset)
    if tick < item.end:
        return (item.client, tick - 1), (item.client, tick)
    return (item.client, tick - 1), None if item.right is None else (item.right.client, item.right.clock)


def _pieces(values: Iterable[Any]) -> list[_Piece]:
    """Values as Yjs packs them: JSON side by side in one struct, bytes and shared types each in their own."""
    pieces: list[_Piece] = []
    run: list[Any] = []
    for value in values:
        if isinstance(value, bytes | New):
            pieces += _any(run)
            run = []
            kind, content = (TYPE, TypeContent(value.kind, "")) if isinstance(value, New) else (BINARY, value)
            pieces.append(_Piece(kind, 1, content))
        else:
            run.append(value)
    return pieces + _any(run)


def _any(values: list[Any]) -> list[_Piece]:
    return [_Piece(ANY, len(values), values)] if values else []


def _update(client: int, clock: int, structs: list[Struct], doomed: Ticks) -> bytes:
    return write_update(client, clock, [write_struct(one) for one in structs], doomed)


def _parent(branch: Branch) -> str | Id:
    return (branch.name or "") if branch.item is None else (branch.item.client, branch.item.clock)
