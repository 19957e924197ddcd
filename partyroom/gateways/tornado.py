"""The Tornado gateway: rooms in a Tornado application, or in a Jupyter Server.

::

    app = Application([*handlers(lobby), (r"/", Home)])     # HTTP and WebSocket on the same paths
    async with lobby:                                       # starts it; closes it while connections are still read
        app.listen(8080)
        ...

This is not Tornado's ``WebSocketHandler``, which drops the connection where a close code is owed (1002, 1007) and makes
several futures for each message. The handler answers the handshake itself, takes the stream over (``detach``, which
Tornado offers for this) and reads frames. **Out**: encoded frames go to the system at once, without a future, as long
as it takes them. **In**: the stream is read no further until the room has taken what was read.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from contextlib import suppress
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream
from tornado.routing import URLSpec
from tornado.web import RequestHandler, stream_request_body

from ..errors import Refused, RoomStopped
from ..http import Headers, Query, Request, Response
from ..limits import MIB
from ..lobby import Lobby
from ..room import DONE, Room
from .reader import FrameReader
from .rules import BODY_TIMEOUT, CLOSE_TIMEOUT, HEARTBEAT, End, body_too_large, first_protocol
from .socket import Heartbeat, Socket
from .tornado_stream import UNMASK, StreamWire, read

__all__ = ["RoomHandler", "handlers"]

SURPLUS = 64 * MIB
"""Bytes over the limit that are read of a body, so that its sender hears of the refusal and not a broken connection."""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@stream_request_body
class RoomHandler(RequestHandler):
    """Answers HTTP and WebSocket requests for the rooms of a lobby.

    Subclass it to say who asks, by overriding ``visitor``; with a framework's own handler as second base class, whose
    ``prepare`` runs first and may refuse. ``handlers(..., handler=YourHandler)`` serves it.
    """

    def initialize(self, lobby: Lobby, heartbeat: Heartbeat, prefix: re.Pattern[str], **more: Any) -> None:
        """What every request needs; Tornado calls this with the rule's arguments."""
        super().initialize(**more)
        self.lobby = lobby
        self.prefix = prefix
        self._heartbeat = heartbeat
        self._answered = False
        self._asked = Request()
        self._body = bytearray()
        self._size = 0

    async def visitor(self, request: Request) -> Request | Response:
        """Override: who asks? Return ``request.replace(user=...)``, or a ``Response`` that refuses.

        Called before the body is read, the origin is checked or a room is touched.
        """
        return request

    async def prepare(self) -> None:
        """Before the body is read: the application's own checks, then ``visitor``."""
        if (preparing := super().prepare()) is not None:
            await preparing
        if self._answered:
            return
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_max_body_size(self.lobby.limits.body + SURPLUS)
        connection.set_body_timeout(BODY_TIMEOUT)
        asked = await self.visitor(self._request())
        if isinstance(asked, Response):
            self.set_header("Connection", "close")  # as Tornado does with one whose body it has not read
            self.respond(asked)
        else:
            self._asked = asked

    def on_finish(self) -> None:
        """Tornado calls this when a response is complete."""
        self._answered = True
        super().on_finish()

    def data_received(self, chunk: bytes) -> None:
        """A part of the body; not kept once there is too much."""
        self._size += len(chunk)
        if self._size <= self.lobby.limits.body:
            self._body += chunk
        else:
            self._body.clear()

    async def _answer(self, *_: Any, **__: Any) -> None:
        if self.request.method == "GET" and self.request.headers.get("Upgrade", "").lower() == "websocket":
            await self._websocket()
        elif self._size > self.lobby.limits.body:
            refused = body_too_large(self.lobby.limits.body)
            self.respond(Response(refused.reason + "\n", refused.status))
        else:
            self.respond(await self.lobby.fetch(self._asked.replace(body=bytes(self._body))))

    get = head = post = put = patch = delete = options = _answer

    def respond(self, response: Response) -> None:
        """Answer an HTTP request."""
        self.set_status(response.status)
        self.clear_header("Content-Type")  # Tornado's own guess
        set_already = set()
        for name, value in response.headers.pairs():
            (self.add_header if name in set_already else self.set_header)(name, value)
            set_already.add(name)
        has_body = response.status >= 200 and response.status not in (204, 304)
        self.finish(response.body if has_body else None)

    def compute_etag(self) -> None:
        """None: what a room answers is its own affair."""

    def _request(self) -> Request:
        request = self.request
        return Request(
            method=request.method or "",
            path=self.prefix.sub("", request.path, count=1),
            query=Query(parse_qsl(request.query, keep_blank_values=True)),
            headers=Headers(request.headers.get_all()),
            scheme=request.protocol,
            host=request.host,
            remote=request.remote_ip,
        )

    # -- WebSockets --------------------------------------------------------------------------------------------------

    async def _websocket(self) -> None:
        key = self.request.headers.get("Sec-WebSocket-Key", "")
        if fault := _handshake_fault(self.request.headers, key):
            self.set_header("Sec-WebSocket-Version", "13")
            self.respond(fault)
            return
        admitted = await self.lobby.admit(self._asked)
        if isinstance(admitted, Response):
            self.respond(admitted)
            return
        stream = self._switch(key)
        wire = StreamWire(stream)
        socket = Socket(self.lobby, wire)
        self._heartbeat.add(socket)
        try:
            await _visit(stream, socket, *admitted)
        finally:
            self._heartbeat.discard(socket)
            socket.end()

    def _switch(self, key: str) -> IOStream:
        """Answer the handshake, and take the stream from Tornado."""
        self.set_status(101)
        self.set_header("Upgrade", "websocket")
        self.set_header("Connection", "Upgrade")
        accept = hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()
        self.set_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        if protocol := first_protocol(self.request.headers.get("Sec-WebSocket-Protocol", "")):
            self.set_header("Sec-WebSocket-Protocol", protocol)
        self.finish()
        stream = self.detach()
        if not stream.closed():
            stream.set_nodelay(True)
        return stream


