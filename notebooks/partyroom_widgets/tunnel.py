"""Tunnels: WebSockets to the room for pages that cannot reach the server, led through the kernel.

A page sends and gets the very frames that it would over a WebSocket of its own: the server answers for their content,
and a page that comes back syncs as over any other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import partyroom
from partyroom.client import SocketRoom

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Tunnels"]

MOST: Final = 8
"""How many a view keeps: pages that were closed do not say so, and theirs are the oldest."""
MIB: Final = 2**20


class Tunnels:
    """``send(message, buffers)`` sends something to all pages of a view, of which each knows its sockets by name."""

    def __init__(self, room: Room, send: Callable[..., object]) -> None:
        self._room = room
        self._send = send
        self._lock = threading.Lock()
        self._open: dict[str, SocketRoom] = {}

    def open(self, name: str) -> None:
        """Open one; ``opened`` and ``closed`` tell how that went. It is used for one connection only."""
        room = self._room
        socket = partyroom.connect(
            room.link,
            document=False,
            token=room.token(),
            post=lambda callback: callback(),
            wait=0,
            max_message=64 * MIB,
            queue=64 * MIB,
        )
        with self._lock:
            self._open[name] = socket
            old = [self._open.pop(one) for one in list(self._open)[:-MOST]]
        for one in old:
            one.close()
        socket.on_message(lambda message: self._pass_on(name, message))
        socket.on_status(lambda status: self._stands(name, status))
        self._stands(name, socket.status)

    def _pass_on(self, name: str, message: str | bytes) -> None:
        if isinstance(message, bytes) and name in self._open:
            self._send({"type": "frame", "socket": name}, [message])

    def _stands(self, name: str, status: str) -> None:
        if status == "open":
            self._send({"type": "opened", "socket": name})
        elif status != "connecting":
            self._send({"type": "closed", "socket": name})  # to which the page answers with `close`

    def say(self, name: str, data: bytes) -> None:
        """Send the server something."""
        socket = self._open.get(name)
        if socket is not None and socket.status == "open":
            socket.send(data)

    def shut(self, name: str) -> None:
        """Close one; not in the network's thread."""
        with self._lock:
            socket = self._open.pop(name, None)
        if socket is not None:
            socket.close()

    def close(self) -> None:
        """Close all."""
        for name in list(self._open):
            self.shut(name)
