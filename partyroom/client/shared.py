"""Shared values: what maps, arrays and texts of a document have in common: where they are, and how they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import PartyroomError
from ..protocols.structs import Id
from .changes import Change
from .items import Branch
from .live import Live
from .mirror import Mirror
from .writing import ARRAY, MAP, TEXT, New, set_keys

if TYPE_CHECKING:
    from .array import SharedArray
    from .mapping import SharedMap
    from .text import SharedText

__all__ = ["InKey", "InList", "Place", "Removed", "Root", "Shared", "open_array", "open_map", "open_text"]

_NAMES = {ARRAY: "an array", MAP: "a map", TEXT: "a text"}


class Removed(PartyroomError, LookupError):
    """The map, array or text has been removed from the list that it was in."""


class Place(ABC):
    """Where a shared value of some ``kind`` is; ``label`` says it to people."""

    label: str
    kind: int

    @abstractmethod
    def find(self, mirror: Mirror) -> Branch | None:
        """What is there, if it is of this kind."""

    @abstractmethod
    def demand(self, mirror: Mirror) -> Branch | None:
        """What is there; raises ``TypeError`` where that is of another kind, and ``Removed``."""

    def make(self, live: Live) -> None:
        """Make it where there is nothing yet; raises like ``demand``. Within a batch."""
        self.demand(live.mirror())


class Root(Place):
    """A root of the document, by its name: it is always there."""

    def __init__(self, name: str, kind: int) -> None:
        self.label = name
        self.kind = kind
        self._name = name

    def find(self, mirror: Mirror) -> Branch | None:
        """The root."""
        return mirror.root(self._name)

    def demand(self, mirror: Mirror) -> Branch | None:
        """The root."""
        return mirror.root(self._name)


class InKey(Place):
    """The value of a key of a map: whatever has been put there last. It is made when it is first written to."""

    def __init__(self, parent: Place, key: str, kind: int) -> None:
        self.label = f"{parent.label}[{key!r}]"
        self.kind = kind
        self._parent = parent
        self._key = key

    def find(self, mirror: Mirror) -> Branch | None:
        """What the key holds, if it is of this kind."""
        parent = self._parent.find(mirror)
        item = None if parent is None else parent.value(self._key)
        branch = None if item is None else item.content
        return branch if isinstance(branch, Branch) and branch.kind == self.kind else None

    def demand(self, mirror: Mirror) -> Branch | None:
        """What the key holds."""
        parent = self._parent.demand(mirror)
        item = None if parent is None else parent.value(self._key)
        if item is None:
            return None
        if isinstance(item.content, Branch) and item.content.kind == self.kind:
            return item.content
        raise TypeError(f"{self.label} is {_named(item.content)}, not {_NAMES[self.kind]}")

    def make(self, live: Live) -> None:
        """Put an empty one there, and all that it lies in, where there is nothing."""
        if self.demand(live.mirror()) is None:
            self._parent.make(live)

            def build(mirror: Mirror, client: int) -> bytes:
                parent = self._parent.demand(mirror)
                assert parent is not None
                return set_keys(mirror, client, parent, {self._key: New(self.kind)})

            live.write(build)


class InList(Place):
    """One of the items of a list, wherever it moves to."""

    def __init__(self, item: Id, label: str, kind: int) -> None:
        self.label = label
        self.kind = kind
        self._item = item

    def find(self, mirror: Mirror) -> Branch | None:
        """It, as long as it is there."""
        item = mirror.find(self._item)
        branch = None if item is None else item.content
        return branch if isinstance(branch, Branch) and branch.alive else None

    def demand(self, mirror: Mirror) -> Branch | None:
        """It; raises ``Removed``."""
        branch = self.find(mirror)
        if branch is None:
            raise Removed(f"{_NAMES[self.kind]} that was {self.label} has been removed")
        return branch


class Shared:
    """A map, array or text of a document that others edit as well.

    What is read is always as the document is now; what is written is in the document at once, and on its way.
    """

    _kind: ClassVar[int]

    def __init__(self, live: Live, place: Place) -> None:
        self._live = live
        self._place = place

    @property
    def place(self) -> Place:
        """Where it is in the document."""
        return self._place

    def _branch(self) -> Branch:
        """What there is, perhaps nothing yet. Called with the lock held, like all that is done with it."""
        return self._place.demand(self._live.mirror()) or Branch()

    def _edit(self, build: Callable[[Mirror, int, Branch], bytes]) -> None:
        """Make an edit, and before it the shared value itself where it is not there yet."""
        with self._live.batch():
            self._place.make(self._live)

            def edit(mirror: Mirror, client: int) -> bytes:
                branch = self._place.demand(mirror)
                assert branch is not None
                return build(mirror, client, branch)

            self._live.write(edit)

    def on_change(self, callback: Callable[[Change], object]) -> Callable[[], None]:
        """Call ``callback(change)`` after every transaction that changed it or what lies in it.

        It is called outside of transactions, soon after them, and may edit the document. What it raises is logged.
        Returns a function that takes it away again.
        """
        with self._live.lock:
            return self._live.watch(self._place.find, self._kind, callback)

    __hash__ = None  # type: ignore[assignment]  # it is compared by what it holds, which changes


def _named(content: Any) -> str:
    if isinstance(content, Branch):
        return _NAMES.get(-1 if content.kind is None else content.kind, "XML")
    return "a plain value"


def open_map(live: Live, place: Place) -> SharedMap:
    """The map at a place."""
    from .mapping import SharedMap  # maps and arrays hold each other

    return SharedMap(live, place)


def open_array(live: Live, place: Place) -> SharedArray:
    """The array at a place."""
    from .array import SharedArray

    return SharedArray(live, place)


def open_text(live: Live, place: Place) -> SharedText:
    """The text at a place."""
    from .text import SharedText

    return SharedText(live, place)
