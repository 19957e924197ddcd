"""Undo: takes back what this program's user did, and never what others did meanwhile.

An edit counts as the user's when it was made here in a transaction without an origin or, where origins are named, in a
transaction of one of them. What comes from the server has an origin of its own (``engine.REMOTE``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from time import time_ns
from typing import Any, Final, TypeAlias

from pycrdt import Array, Doc, Map, Text, UndoManager, XmlElement, XmlFragment, XmlText

from .engine import engine
from .shared import Root, Shared
from .writing import ARRAY, MAP, TEXT

__all__ = ["SharedType", "Undo", "engine_type"]

SharedType: TypeAlias = Text | Array[Any] | Map[Any] | XmlFragment | XmlElement | XmlText
"""What the engine has undo for; roots of ``DocumentClient.text`` and the like are turned into these."""

_TYPES: Final[dict[int, type[Any]]] = {ARRAY: Array, MAP: Map, TEXT: Text}


def engine_type(doc: Doc[Any], what: SharedType | Shared) -> SharedType:
    """The engine's own object for a root. Raises ``TypeError`` for what lies in another shared value."""
    if not isinstance(what, Shared):
        return what
    place = what.place
    if not isinstance(place, Root):
        raise TypeError(f"undo is of whole roots, and {place.label} lies in one")
    with engine():
        found: SharedType = doc.get(place.label, type=_TYPES[place.kind])
    return found


class _Time:
    """The time of day in milliseconds, moved on at each checkpoint. (The engine holds it, and so no ``Undo``.)"""

    def __init__(self) -> None:
        self.skipped = 0

    def __call__(self) -> int:
        return time_ns() // 1_000_000 + self.skipped


class Undo:
    """Undo and redo in some shared types, as long as their document lives.

    Edits that follow each other within ``pause`` seconds are one step, unless there is a ``checkpoint`` in between;
    ``0`` makes every transaction a step of its own. Where the engine fails, ``ReplicaBroken`` is raised.
    """

    def __init__(self, *types: SharedType, pause: float = 0.5, origins: Iterable[Hashable] = ()) -> None:
        if not types:
            raise ValueError("undo of what? Name the shared types, such as notes.doc.get('body', type=Text)")
        self._pause, self._time = round(pause * 1000), _Time()
        with engine():
            self._manager = UndoManager(scopes=list(types), capture_timeout_millis=self._pause, timestamp=self._time)
            for origin in origins:
                self._manager.include_origin(origin)

    def undo(self) -> bool:
        """Take back the last step; ``False`` where there is none."""
        with engine():
            return self._manager.undo()

    def redo(self) -> bool:
        """Do again what was last taken back; ``False`` where there is nothing."""
        with engine():
            return self._manager.redo()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._manager.can_undo()

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return self._manager.can_redo()

    def checkpoint(self) -> None:
        """Begin a new step with the next edit, however soon it comes."""
        self._time.skipped += self._pause

    def clear(self) -> None:
        """Forget all steps: what was done stays."""
        self._manager.clear()
