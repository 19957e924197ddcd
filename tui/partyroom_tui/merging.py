"""Merging: what has been edited in a copy of a text, put into the text as it has become meanwhile.

A ``Trace`` knows what has become of each character of the copy, so an edit of the copy finds its place by what it stood
beside. What others have put into a range that the copy deletes stays, and so does what the copy put where others have
deleted: of what anybody wrote, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from partyroom.client import SpanEdit

__all__ = ["Trace"]

Patch = tuple[int, int, str]
"""What to put between two indices."""


class Trace:
    """Where a text's characters are after edits: pieces of the text in order, and what others have put between them."""

    def __init__(self, length: int) -> None:
        self._pieces: list[tuple[int | None, int]] = [(0, length)]  # from which index of the copy on, and how many

    def follow(self, index: int, deleted: int, inserted: int) -> None:
        """An edit has been made in the text."""
        before, rest = _cut(self._pieces, index)
        _, after = _cut(rest, deleted)
        new: list[tuple[int | None, int]] = [(None, inserted)] if inserted else []
        self._pieces = [*before, *new, *after]

    def edits(self, edits: Sequence[SpanEdit]) -> None:
        """Edits have been made in the text."""
        for edit in edits:
            self.follow(edit.index, len(edit.deleted), len(edit.inserted))

    def patches(self, patches: Sequence[Patch]) -> list[Patch]:
        """Edits of the copy (in order, not overlapping) as edits of the text, of which the last must be made first."""
        found: list[Patch] = []
        for start, stop, part in patches:
            doomed = self._within(start, stop)
            at = doomed[0][0] if doomed else self._place(start)
            if part:
                found.append((at, at, part))
            found += [(first, last, "") for first, last in doomed]
        return _joined(found)

    def _within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Where in the text the characters of a range are that are still there."""
        found: list[tuple[int, int]] = []
        at = 0
        for origin, length in self._pieces:
            if origin is not None:
                first, last = max(start, origin), min(stop, origin + length)
                if first < last:
                    found.append((at + first - origin, at + last - origin))
            at += length
        return found

    def _place(self, index: int) -> int:
        """Where in the text an index is: after the last character before it that is still there."""
        place = at = 0
        for origin, length in self._pieces:
            if origin is not None and origin < index:
                place = at + min(index - origin, length)
            at += length
        return place


def _cut(
    pieces: list[tuple[int | None, int]], at: int
) -> tuple[list[tuple[int | None, int]], list[tuple[int | None, int]]]:
    for number, (origin, length) in enumerate(pieces):
        if at < length:
            head = [(origin, at)] if at else []
            tail = (None if origin is None else origin + at, length - at)
            return [*pieces[:number], *head], [tail, *pieces[number + 1 :]]
        at -= length
    return pieces, []


def _joined(patches: list[Patch]) -> list[Patch]:
    """An insertion and the deletion right after it are one."""
    joined: list[Patch] = []
    for start, stop, part in patches:
        if joined and joined[-1][1] == start and not (part and joined[-1][2]):
            joined[-1] = (joined[-1][0], stop, joined[-1][2] + part)
        else:
            joined.append((start, stop, part))
    return joined
