"""Changes: what one transaction did to a map, list or text, and to what lies in it, in plain values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from . import reading
from .items import Branch
from .mirror import KeyTouch, NewTouch, Touch
from .writing import ARRAY, MAP

__all__ = ["ABSENT", "Absent", "Change", "Edit", "KeyEdit", "SpanEdit", "compared", "edits", "pairs", "same"]


class Absent(Enum):
    """The type of ``ABSENT``: a key had no value before, or has none now."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Literal[Absent.ABSENT]] = Absent.ABSENT

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """The value of ``key`` was ``old`` and is ``new``; either may be ``ABSENT``.

    ``path`` leads to the map from where the callback was given: keys of maps and indices of lists, ``()`` for itself.
    """

    path: Path
    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class SpanEdit:
    """At ``index`` of a text or list, ``deleted`` was replaced by ``inserted``: texts (``str``) or lists of values.

    ``path`` leads there, as in ``KeyEdit``. Several of them apply one after the other: the index of each counts what
    the ones before it did.
    """

    path: Path
    index: int
    inserted: Any
    deleted: Any


Edit: TypeAlias = KeyEdit | SpanEdit


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction (or batch) did. ``remote`` says that somebody else did it."""

    edits: tuple[Edit, ...]
    remote: bool


def edits(touches: Collection[Touch], branch: Branch, kind: int) -> Iterator[Edit]:
    """What of the mirror's touches concerns a shared type, which is used as ``kind``, and what lies in it."""
    last: SpanEdit | None = None
    made = {touch.branch for touch in touches if isinstance(touch, NewTouch)}
    for touch in touches:
        path = _path(touch.branch, branch, made)
        if path is None or isinstance(touch, NewTouch):
            continue
        used_as = kind if touch.branch is branch else touch.branch.kind
        if isinstance(touch, KeyTouch):
            if used_as != MAP:
                continue
            item = touch.branch.value(touch.key)
            old, new = touch.old if touch.had else ABSENT, ABSENT if item is None else reading.value(item)
            if not (old is ABSENT and new is ABSENT):
                yield KeyEdit(path, touch.key, old, new)
        elif used_as != MAP:
            convert = _as_list if used_as == ARRAY else _as_text
            edit = SpanEdit(path, touch.index, convert(touch.inserted), convert(touch.deleted))
            if last is not None and last.path == path and edit.index == last.index + len(last.inserted):
                last = SpanEdit(path, last.index, last.inserted + edit.inserted, last.deleted + edit.deleted)
            else:
                if last is not None:
                    yield last
                last = edit
    if last is not None:
        yield last


def _path(branch: Branch, ancestor: Branch, made: set[Branch]) -> Path | None:
    """The keys and indices from one shared type to another; ``None`` where it does not lie in it, or not any more.

    ``None`` as well where something in between was ``made`` just now, and told as a whole.
    """
    path: list[str | int] = []
    while branch is not ancestor:
        item = branch.item
        if item is None or item.deleted or item.line is None or branch in made:
            return None
        path.append(item.line.index(item) if item.line.key is None else item.line.key)
        branch = item.line.branch
    return tuple(reversed(path))


def _as_text(what: Any) -> str:
    return "" if what is None else what if isinstance(what, str) else "\ufffc" * len(what)


def _as_list(what: Any) -> list[Any]:
    return [] if what is None else list(what)


def compared(old: Any, new: Any) -> Iterator[Edit]:
    """The edits that make one plain value of a map, list or text into another."""
    if isinstance(old, dict):
        for key in {**old, **new}:
            before, after = old.get(key, ABSENT), new.get(key, ABSENT)
            if not same(before, after):
                yield KeyEdit((), key, before, after)
    elif not same(old, new):
        start, end = pairs(old, new)
        yield SpanEdit((), start, new[start : len(new) - end], old[start : len(old) - end])


def pairs(old: Any, new: Any) -> tuple[int, int]:
    """How much two texts or lists have in common at the beginning, and at the end without overlap."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and same(old[start], new[start]):
        start += 1
    end = 0
    while end < shorter - start and same(old[-1 - end], new[-1 - end]):
        end += 1
    return start, end


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: ``True`` is not 1, as it is in Python."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
