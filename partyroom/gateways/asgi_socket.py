"""AsgiSocket: one WebSocket of an ASGI server as a Transport, and the reading of it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..connection import Connection
from ..errors import CloseCode, ProtocolError
from ..frame import Frame, sayable
from ..lobby import Lobby
from ..room import DONE, Room
from .rules import CLOSE_TIMEOUT, DEAF_TIMEOUT, End

__all__ = ["AsgiSocket", "Message", "Receive", "Send"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("partyroom.asgi")

BROKEN = {1002: "the protocol", 1007: "its own encoding", 1009: "the server's size limit"}
"""Close codes by which a server tells that a peer broke something."""


class AsgiSocket:
    """What is written goes into a queue; a task, the pump, hands it to the server as fast as that takes it."""

    def __init__(self, lobby: Lobby, receive: Receive, send: Send) -> None:
        self._lobby = lobby
        self._receive = receive
        self._send = send
        self._queue: deque[Frame] = deque()
        self._waiting = 0
        self._goodbye: tuple[int, str] | None = None
        self._said_goodbye = False
        self._wake = asyncio.Event()
        self._cut = False
        self._listener: asyncio.Task[Any] | None = None
        self._pump = asyncio.create_task(self._pumping())

    # -- the Transport -----------------------------------------------------------------------------------------------

    def write(self, frame: Frame) -> int:
        """Queue a message; returns how many bytes the server has not taken yet of those before it."""
        if self._goodbye is not None:
            return 0
        waiting = self._waiting
        self._waiting = waiting + len(frame.wire)
        self._queue.append(frame)
        if not waiting:
            self._wake.set()
        return waiting

    def close(self, code: int, reason: str) -> None:
        """Say goodbye after what is queued; the peer has a time to read it all and to answer."""
        if self._goodbye is None:
            self._goodbye = code, reason
            self._wake.set()
            patience = DEAF_TIMEOUT if self._lobby.closing else CLOSE_TIMEOUT
            asyncio.get_running_loop().call_later(patience, self.abort)

    def abort(self) -> None:
        """Let go of the connection; what is queued here is dropped, and the server does what it does then."""
        if not self._cut:
            self._cut = True
            self._goodbye = self._goodbye or (CloseCode.ABNORMAL, "")
            self._queue.clear()
            self._pump.cancel()
            if self._listener is not None:
                self._listener.cancel()

    # -- out ---------------------------------------------------------------------------------------------------------

    async def _pumping(self) -> None:
        queue, send = self._queue, self._send
        try:
            while True:
                while queue:
                    frame = queue[0]
                    for message in frame.messages:
                        if isinstance(message, str):
                            await send({"type": "websocket.send", "text": sayable(message)})
                        else:
                            await send({"type": "websocket.send", "bytes": message})
                    queue.popleft()
                    self._waiting -= len(frame.wire)
                if self._goodbye is not None:
                    code, reason = self._goodbye
                    self._said_goodbye = True
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                self._wake.clear()
                await self._wake.wait()
        except Exception as error:  # the peer has gone, or the server has closed: whoever reads hears of it too
            log.debug("the server takes no more: %r", error)
            self._goodbye = self._goodbye or (CloseCode.ABNORMAL, "")
            queue.clear()

    async def end(self) -> None:
        """The visit is over: send what is queued, but do not wait for ever for a peer that does not read."""
        if self._goodbye is None or self._cut:
            self._pump.cancel()
        try:
            await asyncio.wait([self._pump], timeout=CLOSE_TIMEOUT)
        finally:
            self._cut = True
            self._pump.cancel()

    # -- in ----------------------------------------------------------------------------------------------------------

    async def read(self, room: Room, connection: Connection | None, end: End) -> None:
        """Pass on messages until the socket ends, and note in ``end`` how it did. Without a connection, drop them."""
        most = room.limits.message
        while not self._cut and (message := await self._next(end)) is not None:
            text = message.get("text")
            data = message["bytes"] if text is None else text
            if _size(data, most) > most:
                end.error = ProtocolError(f"a message has at most {most} bytes here", CloseCode.TOO_LARGE)
                self.close(CloseCode.TOO_LARGE, end.error.reason)
                return
            if connection is not None and (result := room.receive(connection, data)) is not DONE:
                await result

    async def _next(self, end: End) -> Message | None:
        """The next message from the peer; ``None`` when there are no more."""
        self._listener = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            assert self._listener is not None
            if self._cut and not self._listener.uncancel():
                return None
            self.close(CloseCode.GOING_AWAY, "the server is going away")
            end.code, end.reason = CloseCode.GOING_AWAY, "the server is going away"
            raise
        finally:
            self._listener = None
        if message["type"] == "websocket.receive":
            return message
        self._ended(message, end)
        return None

    def _ended(self, message: Message, end: End) -> None:
        """Note how the server says that the socket has ended."""
        if self._said_goodbye and self._goodbye is not None:
            end.code, end.reason = self._goodbye  # servers tell of our own code, or of none
            return
        code, reason = message.get("code", CloseCode.NO_STATUS), message.get("reason")
        if code == CloseCode.NO_STATUS and "reason" not in message:
            code = CloseCode.ABNORMAL  # so uvicorn tells of a connection that is lost
        end.code, end.reason = code, reason or ""
        if code in BROKEN:
            end.error = ProtocolError(f"the peer broke {BROKEN[code]}: {reason or 'no more is known'}", code)


def _size(data: str | bytes, most: int) -> int:
    """The size in UTF-8, exact where it may be over ``most``."""
    if isinstance(data, bytes) or data.isascii() or len(data) * 4 <= most:
        return len(data)
    return len(data.encode())
