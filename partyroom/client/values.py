"""Values: a document as maps, arrays and texts that read and write like Python's own."""

from __future__ import annotations

from contextlib import AbstractContextManager

from .array import SharedArray
from .changes import ABSENT, Change, KeyEdit, SpanEdit
from .live import Live, Source
from .mapping import SharedMap
from .positions import Position
from .shared import Removed, Root
from .storing import text
from .text import SharedText
from .writing import ARRAY, MAP, TEXT

__all__ = [
    "ABSENT",
    "Change",
    "KeyEdit",
    "Position",
    "Removed",
    "SharedArray",
    "SharedMap",
    "SharedText",
    "Source",
    "SpanEdit",
    "Values",
]

_NAMES = {ARRAY: "an array", MAP: "a map", TEXT: "a text"}


class Values:
    """The roots of a document, by name and kind, and batches of edits.

    A document does not say what its roots are; who opens one does. Opening a name as two kinds is refused.
    """

    def __init__(self, source: Source, live: type[Live] = Live) -> None:
        self._live = live(source)
        self._kinds: dict[str, int] = {}

    def map(self, name: str) -> SharedMap:
        """The map of this name; it need not be made. Raises ``TypeError`` where it was opened as something else."""
        return SharedMap(self._live, self._root(name, MAP))

    def array(self, name: str) -> SharedArray:
        """The array of this name; see ``map``."""
        return SharedArray(self._live, self._root(name, ARRAY))

    def text(self, name: str) -> SharedText:
        """The text of this name; see ``map``."""
        return SharedText(self._live, self._root(name, TEXT))

    def batch(self) -> AbstractContextManager[None]:
        """Edits in ``with batch():`` are one transaction: one message to the others, and one call of each callback.

        What was edited stays edited where the block raises. It holds the lock: do not ``await`` in it, and do not edit
        by pycrdt in it as well.
        """
        return self._live.batch()

    def tell(self) -> None:
        """Call the ``on_change`` callbacks with what they have not heard yet: what the source's ``post`` is given."""
        self._live.tell()

    def _root(self, name: str, kind: int) -> Root:
        name = text(name, "the name of a root")
        if self._kinds.setdefault(name, kind) != kind:
            raise TypeError(f"{name!r} has been opened as {_NAMES[self._kinds[name]]}, and is not {_NAMES[kind]} too")
        return Root(name, kind)
