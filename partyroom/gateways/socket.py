"""Socket: one WebSocket as a Transport, written as an asyncio transport is. The gateways that write frames share it.

What one loop tick sends to a client leaves in one write, a silent peer is pinged and then cut, and a goodbye is not
waited for without end.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from struct import pack
from typing import Protocol

from ..frame import CLOSE, PING, PONG, Frame, control
from ..lobby import Lobby
from .rules import CLOSE_TIMEOUT, DEAF_TIMEOUT, HEARTBEAT, MOST_PONGS

__all__ = ["Heartbeat", "Socket", "Wire"]


class Wire(Protocol):
    """The part of ``asyncio.Transport`` that a socket needs."""

    def write(self, data: bytes, /) -> None:
        """Send, or keep until it can be sent; nothing, or a ``RuntimeError``, where the connection has ended."""
        ...

    def get_write_buffer_size(self) -> int:
        """Bytes kept."""
        ...

    def close(self) -> None:
        """End the connection when what is kept has been sent."""
        ...

    def abort(self) -> None:
        """End the connection now."""
        ...


class Socket:
    """One WebSocket as a Transport."""

    __slots__ = ("_flush", "_lobby", "_out", "_queued", "_wire", "_wire_size", "_wire_write", "closing",
                 "heard", "listening", "pinged", "tick")  # fmt: skip

    def __init__(self, lobby: Lobby, wire: Wire) -> None:
        self._lobby = lobby
        self.tick = lobby.tick
        self._wire = wire
        self._out: list[bytes] = []
        self._queued = 0
        self.closing = False
        self.heard = True
        """Whether anything has arrived since the last heartbeat."""
        self.listening = False
        """Whether what arrives is read; not while the room takes its time over a message."""
        self.pinged = False
        # Bound once: these are called for every client at every broadcast.
        self._wire_write = wire.write
        self._wire_size = wire.get_write_buffer_size
        self._flush = self.flush

    def write(self, frame: Frame) -> int:
        """Write a message when this loop tick ends, or sooner; returns how many bytes were waiting before."""
        if self.closing:
            return 0
        waiting = self._queued + self._wire_size()
        if self.tick.ending and not self._queued:
            try:  # noqa: SIM105 (a context manager costs as much as the call)
                self._wire_write(frame.wire)
            except RuntimeError:  # uvloop: it has ended
                pass
        else:
            self.queue(frame.wire)
        return waiting

    def queue(self, wire: bytes) -> None:
        """Queue encoded frames for the end of this read, or of this loop tick."""
        if not self._out:
            self.tick.after_read(self._flush)
        self._out.append(wire)
        self._queued += len(wire)

    def pong(self, payload: bytes) -> None:
        """Answer a ping, unless so much is waiting that the peer cannot be reading."""
        if self._queued + self._wire_size() < MOST_PONGS:
            self.queue(control(PONG, payload))

    def flush(self) -> None:
        """Hand what is queued to the event loop, in one write."""
        out, self._out, self._queued = self._out, [], 0
        with suppress(RuntimeError):  # uvloop: it has ended
            self._wire_write(out[0] if len(out) == 1 else b"".join(out))

    def close(self, code: int, reason: str) -> None:
        """Queue a close frame and cut the connection if the peer does not answer it in time."""
        if not self.closing:
            self.queue(control(CLOSE, pack("!H", code) + reason.encode()))
            self.closing = True
            # An application that shuts down reads no more, so no answer would be seen.
            patience = DEAF_TIMEOUT if self._lobby.closing else CLOSE_TIMEOUT
            asyncio.get_running_loop().call_later(patience, self._give_up)

    def end(self) -> None:
        """Send what is queued, close, and do not wait for ever for a peer that does not read."""
        if self._out:
            self.flush()
        self._wire.close()
        if self._wire.get_write_buffer_size():
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._wire.abort)

    def _give_up(self) -> None:
        if self._wire.get_write_buffer_size():
            self._wire.abort()
        else:
            self._wire.close()

    def abort(self) -> None:
        """Cut the connection now."""
        self.closing = True
        self._wire.abort()

    def beat(self) -> None:
        """One heartbeat: ping a silent peer, and cut one that was silent after a ping though we listened."""
        if not self.heard:
            if self.pinged and self.listening:
                self.abort()
                return
            self.queue(control(PING))
        self.pinged, self.heard = not self.heard, False


class Heartbeat:
    """Beats every so many seconds for the sockets of one gateway, while there are any."""

    def __init__(self, seconds: float = HEARTBEAT) -> None:
        self._seconds = seconds
        self._sockets: set[Socket] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: Socket) -> None:
        """A socket has opened."""
        self._sockets.add(socket)
        self._wind()

    def discard(self, socket: Socket) -> None:
        """A socket has ended."""
        self._sockets.discard(socket)

    def _wind(self) -> None:
        if self._timer is None and self._sockets:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._beat)

    def _beat(self) -> None:
        self._timer = None
        for socket in list(self._sockets):
            socket.beat()
        self._wind()
