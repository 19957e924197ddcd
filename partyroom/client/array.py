"""SharedArray: a ``Y.Array`` as a Python ``list``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSequence
from typing import TYPE_CHECKING, Any, Never, SupportsIndex, overload

from . import positions, reading
from .changes import pairs
from .items import Branch
from .positions import Position
from .shared import InList, Shared, open_array, open_map, open_text
from .storing import storable
from .writing import ARRAY, MAP, TEXT, New, delete, insert

if TYPE_CHECKING:
    from .mapping import SharedMap
    from .text import SharedText

__all__ = ["SharedArray"]


class SharedArray(Shared, MutableSequence[Any]):
    """A list that others edit as well; values are JSON and ``bytes`` (``client.storing``), and what is read is a copy.

    To set an item is to delete it and to insert another in its place. Assigning to a slice leaves alone what is the
    same at its beginning and its end, so ``rows[:] = new`` writes what has changed. There is no ``sort`` or
    ``reverse`` in place, which would delete and insert everything, under the hands of the others:
    ``rows[:] = sorted(rows)`` says so.

    Items that several may edit at the same time are maps, arrays and texts of their own: ``rows.insert_map(0)``, and
    ``rows.map(0)`` for one that is there.
    """

    _kind = ARRAY

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        with self._live.lock:
            branch = self._branch()
            if isinstance(index, slice):
                return reading.items(branch)[index]
            item, offset = branch.items.at(self._index(branch, index))
            assert item is not None
            return reading.contents(item)[offset]

    def __setitem__(self, index: int | slice, value: Any) -> None:
        with self._live.lock:
            if not isinstance(index, slice):
                start = self._index(self._branch(), index)
                self._replace(start, start + 1, [storable(value, f"{self._place.label}[{start}]")])
                return
            new = self._storable(value)
            old = self.copy()
            start, stop, step = index.indices(len(old))
            if step != 1:
                old[index] = new  # which checks the length as a list does
                with self._live.batch():
                    for at, one in zip(range(start, stop, step), new, strict=True):
                        self._replace(at, at + 1, [one])
                return
            stop = max(start, stop)
            before, after = pairs(old[start:stop], new)
            self._replace(start + before, stop - after, new[before : len(new) - after])

    def __delitem__(self, index: int | slice) -> None:
        with self._live.lock:
            branch = self._branch()
            if not isinstance(index, slice):
                start = self._index(branch, index)
                self._replace(start, start + 1, [])
                return
            doomed = sorted(range(*index.indices(len(branch.items))), reverse=True)
            if doomed and doomed[0] - doomed[-1] == len(doomed) - 1:
                self._replace(doomed[-1], doomed[0] + 1, [])
                return
            with self._live.batch():
                for at in doomed:
                    self._replace(at, at + 1, [])

    def __len__(self) -> int:
        with self._live.lock:
            return len(self._branch().items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.copy())

    def __reversed__(self) -> Iterator[Any]:
        return iter(self.copy()[::-1])

    def __contains__(self, value: object) -> bool:
        return value in self.copy()

    def __eq__(self, other: object) -> bool:
        return self.copy() == list(other) if isinstance(other, list | SharedArray) else NotImplemented

    def __repr__(self) -> str:
        return f"<SharedArray {self._place.label} {self.copy()!r}>"

    def copy(self) -> list[Any]:
        """All that it holds, as a plain ``list``."""
        with self._live.lock:
            return reading.items(self._branch())

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The first index of a value, as in ``list``; raises ``ValueError``."""
        items = self.copy()
        return items.index(value, start, len(items) if stop is None else stop)

    def count(self, value: Any) -> int:
        """How many items equal a value."""
        return self.copy().count(value)

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """Insert a value before an index, which is taken as in ``list.insert``."""
        with self._live.lock:
            self[slice(index, index)] = [value]

    def extend(self, values: Iterable[Any]) -> None:
        """Append several values, in one transaction; nothing is appended where one of them cannot be."""
        with self._live.lock:
            new = self._storable(values)
            length = len(self)
            self._replace(length, length, new)

    def append(self, value: Any) -> None:
        """Append a value."""
        self.extend([value])

    def clear(self) -> None:
        """Delete all items, in one transaction."""
        del self[:]

    def sort(self, *args: Any, **kwargs: Any) -> Never:
        """Not in place: raises ``TypeError``."""
        raise TypeError("a shared array is not sorted in place; rows[:] = sorted(rows) replaces what it holds")

    def reverse(self) -> Never:
        """Not in place: raises ``TypeError``."""
        raise TypeError("a shared array is not reversed in place; rows[:] = rows[::-1] replaces what it holds")

    # -- live items --------------------------------------------------------------------------------------------------

    def map(self, index: int) -> SharedMap:
        """The map at an index, live: it stays the same one where rows are inserted before it.

        Raises ``TypeError`` where there is something else, and from then on ``Removed`` once it has been removed.
        """
        return open_map(self._live, self._item(index, MAP))

    def array(self, index: int) -> SharedArray:
        """The array at an index, live; see ``map``."""
        return open_array(self._live, self._item(index, ARRAY))

    def text(self, index: int) -> SharedText:
        """The text at an index, live; see ``map``."""
        return open_text(self._live, self._item(index, TEXT))

    def insert_map(self, index: SupportsIndex, values: Any = ()) -> SharedMap:
        """Insert a map of its own that holds ``values``, which are taken as by ``dict``."""
        with self._live.batch():
            new = open_map(self._live, self._insert_new(index, MAP, storable(dict(values), "the new map")))
            new.update(values)
            return new

    def insert_array(self, index: SupportsIndex, values: Iterable[Any] = ()) -> SharedArray:
        """Insert an array of its own that holds ``values``."""
        with self._live.batch():
            values = storable(list(values), "the new array")
            new = open_array(self._live, self._insert_new(index, ARRAY, values))
            new.extend(values)
            return new

    def insert_text(self, index: SupportsIndex, value: str = "") -> SharedText:
        """Insert a text of its own that holds ``value``."""
        with self._live.batch():
            new = open_text(self._live, self._insert_new(index, TEXT, storable(value, "the new text")))
            new.append(value)
            return new

    # -- positions ---------------------------------------------------------------------------------------------------

    def position(self, index: int, assoc: int = 0) -> Position:
        """A position that stays before an item (with ``assoc`` -1, after the one on the left): see ``Position``."""
        with self._live.lock:
            self._place.make(self._live)
            return positions.create(self._branch(), index, assoc)

    def locate(self, position: Position) -> int | None:
        """The index where a position is now; ``None`` where it is unknown, or not in this array."""
        with self._live.lock:
            found = positions.resolve(self._live.mirror(), position)
            return found[1] if found is not None and found[0] is self._branch() else None

    # -- within ------------------------------------------------------------------------------------------------------

    def _storable(self, values: Iterable[Any]) -> list[Any]:
        copied: list[Any] = storable(list(values), self._place.label)
        return copied

    def _index(self, branch: Branch, index: int) -> int:
        length = len(branch.items)
        at = index + length if index < 0 else index
        if not 0 <= at < length:
            raise IndexError(f"{self._place.label} has {length} items, and no index {index}")
        return at

    def _replace(self, start: int, stop: int, new: list[Any]) -> None:
        """Insert first: what is new then stands where the old began, for those who insert there at the same time."""
        with self._live.batch():
            if new:
                self._edit(lambda mirror, client, branch: insert(mirror, client, branch, start, new))
            if stop > start:
                self._edit(lambda mirror, client, branch: delete(branch, start + len(new), stop + len(new)))

    def _insert_new(self, index: SupportsIndex, kind: int, values: Any) -> InList:
        start, _, _ = slice(index, None).indices(len(self))
        self._replace(start, start, [New(kind)])
        return self._item(start, kind)

    def _item(self, index: int, kind: int) -> InList:
        with self._live.lock:
            branch = self._branch()
            at = self._index(branch, index)
            item, _ = branch.items.at(at)
            assert item is not None
            label = f"{self._place.label}[{at}]"
            if not isinstance(item.content, Branch) or item.content.kind != kind:
                raise TypeError(f"{label} is no {({ARRAY: 'array', MAP: 'map', TEXT: 'text'})[kind]} of its own")
            return InList((item.client, item.clock), label, kind)
