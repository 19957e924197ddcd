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

from aiohttp import WSCloseCode, WSMessage, WSMsgType, hdrs, web
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict

from ..connection import Connection
from ..errors import CloseCode, ProtocolError, Refused, RoomStopped
from ..http import Headers, Query, Request, Response
from ..lobby import Admission, Lobby
from ..room import DONE, Room
from .aiohttp_direct import BEGUN, DirectSocket, open_socket
from .rules import BODY_TIMEOUT, CLOSE_TIMEOUT, DEAF_TIMEOUT, HEARTBEAT, End, body_too_large, echo, first_protocol
from .socket import Heartbeat, Socket

__all__ = ["Gateway", "Server", "lifespan", "routes"]

log = logging.getLogger("partyroom.aiohttp")

KEEP_ALIVE = 75.0
"""Seconds that an HTTP connection may idle between requests."""


class Gateway:
    """Serves one lobby in aiohttp: ``handle`` is a request handler for its paths."""

    def __init__(self, lobby: Lobby, *, heartbeat: float = HEARTBEAT, direct: bool = True) -> None:
        self.lobby = lobby
        self._heartbeat = Heartbeat(heartbeat)
        self._direct = direct

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

    async def _websocket(self, request: web.BaseRequest, admitted: Admission) -> web.StreamResponse:
        wire = request.transport
        if wire is None:  # gone while it was being admitted: nobody reads this
            return web.Response(status=400)
        room, asked = admitted
        socket = Socket(self.lobby, wire)
        protocol = first_protocol(asked.headers.get("sec-websocket-protocol", ""))
        ws = open_socket(
            protocols=[protocol] if protocol else [],
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
        self._heartbeat.add(socket)
        try:
            await self._visit(ws, socket, room, asked)
        finally:
            self._heartbeat.discard(socket)
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
        end = End()
        try:
            await self._read(ws, socket, room, connection, end)
        finally:
            await room.leave(connection, end.code, end.reason, end.error)

    async def _read(
        self, ws: web.WebSocketResponse, socket: Socket, room: Room, connection: Connection, end: End
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
                _note(end, message)
                if kind is WSMsgType.CLOSE:
                    socket.close(echo(end.code), end.reason)
                return


def _note(end: End, message: WSMessage) -> None:
    """Note how a WebSocket ended."""
    if message.type is WSMsgType.CLOSE:
        end.code, end.reason = message.data or int(CloseCode.NO_STATUS), message.extra or ""
    elif message.type is WSMsgType.ERROR:
        end.error = message.data
        code = getattr(message.data, "code", None)
        if isinstance(code, (int, WSCloseCode)):
            end.error = ProtocolError(str(message.data), int(code))


def _ends(message: WSMessage) -> bool:
    return message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


async def _request(request: web.BaseRequest, most: int) -> Request:
    """Our view of aiohttp's request, its body read up to ``most`` bytes. Raises ``TooLarge`` or ``Refused``."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            if most and request.can_read_body:
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise body_too_large(most)
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
