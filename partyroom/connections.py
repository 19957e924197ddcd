"""Connections: who is in a room, and what is said to all of them.

A broadcast costs one list entry when it is made. When the loop tick ends, or earlier where order asks for it, all that
was said to everyone is joined once and handed to each connection in one piece, so a burst to a hundred clients costs a
hundred writes and not a hundred for each message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .clock import Tick
from .connection import Connection
from .frame import Frame

__all__ = ["Connections"]


class Connections:
    """The connections of one room, the oldest first."""

    __slots__ = ("_by_id", "_everyone", "_tick", "unsaid")

    def __init__(self, tick: Tick) -> None:
        self.unsaid: list[tuple[Frame, Collection[Connection | str]]] = []
        """What was broadcast in this tick and not handed on yet, with whom to leave out."""
        self._everyone: dict[Connection, None] = {}
        self._by_id: dict[str, list[Connection]] = {}
        self._tick = tick

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
        self._everyone[connection] = None
        self._by_id.setdefault(connection.id, []).append(connection)
        connection.company = self

    def remove(self, connection: Connection) -> None:
        """Somebody has gone."""
        del self._everyone[connection]
        same = self._by_id[connection.id]
        same.remove(connection)
        if not same:
            del self._by_id[connection.id]

    def broadcast(self, frame: Frame, without: Collection[Connection | str] = ()) -> None:
        """Say something to everyone but those in ``without`` (connections or ids)."""
        if not self.unsaid:
            self._tick.at_end(self.hand_on)
        self.unsaid.append((frame, tuple(without)))  # its owner may change it before the tick ends

    def hand_on(self) -> None:
        """Hand what is unsaid to the connections, in order."""
        unsaid = self.unsaid
        if not unsaid:
            return
        self.unsaid = []
        if len(unsaid) == 1:  # the common case, and the one where every call counts
            frame, without = unsaid[0]
            for connection in self._everyone:
                if not without or (connection not in without and connection.id not in without):
                    connection.deliver(frame)
            return
        whole = Frame.joined([frame for frame, _ in unsaid])
        left_out = {one for _, without in unsaid for one in without}
        by_id = any(isinstance(one, str) for one in left_out)
        for connection in self._everyone:
            if connection not in left_out and not (by_id and connection.id in left_out):
                connection.deliver(whole)
                continue
            theirs = [f for f, without in unsaid if connection not in without and connection.id not in without]
            if theirs:
                connection.deliver(Frame.joined(theirs))
