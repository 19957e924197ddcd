"""A Tornado stream after the handshake: written as an asyncio transport is, and read frame by frame.

Private in Tornado and used here: ``util._websocket_mask``, for speed. It is tried when this module loads, and done
without where it is not as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from tornado.iostream import IOStream, StreamClosedError

from ..errors import ProtocolError
from ..frame import BINARY, CLOSE, PING
from ..limits import KIB
from ..room import DONE
from .reader import FrameReader, unmask
from .rules import End, echo
from .socket import Socket

__all__ = ["UNMASK", "StreamWire", "fast_unmask", "read"]

log = logging.getLogger("partyroom.tornado")

READ = 64 * KIB
"""Bytes read at once."""
PIECE = 256 * KIB
"""Bytes handed to a stream at once, when the system takes no more."""


class StreamWire:
    """A Tornado stream that is written as an asyncio transport is."""

    __slots__ = ("_closing", "_rest", "_stream", "_to_system")

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._to_system = stream.write_to_fd  # what Tornado documents for subclasses: TLS is handled in it
        self._rest = bytearray()
        """What the system has not taken yet."""
        self._closing = False

    def write(self, data: bytes, /) -> None:
        """Send, or keep until it can be sent; nothing once it has ended."""
        if self._closing or self._stream.closed():
            return
        if self._rest:
            self._rest += data
            return
        try:
            sent = self._to_system(data)  # type: ignore[arg-type]
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._stream.close(exc_info=error)
            return
        if sent < len(data):
            self._rest += data[sent:] if sent else data
            self._pump()

    def _pump(self) -> None:
        rest, stream = self._rest, self._stream
        while rest and not stream.closed():
            written = stream.write(bytes(rest[:PIECE]))
            if not written.done():
                written.add_done_callback(self._written)
                return
            del rest[:PIECE]
        if self._closing:
            stream.close()

    def _written(self, written: asyncio.Future[None]) -> None:
        if not self._stream.closed() and written.exception() is None:
            del self._rest[:PIECE]
            self._pump()

    def get_write_buffer_size(self) -> int:
        """Bytes kept."""
        return len(self._rest)

    def close(self) -> None:
        """End the connection when what is kept has been sent."""
        self._closing = True
        if not self._rest:
            self._stream.close()

    def abort(self) -> None:
        """End the connection now."""
        self._closing = True
        self._rest.clear()
        self._stream.close()


async def read(
    stream: IOStream, socket: Socket, frames: FrameReader, receive: Callable[[Any], Awaitable[None]], end: End
) -> None:
    """Pass on messages until the socket ends, and note in ``end`` how it did."""
    try:
        while True:
            socket.listening = True
            coming = cast("asyncio.Future[bytes]", stream.read_bytes(READ, partial=True))
            if coming.done():  # somebody who sends without a pause must not keep the others out
                await asyncio.sleep(0)
            data = await coming
            socket.listening = False
            socket.heard = True
            for opcode, value in frames.feed(data):
                if opcode <= BINARY:
                    if (result := receive(value)) is not DONE:
                        await result
                elif opcode == PING:
                    socket.pong(value)
                elif opcode == CLOSE:
                    end.code, end.reason = value
                    socket.close(echo(end.code), end.reason)
                    return
    except StreamClosedError:
        pass
    except ProtocolError as error:
        end.error = error
        socket.close(error.code, error.reason)


def fast_unmask() -> Callable[[bytes, bytes], bytes]:
    """Tornado's own in C, if it is what it was; else ours."""
    try:
        from tornado.util import _websocket_mask

        if _websocket_mask(b"\1\2\3\4", b"abcde") == unmask(b"\1\2\3\4", b"abcde"):
            return _websocket_mask
    except Exception as error:
        log.debug("tornado.util._websocket_mask: %r", error)
    log.warning("Tornado's frame mask is not as it was: large messages are unmasked more slowly")
    return unmask


UNMASK = fast_unmask()
