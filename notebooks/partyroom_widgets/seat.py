"""Seat: who drives a shared widget, where only one may move it. It is in the document, so newcomers know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .people import FIELD, Person, read

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Seat"]


class Seat:
    """The seat of one key. It is free while nobody has taken it, and when whoever has is not here any more."""

    def __init__(self, room: Room, key: str) -> None:
        self._room = room
        self._key = key

    @property
    def driver(self) -> Person | None:
        """Who drives; ``None`` while the seat is free. Without a connection, who did when there was one."""
        record = self._record()
        if record is None:
            return None
        here = next((person for person in self._room.people if person.id == record["id"]), None)
        if here is None and self._room.status != "synced":
            return read(0, {"user": record, FIELD: {"id": record["id"]}})
        return here

    @property
    def free(self) -> bool:
        """Whether nobody drives."""
        return self.driver is None

    @property
    def mine(self) -> bool:
        """Whether you drive."""
        record = self._record()
        return record is not None and record["id"] == self._room.me.id

    def take(self, *, force: bool = False) -> bool:
        """Drive, where the seat is free, or by ``force``; else ask. Returns whether you drive."""
        if not (self.mine or self.free or force):
            self.ask(True)
            return False
        if not self.mine:
            self._put(self._room.me)
        self.ask(False)
        return True

    def ask(self, wanted: bool) -> None:
        """Show the driver that you would like to drive, or would not any more."""
        self._room.want(self._key, wanted)

    def give(self, person: Person | str | None) -> None:
        """Have somebody else drive, or nobody. Raises ``PermissionError`` and ``LookupError``: see ``Share.give``."""
        if not (self.mine or self.free):
            raise PermissionError(f"you do not drive {self._key!r}: ask for it, with take()")
        if person is None:
            self._room.sharing.drivers.pop(self._key, None)
            return
        wanted = person.id if isinstance(person, Person) else person
        found = [one for one in self._room.people if wanted in (one.id, one.name)]
        if len(found) != 1:
            number = f"{len(found)} people are" if found else "nobody is"
            raise LookupError(f"{number} called {wanted!r} here: give it to one of room.people")
        self._put(found[0])

    def _put(self, person: Person) -> None:
        self._room.sharing.drivers[self._key] = {"id": person.id, "name": person.name, "color": person.color}

    def _record(self) -> Mapping[str, Any] | None:
        record = self._room.sharing.drivers.get(self._key)
        return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None
