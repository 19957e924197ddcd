"""LocalSocket: a WebSocket without a network, for rooms that visit rooms and for tests."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from .connection import Connection
from .errors import CloseCode, ConnectionClosed
from .frame import Frame
from .http import Request
from .room import Room

__all__ = ["LocalSocket", "LocalTransport"]


class LocalTransport:
    """The room's end: a Transport that keeps what the room sends until somebody takes it."""

    def __init__(self) -> None:
        self.messages: deque[str | bytes] = deque()
        """What the room has sent and nobody has taken yet."""
        self.buffered = 0
        """The size of ``messages``: bytes, or characters for text."""
        self.ended: ConnectionClosed | None = None
        """How the connection ended, once it has."""
        self.changed = asyncio.Event()
        """Set whenever something was sent or the connection ended."""

    def write(self, frame: Frame) -> int:
        """Keep the messages of a frame; returns the size of those that were kept already."""
        waiting = self.buffered
        if self.ended is None:
            self.messages.extend(frame.messages)
            self.buffered += sum(map(len, frame.messages))
            self.changed.set()
        return waiting

    def take(self) -> str | bytes:
        """The oldest message; raises ``IndexError`` when there is none."""
        message = self.messages.popleft()
        self.buffered -= len(message)
        return message

    def close(self, code: int, reason: str) -> None:
        """End; what was sent before can still be taken."""
        if self.ended is None:
            self.ended = ConnectionClosed(code, reason)
            self.changed.set()

    def abort(self) -> None:
        """End abnormally (1006), dropping what was not taken."""
        self.messages.clear()
        self.buffered = 0
        self.close(CloseCode.ABNORMAL, "")


class LocalSocket:
    """The visitor's end of a connection to a room in this process: ``async with`` it, or ``open`` and ``close`` it."""

    def __init__(self, room: Room, request: Request) -> None:
        self._room = room
        self._request = request
        self._sending = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self.transport = LocalTransport()
        self.connection: Connection | None = None
        """The room's view of this visitor, once open."""

    async def open(self) -> Self:
        """Join the room: returns after ``on_start`` and ``on_connect``. Raises ``RoomStopped`` or ``Refused``."""
        self.connection = await self._room.join(self.transport, self._request)
        self._watcher = asyncio.create_task(self._leave_at_the_end(self.connection))
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, message: str | bytes) -> None:
        """Send a message and wait until the room has handled it. Raises ``ConnectionClosed``."""
        async with self._sending:
            if self.connection is None:
                raise ConnectionClosed(reason="this socket is not open yet")
            if self.transport.ended is not None:
                raise self.transport.ended
            await self._room.receive(self.connection, message)

    async def receive(self) -> str | bytes:
        """The next message, waiting for one. Raises ``ConnectionClosed`` when there will be no more."""
        while not self.transport.messages:
            if self.transport.ended is not None:
                raise self.transport.ended
            self.transport.changed.clear()
            await self.transport.changed.wait()
        return self.transport.take()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Leave the room and wait for its ``on_close``. Closing twice is no error."""
        self.transport.close(code, reason)
        if self._watcher is not None:
            await asyncio.shield(self._watcher)

    async def _leave_at_the_end(self, connection: Connection) -> None:
        transport = self.transport
        while transport.ended is None:
            transport.changed.clear()
            await transport.changed.wait()
        async with self._sending:  # a connection's hooks run one at a time: on_close after the on_message that runs
            await self._room.leave(connection, transport.ended.code, transport.ended.reason)
