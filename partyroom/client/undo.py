"""Undo: takes back what this program's user did, and never what others did meanwhile.

An edit counts as the user's when it was made here in a transaction without an origin or, where origins are named, in a
transaction of one of them. What comes from the server has an origin of its own (``engine.REMOTE``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias

from pycrdt import Array, Map, Text, UndoManager, XmlElement, XmlFragment, XmlText

__all__ = ["SharedType", "Undo"]

SharedType: TypeAlias = Text | Array[Any] | Map[Any] | XmlFragment | XmlElement | XmlText


class Undo:
    """Undo and redo in some shared types, as long as their document lives.

    Edits that follow each other within ``pause`` seconds are one step; ``0`` makes every transaction a step of its own.
    """

    def __init__(self, *types: SharedType, pause: float = 0.5, origins: Iterable[Hashable] = ()) -> None:
        if not types:
            raise ValueError("undo of what? Name the shared types, such as notes.doc.get('body', type=Text)")
        self._manager = UndoManager(scopes=list(types), capture_timeout_millis=round(pause * 1000))
        for origin in origins:
            self._manager.include_origin(origin)

    def undo(self) -> bool:
        """Take back the last step; ``False`` where there is none."""
        return self._manager.undo()

    def redo(self) -> bool:
        """Do again what was last taken back; ``False`` where there is nothing."""
        return self._manager.redo()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._manager.can_undo()

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return self._manager.can_redo()

    def clear(self) -> None:
        """Forget all steps: what was done stays."""
        self._manager.clear()
