"""Servers that the client meets in its tests: the ``websockets`` library's, and bare ones that behave badly."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from partyroom.client.backoff import Backoff
from tests.gateways.certificate import certificate

SOON = Backoff(initial=0.02, maximum=0.05)
"""For tests against real servers, which need not wait for long."""

Handler = Callable[[ServerConnection], Awaitable[None]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server of the ``websockets`` library: what each client asked, and the connections that it has now."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.refusals: list[Response] = []
        """Taken from the end, one for each handshake."""
        self.server: Server
        self.tls = False

    @property
    def port(self) -> int:
        port: int = next(iter(self.server.sockets)).getsockname()[1]
        return port

    @property
    def host(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> list[ServerConnection]:
        return list(self.server.connections)

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return self.refusals.pop() if self.refusals else None


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def peer(
    handler: Handler = echo,
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    subprotocols: list[str] | None = None,
) -> AsyncIterator[Peer]:
    """A server for the block; it closes its connections with 1001 when that ends."""
    made = Peer()
    made.tls = tls is not None
    async with serve(
        handler,
        "127.0.0.1",
        port,
        process_request=made.admit,
        subprotocols=subprotocols,  # type: ignore[arg-type]
        ssl=tls,
        max_size=None,
        ping_interval=None,
        close_timeout=1,
    ) as made.server:
        yield made


@asynccontextmanager
async def bare(talk: Talk) -> AsyncIterator[str]:
    """A TCP server that does as ``talk`` says with each connection, which it then drops; yields its address."""
    running: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        if running:
            await asyncio.wait(tuple(running))


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Answer a WebSocket handshake (RFC 6455 section 4.2.2); returns the request."""
    request = await reader.readuntil(b"\r\n\r\n")
    (key,) = [
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    ]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    return request


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a fresh certificate for 127.0.0.1, and a client's that trusts it."""
    made, key = certificate(folder)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(made, key)
    return server, ssl.create_default_context(cafile=str(made))
