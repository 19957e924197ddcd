"""The aiohttp gateway: rooms in an aiohttp application, or on their own.

::

    app.add_routes(routes(lobby))          # in your application; app.cleanup_ctx.append(lifespan(lobby)) closes it
    async with Server(lobby, port=1999):   # on its own
        ...

**Out**: a message is encoded once; what one loop tick sends to one client leaves in one write, from one list of the
sockets that have something to send (``lobby.tick``). **In**: a message goes straight from aiohttp's frame reader to the
room where that is possible (``aiohttp_direct``), otherwise through ``WebSocketResponse.receive``; either way the socket
is read no further until the room has taken it, which is the sender's backpressure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from struct import pack

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict

from ..connection import Connection
from ..errors import CloseCode, ProtocolError, Refused, RoomStopped, TooLarge
from ..frame import CLOSE, PING, PONG, Frame, control
from ..http import Headers, Query, Request, Response
from ..limits import KIB
from ..lobby import Admission, Lobby
from ..room import DONE, Room
from .aiohttp_direct import BEGUN, DirectSocket, open_socket

__all__ = ["Gateway", "Server", "lifespan", "routes"]

log = logging.getLogger("partyroom.aiohttp")

CLOSE_TIMEOUT = 5.0
"""Seconds that a peer has to answer a close frame, and to read what is queued before it."""
DEAF_TIMEOUT = 1.0
"""The same, while the lobby closes."""
MOST_PONGS = 64 * KIB
"""Bytes waiting for a peer past which its pings are not answered."""
KEEP_ALIVE = 75.0
"""Seconds that an HTTP connection may idle between requests."""
BODY_TIMEOUT = 60.0
"""Seconds that a request's body may take to arrive."""


class Socket:
    """One WebSocket of aiohttp as a Transport."""

    __slots__ = ("_flush", "_gateway", "_out", "_queued", "_tick", "_wire", "_wire_size", "_wire_write", "closing",
                 "heard", "listening", "pinged")  # fmt: skip

    def __init__(self, gateway: Gateway, wire: asyncio.Transport) -> None:
        self._gateway = gateway
        self._tick = gateway.lobby.tick
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
        """Write a message when this loop tick ends, which may be now; returns how many bytes were waiting before."""
        if self.closing:
            return 0
        waiting = self._queued + self._wire_size()
        if self._tick.ending and not self._out:
            if not self._wire.is_closing():
                self._wire_write(frame.wire)
        else:
            self.queue(frame.wire)
        return waiting

    def queue(self, wire: bytes) -> None:
        """Queue encoded frames for the end of this loop tick."""
        if not self._out:
            self._tick.at_end(self._flush)
        self._out.append(wire)
        self._queued += len(wire)

    def pong(self, payload: bytes) -> None:
        """Answer a ping, unless so much is waiting that the peer cannot be reading."""
        if self._queued + self._wire_size() < MOST_PONGS:
            self.queue(control(PONG, payload))

    def flush(self) -> None:
        """Hand what is queued to the event loop, in one write."""
        out, self._out, self._queued = self._out, [], 0
        if not self._wire.is_closing():
            self._wire_write(out[0] if len(out) == 1 else b"".join(out))

    def close(self, code: int, reason: str) -> None:
        """Queue a close frame and cut the connection if the peer does not answer it in time."""
        if not self.closing:
            self.queue(control(CLOSE, pack("!H", code) + reason.encode()))
            self.closing = True
            # An application that shuts down reads no more, so no answer would be seen.
            patience = DEAF_TIMEOUT if self._gateway.lobby.closing else CLOSE_TIMEOUT
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


