"""state: values that all in the room share, as a ``dict`` with events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from partyroom.client import Change
from partyroom.client.values import ABSENT, KeyEdit

if TYPE_CHECKING:
    from .room import Room

__all__ = ["State"]

STATE: Final = "state"
"""The map of the document; ``partyroom.connect("lesson-3").map("state")`` is the same for programs."""


class State(MutableMapping[str, Any]):
    """``room.state["step"] = 3`` and all have it. Values are JSON and ``bytes``; what is read is a copy."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._map = room.client.map(STATE)

    def __getitem__(self, key: str) -> Any:
        return self._map[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._map[key] = value

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def __repr__(self) -> str:
        return f"<State {dict(self._map)!r}>"

    def on(self, key: str, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``callback(value)`` in the kernel's thread when the value of ``key`` has changed, by whomever; ``None``
        is told when it is gone. Returns a function that ends it."""
        return self._watch(lambda changed: key in changed and callback(self.get(key)))

    def on_change(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call ``callback(changed)`` in the kernel's thread with the new values by key; see ``on``."""
        return self._watch(callback)

    def _watch(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        def changed(change: Change) -> None:
            new: dict[str, Any] = {}
            for edit in change.edits:
                if edit.path:  # somebody has edited a map or list that is a value
                    new[str(edit.path[0])] = self.get(str(edit.path[0]))
                elif isinstance(edit, KeyEdit):
                    new[edit.key] = None if edit.new is ABSENT else edit.new
            self._room.turns.post(lambda: callback(new))

        return self._map.on_change(changed)
