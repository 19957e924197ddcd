"""A WebSocket client of bare bytes: it sends what no library would, and reads only when it is told to."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from typing import NamedTuple, Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
PATIENCE = 5.0
"""Seconds after which what should have come is missing."""


class Heard(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == CLOSE, self
        return int(struct.unpack("!H", self.payload[:2])[0])


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A client's frame (RFC 6455 section 5.2), right or wrong."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, bit | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(stream)).to_bytes(len(payload))


class Wire:
    """A TCP connection to the server at ``url``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.host, self.address = parts.netloc, (parts.hostname, parts.port)
        self.prefix = parts.path
        """The path under which the rooms lie, where they do not lie at the root."""
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._got = bytearray()

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().sock_connect(self._socket, self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    def abort(self) -> None:
        """Reset the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def end(self) -> None:
        """Send FIN, without a close frame before it."""
        self._socket.shutdown(socket.SHUT_WR)

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def send_until_stuck(self, data: bytes, most: int) -> int:
        """Send ``data`` again and again until the server takes no more for a while; returns how many bytes it took."""
        sent = 0
        while sent < most:
            try:
                sent += self._socket.send(data[sent % len(data) :])
            except BlockingIOError:
                ready = asyncio.Event()
                loop = asyncio.get_running_loop()
                loop.add_writer(self._socket, ready.set)
                try:
                    async with asyncio.timeout(0.25):
                        await ready.wait()
                except TimeoutError:
                    return sent
                finally:
                    loop.remove_writer(self._socket)
        return sent

    async def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes; raises ``EOFError`` where the server has ended the connection."""
        async with asyncio.timeout(PATIENCE):
            while len(self._got) < size:
                if not await self._more():
                    raise EOFError
        data = bytes(self._got[:size])
        del self._got[:size]
        return data

    async def read_to_end(self) -> bytes:
        """All that comes until the server ends the connection."""
        async with asyncio.timeout(PATIENCE):
            while await self._more():
                pass
        return bytes(self._got)

    async def _more(self) -> bool:
        try:
            got = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        except ConnectionResetError:
            return False
        self._got += got
        return bool(got)

    async def read_head(self) -> str:
        """The head of an HTTP response."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.read(1)
        return head.decode("latin-1")

    async def hear(self) -> Heard:
        """The next frame."""
        first, second = await self.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.read(8))
        return Heard(first & 0xF, await self.read(length))

    async def hear_close(self) -> Heard:
        """The close frame, past everything before it."""
        while (heard := await self.hear()).opcode != CLOSE:
            pass
        return heard

    async def upgrade(self, path: str, *lines: str, first: str | None = None) -> str:
        """Ask for a WebSocket, with more header ``lines``; returns the head of the response."""
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            first or f"GET {self.prefix}{path} HTTP/1.1",
            f"Host: {self.host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *lines,
        ]
        await self.send("\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape"))
        return await self.read_head()

    async def open(self, path: str) -> Self:
        """A WebSocket, open."""
        head = await self.upgrade(path)
        assert head.startswith("HTTP/1.1 101 "), head
        return self