class Gateway:
    """Serves one lobby in aiohttp: ``handle`` is a request handler for its paths."""

    def __init__(self, lobby: Lobby, *, heartbeat: float = 25.0, direct: bool = True) -> None:
        self.lobby = lobby
        self._heartbeat = heartbeat
        self._direct = direct
        self._sockets: set[Socket] = set()
        self._beat: asyncio.TimerHandle | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer an HTTP request or serve a WebSocket until it ends."""
        upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        try:
            asked = await _request(request, 0 if upgrade else self.lobby.limits.body)
        except Refused as refused:
            return web.Response(status=refused.status, text=refused.reason + "\n")
        if not upgrade:
            return _response(await self.lobby.fetch(asked))
        admitted = await self.lobby.admit(asked)
        if isinstance(admitted, Response):
            return _response(admitted)
        return await self._websocket(request, admitted)

    # -- heartbeats --------------------------------------------------------------------------------------------------

    def _heartbeats(self) -> None:
        self._beat = None
        for socket in list(self._sockets):
            socket.beat()
        self._watch()

    def _watch(self) -> None:
        if self._beat is None and self._sockets:
            self._beat = asyncio.get_running_loop().call_later(self._heartbeat, self._heartbeats)

    # -- receiving ---------------------------------------------------------------------------------------------------

    async def _websocket(self, request: web.BaseRequest, admitted: Admission) -> web.StreamResponse:
        wire = request.transport
        if wire is None:  # gone while it was being admitted: nobody reads this
            return web.Response(status=400)
        room, asked = admitted
        socket = Socket(self, wire)
        ws = open_socket(
            # What a client offers first is what it prefers; a browser fails the connection if none is chosen.
            protocols=[name.strip() for name in asked.headers.get("sec-websocket-protocol", "").split(",")][:1],
            max_msg_size=room.limits.message + 1,  # aiohttp refuses what is as large
            ear=socket,
            direct=self._direct,
        )
        try:
            await ws.prepare(request)
        except ConnectionError:
            return web.Response(status=400)
        except ValueError as error:  # a key that is not ASCII, which aiohttp does not expect
            raise web.HTTPBadRequest(text="The handshake is broken\n") from error
        self._sockets.add(socket)
        self._watch()
        try:
            await self._visit(ws, socket, room, asked)
        finally:
            self._sockets.discard(socket)
            socket.end()
        return ws

    async def _visit(self, ws: web.WebSocketResponse, socket: Socket, room: Room, asked: Request) -> None:
        try:
            connection = await room.join(socket, asked)
        except (RoomStopped, Refused):
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    while not _ends(await ws.receive()):
                        pass
            return
        end = _End()
        try:
            await self._read(ws, socket, room, connection, end)
        finally:
            await room.leave(connection, end.code, end.reason, end.error)

    async def _read(
        self, ws: web.WebSocketResponse, socket: Socket, room: Room, connection: Connection, end: _End
    ) -> None:
        queue = ws.queue if isinstance(ws, DirectSocket) else None
        while True:
            if queue is not None:
                queue.bind(room, connection)
            socket.listening = True
            message = await ws.receive()
            socket.listening = False
            socket.heard = True
            kind = message.type
            if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                if message.extra is BEGUN:
                    await message.data
                elif (result := room.receive(connection, message.data)) is not DONE:
                    await result
            elif kind is WSMsgType.PING:
                socket.pong(message.data)
            elif _ends(message):
                end.by(message)
                if kind is WSMsgType.CLOSE:
                    socket.close(_echo(end.code), end.reason)
                return


class _End:
    """How a WebSocket ended."""

    def __init__(self) -> None:
        self.code: int = CloseCode.ABNORMAL
        self.reason = ""
        self.error: BaseException | None = None

    def by(self, message: WSMessage) -> None:
        if message.type is WSMsgType.CLOSE:
            self.code, self.reason = message.data or int(CloseCode.NO_STATUS), message.extra or ""
        elif message.type is WSMsgType.ERROR:
            self.error = message.data
            code = getattr(message.data, "code", None)
            if isinstance(code, (int, WSCloseCode)):
                self.error = ProtocolError(str(message.data), int(code))


def _ends(message: WSMessage) -> bool:
    return message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


def _echo(code: int) -> int:
    """The code to answer a close frame with: the peer's own, as far as it may be sent (RFC 6455 section 7.4.1)."""
    if code in (CloseCode.NO_STATUS, CloseCode.ABNORMAL):
        return CloseCode.NORMAL
    return code if code < 5000 else CloseCode.PROTOCOL_ERROR