def _handshake_fault(headers: Any, key: str) -> Response | None:
    """What is wrong with a handshake (RFC 6455 section 4.2.1)."""
    if "upgrade" not in [token.strip().lower() for token in headers.get("Connection", "").split(",")]:
        return Response("A WebSocket needs the header Connection: Upgrade\n", 400)
    if headers.get("Sec-WebSocket-Version") != "13":
        return Response("This server speaks WebSocket version 13\n", 426)
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        size = 0
    return None if size == 16 else Response("Sec-WebSocket-Key is not 16 bytes in base64\n", 400)


async def _visit(stream: IOStream, socket: Socket, room: Room, asked: Request) -> None:
    frames = FrameReader(room.limits.message, UNMASK)
    try:
        connection = await room.join(socket, asked)
    except (RoomStopped, Refused):
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await read(stream, socket, frames, lambda message: DONE, End())
        return
    end = End()
    try:
        await read(stream, socket, frames, partial(room.receive, connection), end)
    finally:
        await room.leave(connection, end.code, end.reason, end.error)


def handlers(
    lobby: Lobby,
    prefix: str = "",
    *,
    heartbeat: float = HEARTBEAT,
    handler: type[RoomHandler] = RoomHandler,
    **arguments: Any,
) -> list[URLSpec]:
    """The rules of a lobby for a Tornado ``Application``: ``/parties/:party/:room`` and ``/party/:room``.

    ``prefix`` is the path under which they lie (a Jupyter Server's ``base_url``). ``handler`` is a class of yours, and
    ``arguments`` are more of its ``initialize``.
    """
    base = _however_spelt("/".join(["", *filter(None, prefix.split("/"))]))
    given = {"lobby": lobby, "heartbeat": Heartbeat(heartbeat), "prefix": re.compile(base), **arguments}
    return [URLSpec(rf"(?s:{base}/+part(?:ies|y)/.*)", handler, given)]  # empty segments do not count


def _however_spelt(path: str) -> str:
    """A pattern for a path, whichever of its characters a client percent-encodes: ``/j@o`` is ``/j%40o``."""
    return "".join(
        "/" if one == "/" else f"(?:{re.escape(one)}|(?i:{''.join(f'%{byte:02x}' for byte in one.encode())}))"
        for one in unquote(path)
    )
