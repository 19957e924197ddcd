"""Scribe: notes by whom each edit is, and writes it down two seconds later, off the path of the edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..clock import Timer
from ..connection import Connection
from ..limits import KIB
from ..protocols.awareness import Awareness
from ..room import Room
from .authors import SERVER, Author, Authors, author_of, clients_of, shown_name
from .beats import Beats, Taking

__all__ = ["BEAT", "Scribe"]

BEAT: Final = 2.0
"""Seconds from an edit to its being written down."""
MOST_WAITING: Final = 256 * KIB
"""Bytes of edits that wait for that at most."""


class Scribe:
    """Who edits one document; ``wake`` is called when there is something to ``write_down``."""

    def __init__(self, room: Room, awareness: Awareness, wake: Callable[[], object]) -> None:
        self.authors = Authors(room.storage)
        self.beats = Beats(room.storage)
        self.since: float | None = None
        """When the first edit was made since ``turn_page``..."""
        self.edited_at = 0.0
        """...and the last one, to two seconds (seconds since the epoch)..."""
        self.changed = 0
        """...and how many bytes of edits all together are."""
        self._room = room
        self._awareness = awareness
        self._wake = wake
        self._recent: list[tuple[object, bytes]] = []
        self._waiting = 0
        self._patience: float = MOST_WAITING
        self._began = 0.0
        self._timer: Timer | None = None
        self._left: dict[Connection, Author] = {}

    def edited(self, sender: object, update: bytes) -> None:
        """``sender`` has edited: a connection, an ``Author``, or else this server. On the path of every edit."""
        self._recent.append((sender, update))
        self._waiting += len(update)
        if self._timer is None or self._waiting > self._patience:
            self._soon()

    def leaving(self, connection: Connection) -> None:
        """A client leaves, and takes along what it shows of itself."""
        if any(sender is connection for sender, _ in self._recent):
            self._left[connection] = self.author(connection)

    def turn_page(self) -> None:
        """From here on count anew."""
        self.since, self.changed = None, 0

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def resume(self) -> None:
        """Wake somebody again for what is left."""
        if self._recent and self._timer is None:
            self._soon()

    def forget(self) -> None:
        """Nothing of it is stored any more."""
        self._recent.clear()
        self._waiting = 0
        self._left.clear()
        self.authors.forget()
        self.beats.forget()
        self.turn_page()

    def author(self, sender: object) -> Author:
        """Who somebody is that ``edited`` may name."""
        if not isinstance(sender, Connection):
            return sender if isinstance(sender, Author) else SERVER
        if (left := self._left.get(sender)) is not None:
            return left
        author = author_of(sender.request, otherwise=sender.id)
        return author if author.name else author._replace(name=shown_name(self._awareness, sender))

    async def write_down(self) -> None:
        """Write down what has been noted so far; not to be called again before it returns."""
        count = len(self._recent)
        await self.beats.open()
        if not count:
            return
        noted: dict[object, list[bytes]] = {}
        for sender, update in self._recent[:count]:
            noted.setdefault(sender, []).append(update)
        authors = {sender: self.author(sender) for sender in noted}
        wrote = {client: authors[sender] for sender, updates in noted.items() for client in clients_of(updates)}
        met = await self.authors.meet(wrote, self._room.clock.now())
        signed = [(authors[sender], update) for sender, update in self._recent[:count]]
        began, self._began = self._began, self._room.clock.now()
        self._write(began, signed, met)
        del self._recent[:count]
        self._left.clear()
        self._waiting = sum(len(update) for _, update in self._recent)
        self._patience = MOST_WAITING

    def write_taking(self, author: Author, update: bytes, taking: Taking, met: dict[str, Any]) -> None:
        """Write down at once an edit that has taken others back; ``met`` is what ``Authors`` says of its client."""
        self._write(self._room.clock.now(), [(author, update)], met, taking)

    def _write(
        self, began: float, signed: list[tuple[Author, bytes]], met: dict[str, Any], taking: Taking | None = None
    ) -> None:
        now = self._room.clock.now()
        self._room.storage.put(met | self.beats.keep(began, now, signed, taking))
        self.since = began if self.since is None else self.since
        self.changed += sum(len(update) for _, update in signed)
        self.edited_at = now

    def _soon(self) -> None:
        clock = self._room.clock
        if self._timer is None:
            self._began = clock.now()
            self._timer = clock.call_later(BEAT, self._ring)
        else:
            self._patience = float("inf")  # until what waits has been written
            self._timer.cancel()
            self._timer = clock.call_later(0, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake()
