"""The load generator's WebSocket: no more of RFC 6455 than counting frames needs, the same for every server.

It shares two cores with the server it measures, so it decodes nothing that nobody asked for.
"""

from __future__ import annotations

import asyncio
import os
import struct
from base64 import b64encode
from typing import TypeVar, cast

__all__ = ["Client", "connect", "masked"]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x37\xfa\x21\x3d"  # a constant mask is cheap here and costs the server as much as a random one
HANDSHAKE = 10.0


def masked(opcode: int, payload: bytes) -> bytes:
    """One unfragmented client frame (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    key = (MASK * (length // 4 + 1))[:length]
    body = (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)
    return head + MASK + body


class Client(asyncio.Protocol):
    """One open WebSocket that counts what it receives; override ``message`` to look inside."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.count = 0
        """Data messages received."""
        self.closed: str | None = None
        """Why the connection ended, once it has."""
        self._rest = b""

    def message(self, data: bytes, start: int, end: int) -> None:
        """A data message arrived: ``data[start:end]``."""
        self.count += 1

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        message = self.message
        while size - at >= 2:
            length = data[at + 1]
            start = at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[at + 2 : start])
            end = start + length
            if end > size:
                break
            opcode = data[at] & 0xF
            if opcode < CLOSE:
                message(data, start, end)
            else:
                self._control(opcode, data[start:end])
            at = end
        self._rest = data[at:]

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.transport.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self.closed = f"the server closed with {int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}"
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = self.closed or f"the connection was lost: {error or 'end of stream'}"

    def write(self, frames: bytes) -> None:
        """Send what ``masked`` made; ``ConnectionError`` once the connection has ended."""
        if self.closed:
            raise ConnectionError(self.closed)
        self.transport.write(frames)

    def abort(self) -> None:
        """Leave without a word."""
        self.transport.abort()


class _Handshake(asyncio.Protocol):
    """Asks for the upgrade, reads the answer's headers and hands the transport to the client."""

    def __init__(self, client: Client, port: int, path: str) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client = client
        self._answer = b""
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n\r\n"
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client.transport = cast(asyncio.Transport, transport)
        self._client.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        status = head.split(b"\r\n", 1)[0]
        if b" 101 " not in status + b" ":
            self._fail(f"no WebSocket: {status.decode(errors='replace')}")
            return
        self._client.transport.set_protocol(self._client)
        if rest:
            self._client.data_received(rest)
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"lost during the handshake: {error or 'end of stream'}")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(why))


C = TypeVar("C", bound=Client)


async def connect(client: C, port: int, path: str) -> C:
    """Open ``client`` on ``path``; ``ConnectionError`` if the server refuses, ``TimeoutError`` after ten seconds."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(HANDSHAKE):
        _, handshake = await loop.create_connection(lambda: _Handshake(client, port, path), "127.0.0.1", port)
        await handshake.done
    return client
