"""``python -m tests.bench.bare``: what a message costs before any of our code runs.

No rooms, no checks, no limits, no document, no disk: bytes come in by uvloop, one loop over the others, bytes go out.
What is left is the kernel's part and the event loop's, so its ratio to Node's server is a floor for ours on the machine
where both run.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha1
from typing import ClassVar, cast

__all__ = ["Bare"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
STEP_1 = b"\x00\x00"
STEP_2 = b"\x82\x05\x00\x01\x02\x00\x00"  # a frame: message sync, step 2, an empty update (y-protocols/sync.js)
BINARY = 0x82


class Bare(asyncio.Protocol):
    """One connection: relays to the others of its path, and in a document (``/parties/notes/``) to itself as well."""

    everyone: ClassVar[dict[bytes, list[asyncio.Transport]]] = {}

    def __init__(self) -> None:
        self._head = b""
        self._company: list[asyncio.Transport] | None = None
        self._document = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._company is not None:
            self._company.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._company is None:
            self._shake_hands(data)
            return
        data = self._rest + data
        at = 0
        while len(data) - at >= 6:
            length, start = data[at + 1] & 0x7F, at + 6
            if length == 126:
                if len(data) - at < 8:
                    break
                length, start = int.from_bytes(data[at + 2 : at + 4]), at + 8
            if len(data) < start + length:
                break
            key = (data[start - 4 : start] * (length // 4 + 1))[:length]
            body = (int.from_bytes(data[start : start + length]) ^ int.from_bytes(key)).to_bytes(length)
            self._message(data[at], body)
            at = start + length
        self._rest = data[at:]

    def _message(self, kind: int, body: bytes) -> None:
        if kind == BINARY and body.startswith(STEP_1):
            self._transport.write(STEP_2)
            return
        size = bytes((len(body),)) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2)
        frame = bytes((kind,)) + size + body
        own = None if self._document else self._transport
        for transport in self._company or ():
            if transport is not own:
                transport.write(frame)

    def _shake_hands(self, data: bytes) -> None:
        self._head += data
        head, found, _ = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        request, *lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        accept = b64encode(sha1(headers[b"sec-websocket-key"] + GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        path = request.split()[1]
        self._document = path.startswith(b"/parties/notes/")
        self._company = self.everyone.setdefault(path, [])
        self._company.append(self._transport)


async def main() -> None:
    """Serve on a free port until killed."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