async def _request(request: web.BaseRequest, most: int) -> Request:
    """Our view of aiohttp's request, its body read up to ``most`` bytes. Raises ``TooLarge`` or ``Refused``."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            if most and request.can_read_body:
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise TooLarge(f"A request body has at most {most} bytes here")
    except TimeoutError:
        raise Refused(408, "The request body took too long") from None
    except (ConnectionError, web.RequestPayloadError):
        # aiohttp keeps this error at the stream and the error keeps this frame: a ring, which the collector finds late.
        body.clear()
        raise Refused(400, "The request body is broken") from None
    return Request(
        method=request.method,
        path=request.rel_url.raw_path,
        query=Query(request.query.items()),
        headers=Headers(request.headers.items()),
        body=bytes(body),
        scheme=request.scheme,
        host=request.host,
        remote=request.remote,
    )


def _response(response: Response) -> web.Response:
    return web.Response(body=response.body, status=response.status, headers=CIMultiDict(response.headers.pairs()))


def routes(lobby: Lobby, **options: bool | float) -> list[web.RouteDef]:
    """The routes of a lobby for ``app.add_routes``: ``/parties/:party/:room`` and ``/party/:room``, all methods.

    ``options`` are those of ``Gateway``.
    """
    handle = Gateway(lobby, **options).handle  # type: ignore[arg-type]
    return [web.route("*", "/{_:(?s:/*part(?:ies|y)/.*)}", handle)]  # empty segments do not count


def lifespan(lobby: Lobby) -> Callable[[web.Application], AsyncIterator[None]]:
    """For ``app.cleanup_ctx``: starts the lobby with your application and closes it before the connections are cut."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        async def close(app: web.Application) -> None:
            await lobby.close()

        app.on_shutdown.append(close)
        await lobby.start()
        yield

    return context


class Server:
    """A lobby on its own TCP port: ``async with Server(lobby, port=1999) as server`` serves until the block ends.

    ``port=0`` takes a free one; ``server.url`` says which. Raises ``OSError`` where the address cannot be bound.
    """

    def __init__(
        self,
        lobby: Lobby,
        *,
        host: str = "127.0.0.1",
        port: int = 1999,
        **options: bool | float,
    ) -> None:
        self.lobby = lobby
        self.host = host
        self.port = port
        self._gateway = Gateway(lobby, **options)  # type: ignore[arg-type]
        self._silent: set[asyncio.Protocol] = set()
        app = web.Application()
        app.router.add_route("*", "/{_:(?s:.*)}", self._handle)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            logger=_http_log(),
            keepalive_timeout=KEEP_ALIVE,
            shutdown_timeout=DEAF_TIMEOUT,  # what runs still has outlasted the lobby's own bound
        )
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where to open it, as ``http://host:port``."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def __aenter__(self) -> Server:
        try:
            await self.lobby.start()
            await self._runner.setup()
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(self._accept, self.host or None, self.port, backlog=1024)
        except BaseException:
            await self.__aexit__()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.close()
        await self.lobby.close()  # while connections are still read, so that peers can answer the goodbye
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._silent.discard(request.protocol)
        return await self._gateway.handle(request)

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        protocol = server()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(self.lobby.limits.handshake, self._cut_silent, protocol)
        return protocol

    def _cut_silent(self, protocol: web.RequestHandler) -> None:
        """A client that has not sent one whole request head in time is holding a place for nothing (slowloris)."""
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()


def _http_log() -> logging.Logger:
    """Where aiohttp tells of bad HTTP: a line each, since a traceback of its parser says no more."""

    def terse(record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.msg, record.args, record.exc_info = f"bad HTTP: {record.exc_info[1]!r}", (), None
        return True

    http_log = logging.getLogger("partyroom.aiohttp.http")
    if not http_log.filters:
        http_log.addFilter(terse)
    return http_log
