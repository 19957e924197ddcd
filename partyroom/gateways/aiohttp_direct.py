"""The short way in: aiohttp's frame reader calls the room, without a queue, a future and a task switch per message.

This is the one place that touches aiohttp's private parts: ``WebSocketResponse._post_start``, the queue that its
``WebSocketReader`` feeds, and who feeds that. pyproject pins the minor version; ``available()`` tries the whole path
once with a frame of our own, and where it fails (another aiohttp, a rewrite of its reader) sockets are plain
``WebSocketResponse`` s and nothing but speed is lost.

The room is called only while the connection's handler waits for a message and nothing is queued, so order is kept. A
hook that is a coroutine is not run here (it needs its task): it is queued, begun by the handler, and messages queue up
behind it, where aiohttp's own flow control stops the peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from ..clock import Tick
from ..connection import Connection
from ..frame import Frame
from ..room import DONE, Room

__all__ = ["BEGUN", "DirectSocket", "available", "open_socket"]

log = logging.getLogger("partyroom.aiohttp")

BEGUN = "partyroom: begun"
"""Marks (as ``extra``) a message whose ``data`` is what ``room.receive`` returned, to be awaited."""
READ_LIMIT = 2**16
"""aiohttp stops reading a socket with twice this many bytes waiting in its queue, as its own sockets do."""

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY


class DirectQueue(WebSocketDataQueue):
    """Takes what the frame reader found: to the room, while it is bound to one, else into the queue."""

    _receive: Callable[[Connection, Any], Any] | None = None
    _connection: Connection

    def bind(self, room: Room, connection: Connection) -> None:
        """The handler is about to wait: messages may go to the room, until something has to be queued."""
        if not self._buffer:
            self._receive = room.receive
            self._connection = connection

    def feed_data(self, data: Any, size: int) -> None:
        """Called by the frame reader with each message, in order."""
        receive = self._receive
        if receive is not None:
            kind = data[0]
            if kind is TEXT or kind is BINARY:
                result = receive(self._connection, data[1])
                if result is DONE:
                    return
                data = WSMessage(kind, result, BEGUN)
            self._receive = None
        super().feed_data(data, size)


class Ear(Protocol):
    """Who wants to know that a peer lives."""

    heard: bool
    """Set whenever anything arrives."""
    closing: bool
    """Set when the connection has ended: asyncio warns of each write from then on."""
    tick: Tick
    """Ended by what arrives."""


class Feed(asyncio.Protocol):
    """What the event loop calls for a WebSocket: bytes go to the frame reader, all else to aiohttp's handler.

    It spares a call for each read, and it goes on reading while an application shuts down, when the handler no longer
    does, so that peers can answer the goodbye.
    """

    def __init__(self, handler: Any, reader: WebSocketReader, ear: Ear) -> None:
        self._connection_lost = handler.connection_lost
        self.eof_received = handler.eof_received  # type: ignore[method-assign]
        self.pause_writing = handler.pause_writing  # type: ignore[method-assign]
        self.resume_writing = handler.resume_writing  # type: ignore[method-assign]
        self._feed = reader.feed_data
        self._ear = ear
        self._read = ear.tick.read

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived; what is wrong with them, the reader keeps for whoever receives."""
        self._ear.heard = True
        self._read(self._feed, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, though the room may still be busy with what came before."""
        self._ear.closing = True
        self._connection_lost(exc)


class DirectSocket(web.WebSocketResponse):
    """A WebSocketResponse whose queue can hand messages to a room."""

    queue: DirectQueue
    ear: Ear

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        loop = asyncio.get_running_loop()
        self._ws_protocol = protocol
        self._writer = writer
        self.queue = DirectQueue(request.protocol, READ_LIMIT, loop=loop)
        self._reader = self.queue
        self._parser = WebSocketReader(self.queue, self._max_msg_size, False, True)
        request.protocol.set_parser(self._parser)
        request.protocol.keep_alive(False)
        if request.transport is not None:
            request.transport.set_protocol(Feed(request.protocol, self._parser, self.ear))


def open_socket(*, protocols: Sequence[str], max_msg_size: int, ear: Ear, direct: bool) -> web.WebSocketResponse:
    """A socket that answers no ping or close by itself and never compresses: frames are shared between clients.

    ``ear`` is told when bytes arrive, as far as the way in allows (a plain socket tells only of whole messages).
    """
    kind = DirectSocket if direct and available() else web.WebSocketResponse
    socket = kind(protocols=protocols, max_msg_size=max_msg_size, autoping=False, autoclose=False, compress=False)
    if isinstance(socket, DirectSocket):
        socket.ear = ear
    return socket


@cache
def available() -> bool:
    """Whether this aiohttp's frame reader calls our queue: tried once, in memory, with a frame of our own."""
    taken: list[object] = []

    class FakeRoom:
        def receive(self, connection: object, message: object) -> object:
            taken.append(message)
            return DONE

    try:
        queue = DirectQueue(_FakeProtocol(), READ_LIMIT, loop=None)  # type: ignore[arg-type]
        queue.bind(FakeRoom(), None)  # type: ignore[arg-type]
        WebSocketReader(queue, 1000, False, True).feed_data(Frame("partyroom").wire)
    except Exception as error:
        log.warning("aiohttp's frame reader is not as it was, so messages go the long way: %s", error)
        return False
    return taken == ["partyroom"]


class _FakeProtocol:
    _reading_paused = False
