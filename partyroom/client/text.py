"""SharedText: a ``Y.Text`` that reads like a Python ``str``, and is edited in place."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final, SupportsIndex

from . import positions
from .changes import pairs
from .positions import Position
from .shared import Shared
from .storing import text as storable_text
from .writing import TEXT, delete, insert_text

__all__ = ["SharedText", "differences"]

MOST_COMPARED: Final = 1_000_000
"""The product of two lengths up to which ``set`` compares them piece by piece: some tenths of a second."""


class SharedText(Shared):
    """A text that others edit as well. Indices are Python's: code points, whatever Yjs and pycrdt count.

    ``str(text)`` is the text, with U+FFFC for each thing that is embedded in it; ``len``, ``in``, ``==``, slices and
    iteration are those of that ``str``. To edit it: ``insert``, ``append``, ``text[2:5] = "new"``, ``del text[2:5]``,
    ``replace``, ``set``.
    """

    _kind = TEXT

    def __str__(self) -> str:
        with self._live.lock:
            return self._branch().items.text()

    def __repr__(self) -> str:
        return f"<SharedText {self._place.label} {str(self)!r}>"

    def __len__(self) -> int:
        with self._live.lock:
            return len(self._branch().items)

    def __getitem__(self, index: int | slice) -> str:
        return str(self)[index]

    def __iter__(self) -> Iterator[str]:
        return iter(str(self))

    def __contains__(self, part: str) -> bool:
        return part in str(self)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | SharedText) else NotImplemented

    def __setitem__(self, index: int | slice, value: str) -> None:
        value = self._text(value)
        with self._live.lock:
            start, stop = self._range(index)
            self._replace(start, stop, value)

    def __delitem__(self, index: int | slice) -> None:
        with self._live.lock:
            start, stop = self._range(index)
            self._replace(start, stop, "")

    def __iadd__(self, value: str) -> SharedText:
        self.append(value)
        return self

    def insert(self, index: SupportsIndex, value: str) -> None:
        """Insert a text before an index, which is taken as in ``list.insert``."""
        value = self._text(value)
        with self._live.lock:
            start, _, _ = slice(index, None).indices(len(self))
            self._replace(start, start, value)

    def append(self, value: str) -> None:
        """Add a text at the end."""
        value = self._text(value)
        with self._live.lock:
            self._replace(len(self), len(self), value)

    def clear(self) -> None:
        """Delete all of it."""
        del self[:]

    def replace(self, old: str, new: str, count: int = -1) -> int:
        """Put ``new`` where ``old`` is, at most ``count`` times, in place and in one transaction; returns how often."""
        old, new = self._text(old), self._text(new)
        if not old:
            raise ValueError("replace needs something to look for")
        with self._live.batch():
            text, found, at = str(self), 0, 0
            while found != count and (at := text.find(old, at)) >= 0:
                start = at + found * (len(new) - len(old))
                self._replace(start, start + len(old), new)
                at += len(old)
                found += 1
            return found

    def set(self, value: str) -> None:
        """Make it this text, in one transaction that leaves alone what both have in common."""
        value = self._text(value)
        with self._live.batch():
            for start, stop, part in reversed(differences(str(self), value)):
                self._replace(start, stop, part)

    def position(self, index: int, assoc: int = 0) -> Position:
        """A position that clings to the character at an index (with -1, to the one before it): see ``Position``.

        Raises ``IndexError``.
        """
        with self._live.lock:
            self._place.make(self._live)
            return positions.create(self._branch(), index, assoc)

    def locate(self, position: Position) -> int | None:
        """The index where a position is now; ``None`` where it is unknown, or not in this text."""
        with self._live.lock:
            found = positions.resolve(self._live.mirror(), position)
            return found[1] if found is not None and found[0] is self._branch() else None

    def _text(self, value: object) -> str:
        return storable_text(value, self._place.label)

    def _range(self, index: int | slice) -> tuple[int, int]:
        length = len(self)
        if isinstance(index, slice):
            start, stop, step = index.indices(length)
            if step != 1:
                raise ValueError(f"{self._place.label}: a text is edited in slices without a step")
            return start, max(start, stop)
        at = index + length if index < 0 else index
        if not 0 <= at < length:
            raise IndexError(f"{self._place.label} has {length} characters, and no index {index}")
        return at, at + 1

    def _replace(self, start: int, stop: int, new: str) -> None:
        """Insert first: what is new then stands where the old began, for those who type there at the same time."""
        with self._live.batch():
            if new:
                self._edit(lambda mirror, client, branch: insert_text(mirror, client, branch, start, new))
            if stop > start:
                self._edit(lambda mirror, client, branch: delete(branch, start + len(new), stop + len(new)))


def differences(old: str, new: str) -> list[tuple[int, int, str]]:
    """What to replace by what in ``old`` to make it ``new``, in order: indices of ``old``, and the text between them.

    They are found character by character or, in a long text, by lines.
    """
    start, end = pairs(old, new)
    inner = _differences(old[start : len(old) - end], new[start : len(new) - end])
    return [(start + first, start + last, part) for first, last, part in inner]


def _differences(old: str, new: str) -> list[tuple[int, int, str]]:
    if not old or not new:
        return [(0, len(old), new)] if old or new else []
    if len(old) * len(new) <= MOST_COMPARED:
        return [
            (start, stop, new[begin:end])
            for tag, start, stop, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
            if tag != "equal"
        ]
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if len(before) * len(after) > MOST_COMPARED:
        return [(0, len(old), new)]
    at = [0]
    for line in before:
        at.append(at[-1] + len(line))
    return [
        (at[start], at[stop], "".join(after[begin:end]))
        for tag, start, stop, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
