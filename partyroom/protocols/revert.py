"""Revert: an edit that takes other edits back, as an update to be sent like any other.

What was inserted is deleted; what was deleted cannot be brought back in Yjs, so copies of it are inserted, right behind
what is left of the originals (as ``yjs/src/utils/UndoManager.js`` does). Everything else is untouched: whoever edits
meanwhile, or is offline and edits later, merges with it as with anybody's edit. A copy is another item than the
original, so an edit *inside* a deleted type that was made without knowing of its deletion goes with the original.

The work is done on a *woven* state: the document as it is now, and with the contents of what is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from .content import Content
from .ranges import Ticks, add, holds, pieces
from .shared import Chain, Item, Shared, utf16_units
from .structs import ANY, DELETED, STRING, TYPE, Id, Struct
from .writing import write_struct, write_update

__all__ = ["Copy", "Piece", "Reverted", "characters", "halved", "pieces_of", "revert"]


class Copy(NamedTuple):
    """``length`` ticks of ``client`` from ``clock`` on were copied to the writer's own from ``to`` on."""

    client: int
    clock: int
    length: int
    to: int


class Reverted(NamedTuple):
    """The update that takes edits back, and which of what it inserts are copies of what."""

    update: bytes
    copies: list[Copy]


class Piece(NamedTuple):
    """A part of an item: ``here`` says whether it is wholly in the set that it was cut by."""

    client: int
    clock: int
    length: int
    kind: int
    content: Any
    here: bool

    @property
    def last(self) -> Id:
        """Its last tick."""
        return self.client, self.clock + self.length - 1


def revert(
    woven: Content, remove: Ticks, revive: Ticks, *, client: int, clock: int, whole: Mapping[Id, str] | None = None
) -> Reverted:
    """The update by which ``client``, whose next clock is ``clock``, deletes ``remove`` and inserts ``revive`` again.

    Where a key of a map has got another value meanwhile, which is not to be removed, it keeps that. ``whole`` are the
    ``characters`` as they were: those that have been cut in half meanwhile come back whole.
    """
    writer = _Writer(client, clock, whole or {})
    todo: list[tuple[Shared, Id | None]] = [(root, None) for root in woven.roots.values()]  # None: it is still there
    while todo:
        shared, copy = todo.pop()
        if copy is None:
            todo += _revive_list(shared.list, remove, revive, writer)
        else:
            todo += writer.write(_revived(shared.list, revive), None, None, parent=copy)
        for key, chain in shared.keys.items():
            todo += _revive_key(chain, key, copy, remove, revive, writer)
    return Reverted(writer.update(remove), writer.copies)


def characters(structs: dict[int, list[Struct]]) -> dict[Id, str]:
    """The characters of two ticks in some structs, by the second."""
    found: dict[Id, str] = {}
    for client, of_client in structs.items():
        for struct in of_client:
            if struct.kind == STRING and len(struct.content) != struct.length:
                tick = struct.clock
                for character in struct.content:
                    tick += 1 + (character > "\uffff")
                    if character > "\uffff":
                        found[client, tick - 1] = character
    return found


def halved(structs: dict[int, list[Struct]], whole: Mapping[Id, str]) -> Ticks:
    """Which of these characters some structs hold a half of, as U+FFFD: both ticks of each."""
    found: Ticks = {}
    for client, of_client in structs.items() if whole else ():
        for struct in of_client:
            if struct.kind == STRING and "\ufffd" in struct.content:
                tick = struct.clock
                for character in struct.content:
                    for second in (tick, tick + 1) if character == "\ufffd" else ():
                        if (client, second) in whole:
                            add(found, {client: [(second - 1, second + 1)]})
                    tick += 1 + (character > "\uffff")
    return found


def pieces_of(item: Item | Piece, ticks: Ticks) -> Iterator[Piece]:
    """An item, or a piece of one, cut into what is among ``ticks`` and what is not."""
    clock, end = item.clock, item.clock + item.length
    parts = pieces(ticks, item.client, clock, end)
    if len(parts) == 1:
        yield Piece(item.client, clock, item.length, item.kind, item.content, parts[0][2])
        return
    units: Any = item.content
    if item.kind == STRING and len(units) != item.length:
        units = utf16_units(units)
    for start, after, here in parts:
        content = units
        if item.kind in (STRING, ANY):
            content = units[start - clock : after - clock]
            if isinstance(content, list) and item.kind == STRING:
                content = "".join(content).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        yield Piece(item.client, start, after - start, item.kind, content, here)


