"""Connections: who is in a room, and what is said to all of them.

A broadcast costs one list entry when it is made. When the loop tick ends, or earlier where order asks for it, all that
was said to everyone is joined once and handed to each connection in one piece, so a burst to a hundred clients costs a
hundred writes and not a hundred for each message. Where a room has had one message a tick of late, nothing would be
joined: its messages are handed on when the read that they came in is dealt with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Set
from typing import Final

from .clock import Tick
from .connection import Connection
from .frame import Frame

__all__ = ["Connections"]

NOBODY: Final[Set[Connection]] = frozenset()
ALONE: Final = 4
"""Ticks in a row with one message each, after which no other is waited for..."""
LOOK: Final = 16
"""...so many times; then a tick is awaited to see whether it still has one."""


class Connections:
    """The connections of one room, the oldest first."""

    __slots__ = ("_alone", "_by_id", "_everyone", "_most_waiting", "_tick", "unsaid")

    def __init__(self, tick: Tick, most_waiting: int) -> None:
        self.unsaid: list[tuple[Frame, Set[Connection]]] = []
        """What was broadcast in this tick and not handed on yet, with whom to leave out."""
        self._everyone: dict[Connection, Callable[[Frame], int]] = {}
        """Each with its ``write``."""
        self._by_id: dict[str, list[Connection]] = {}
        self._tick = tick
        self._alone = 0
        """How many messages in a row had no other in their tick, as far as was looked."""
        self._most_waiting = most_waiting

    def __len__(self) -> int:
        return len(self._everyone)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._everyone))

    def __contains__(self, connection: object) -> bool:
        return connection in self._everyone

    def open(self, tag: str | None = None) -> list[Connection]:
        """Those that are open, or those of them with a tag."""
        return [one for one in self._everyone if not one.closed and (tag is None or tag in one.tags)]

    def newest(self, id: str) -> Connection | None:
        """The newest open one that claims ``id``."""
        return next((one for one in reversed(self._by_id.get(id, ())) if not one.closed), None)

    def add(self, connection: Connection) -> None:
        """Somebody has come; what was said before is not for them."""
        self.hand_on()
        self._everyone[connection] = connection.write
        self._by_id.setdefault(connection.id, []).append(connection)
        connection.company = self

    def remove(self, connection: Connection) -> None:
        """Somebody has gone."""
        del self._everyone[connection]
        same = self._by_id[connection.id]
        same.remove(connection)
        if not same:
            del self._by_id[connection.id]

    def silence(self, connection: Connection) -> None:
        """It is closing: what is said now goes nowhere."""
        if connection in self._everyone:
            self._everyone[connection] = connection.write

    def broadcast(self, frame: Frame, without: Collection[Connection | str] = ()) -> None:
        """Say something to everyone but those in ``without`` (connections or ids)."""
        if not self.unsaid:
            soon = self._tick.at_end if self._alone < ALONE else self._tick.after_read
            soon(self.hand_on)
        self.unsaid.append((frame, self._named(without) if without else NOBODY))

    def _named(self, some: Collection[Connection | str]) -> Set[Connection]:
        named: set[Connection] = set()
        for one in some:
            if isinstance(one, str):
                named.update(self._by_id.get(one, ()))
            else:
                named.add(one)
        return named

    def hand_on(self) -> None:
        """Hand what is unsaid to the connections, in order."""
        unsaid = self.unsaid
        if not unsaid:
            return
        self.unsaid = []
        if len(unsaid) == 1:  # the common case
            whole, left_out = unsaid[0]
            self._alone = self._alone + 1 if self._alone < ALONE + LOOK else ALONE - 1
        else:
            self._alone = 0
            whole = Frame.joined([frame for frame, _ in unsaid])
            left_out = {one for _, some in unsaid for one in some}
        most_waiting = self._most_waiting
        for connection, write in self._everyone.items():
            # Not `connection.deliver(whole)`: this is done for each of a hundred at every message.
            if connection not in left_out and (waiting := write(whole)) > most_waiting:
                connection.cut(waiting)
        if len(unsaid) > 1:
            for connection in left_out & self._everyone.keys():
                if theirs := [frame for frame, some in unsaid if connection not in some]:
                    connection.deliver(Frame.joined(theirs))
