"""SharedMap: a ``Y.Map`` as a Python ``dict``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from . import reading
from .shared import InKey, Shared, open_array, open_map, open_text
from .storing import storable, text
from .writing import ARRAY, MAP, TEXT, delete_keys, set_keys

if TYPE_CHECKING:
    from .array import SharedArray
    from .text import SharedText

__all__ = ["SharedMap"]


class SharedMap(Shared, MutableMapping[str, Any]):
    """A dict that others edit as well: keys are ``str``, values JSON and ``bytes`` (``client.storing``).

    Where two set one key at the same time, one of the values stays, the same for all. A value that is read is a copy:
    changing a list in it changes nothing until it is set again. For values in which several may edit at the same time
    there are maps, arrays and texts within the map: ``state.map("people")``, ``state.text("title")``. Such a one is
    made when it is first written to; if two make it at the same time, one of the two stays, with what is in it.

    The order of keys is not the same for all clients.
    """

    _kind = MAP

    def __getitem__(self, key: str) -> Any:
        with self._live.lock:
            item = self._branch().value(key)
            if item is None:
                raise KeyError(key)
            return reading.value(item)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        with self._live.lock:
            if key not in self:
                raise KeyError(key)
            self._edit(lambda mirror, client, branch: delete_keys(branch, [key]))

    def __iter__(self) -> Iterator[str]:
        with self._live.lock:
            branch = self._branch()
            return iter([key for key in branch.entries if branch.value(key) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        with self._live.lock:
            return isinstance(key, str) and self._branch().value(key) is not None

    def __eq__(self, other: object) -> bool:
        return self.copy() == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy()

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> SharedMap:
        self.update(other)
        return self

    def __repr__(self) -> str:
        return f"<SharedMap {self._place.label} {self.copy()!r}>"

    def copy(self) -> dict[str, Any]:
        """All that it holds, as a plain ``dict``."""
        with self._live.lock:
            return reading.entries(self._branch())

    def update(self, other: Any = (), /, **values: Any) -> None:
        """Set several keys, in one transaction; nothing is set where one of them cannot be."""
        label = self._place.label
        new = cast(dict[str, Any], storable(dict(other, **values), label))
        if new:
            self._edit(lambda mirror, client, branch: set_keys(mirror, client, branch, new))

    def clear(self) -> None:
        """Delete all keys, in one transaction."""
        with self._live.lock:
            if keys := list(self):
                self._edit(lambda mirror, client, branch: delete_keys(branch, keys))

    def map(self, key: str) -> SharedMap:
        """The map within this one, live. Raises ``TypeError``, also later, where the key holds something else."""
        return open_map(self._live, self._within(key, MAP))

    def array(self, key: str) -> SharedArray:
        """The array within this map, live; see ``map``."""
        return open_array(self._live, self._within(key, ARRAY))

    def text(self, key: str) -> SharedText:
        """The text within this map, live; see ``map``."""
        return open_text(self._live, self._within(key, TEXT))

    def _within(self, key: str, kind: int) -> InKey:
        place = InKey(self._place, text(key, f"a key of {self._place.label}"), kind)
        with self._live.lock:
            place.demand(self._live.mirror())
        return place