def _revived(chain: Chain, revive: Ticks) -> list[Piece]:
    return [piece for item in chain for piece in pieces_of(item, revive) if piece.here and piece.kind != DELETED]


def _revive_list(chain: Chain, remove: Ticks, revive: Ticks, writer: _Writer) -> list[tuple[Shared, Id | None]]:
    """Write copies of what comes back in a list that is there, and tell which types in it are to be looked into."""
    found: list[tuple[Shared, Id | None]] = []
    run: list[Piece] = []
    for item in chain:
        if item.kind == TYPE and not item.deleted and not holds(remove, (item.client, item.clock)):
            found.append((item.content, None))
        for piece in pieces_of(item, revive):
            if piece.here and piece.kind != DELETED:
                run.append(piece)
            elif run:
                found += writer.write(run, run[-1].last, (piece.client, piece.clock))
                run = []
    if run:
        found += writer.write(run, run[-1].last, None)
    return found


def _revive_key(
    chain: Chain, key: str, copy: Id | None, remove: Ticks, revive: Ticks, writer: _Writer
) -> list[tuple[Shared, Id | None]]:
    """The same for a key of a map, whose value is the last that was ever set."""
    last = chain.last
    if last is None:
        return []
    back = _revived(chain, revive)[-1:]
    if copy is not None:
        return writer.write(back, None, None, parent=copy, key=key)
    tick = last.client, last.clock + last.length - 1
    if not last.deleted and not holds(remove, tick):
        return [(last.content, None)] if last.kind == TYPE else []
    return writer.write(back, tick, None)


class _Writer:
    """Writes copies one after the other."""

    def __init__(self, client: int, clock: int, whole: Mapping[Id, str]) -> None:
        self.copies: list[Copy] = []
        self._client = client
        self._first = self._clock = clock
        self._whole = whole
        self._structs: list[bytes] = []

    def write(
        self, run: list[Piece], left: Id | None, right: Id | None, *, parent: Id | None = None, key: str | None = None
    ) -> list[tuple[Shared, Id | None]]:
        """Copy pieces, the first behind ``left`` (or as the first in ``parent``) and each further one behind it.

        Returns the types among them with the ids of their copies, which are empty still.
        """
        types: list[tuple[Shared, Id | None]] = []
        for kind, group in groupby(run, key=_kind):
            together = list(group)
            for some in [together] if kind == STRING else [[piece] for piece in together]:
                content = self._text(some) if kind == STRING else some[0].content
                if not content and kind in (STRING, ANY):
                    continue
                self._note(some, content)
                if isinstance(content, Shared):
                    types.append((content, (self._client, self._clock)))
                length = len(utf16_units(content)) if kind == STRING else len(content) if kind == ANY else 1
                self._structs.append(write_struct(Struct(self._clock, length, kind, left, right, parent, key, content)))
                self._clock += length
                left, parent = (self._client, self._clock - 1), None
        return types

    def update(self, remove: Ticks) -> bytes:
        """All of it, with what is to be deleted."""
        return write_update(self._client, self._first, self._structs, remove)

    def _note(self, pieces: list[Piece], content: Any) -> None:
        to = self._clock
        for piece in pieces:
            self.copies.append(Copy(piece.client, piece.clock, piece.length, to))
            to += piece.length

    def _text(self, pieces: list[Piece]) -> str:
        """The text of pieces, with whole characters where all that is here of them are halves."""
        if not self._whole:
            return "".join([piece.content for piece in pieces])
        return "".join([self._mended(piece) if "\ufffd" in piece.content else piece.content for piece in pieces])

    def _mended(self, piece: Piece) -> str:
        text = []
        tick = piece.clock
        for character in piece.content:
            if character == "\ufffd":
                second = (piece.client, tick) in self._whole
                text.append("" if second else self._whole.get((piece.client, tick + 1), character))
            else:
                text.append(character)
            tick += 1 + (character > "\uffff")
        return "".join(text)


def _kind(piece: Piece) -> int:
    return piece.kind
