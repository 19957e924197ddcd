"""The ASGI gateway: rooms as an ASGI 3 application, under uvicorn or hypercorn, alone or in Starlette and FastAPI.

::

    app = asgi_app(lobby)                                   # alone: its lifespan starts and closes the lobby
    app = FastAPI(lifespan=lifespan(lobby))                 # in an application, whose lifespan is the one that runs
    app.mount("/", asgi_app(lobby))                         # the last route: a mount takes all that is left

**Out**: one queue and one pump a socket; what waits in the queue is what the slow-client rule counts. **In**: the next
message is asked for when the room has taken the last one, so a sender is held back as well as the server does that.

What ASGI has no words for, and what is done instead: a connection cannot be *cut*, so one that should be is left to
the server, which closes it behind what it has buffered. *Pings* are the server's (uvicorn sends them by default,
hypercorn with ``websocket_ping_interval``). *Close codes* are what the server tells of them. And servers end WebSockets
before they tell an application of a *shutdown*: uvicorn with 1012, hypercorn by cancelling, which is answered with a
1001 here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from ..errors import Refused, RoomStopped, StoreError
from ..http import Headers, Query, Request, Response
from ..lobby import Lobby
from ..room import Room
from .asgi_socket import AsgiSocket, Receive, Send
from .rules import BODY_TIMEOUT, CLOSE_TIMEOUT, End, body_too_large

__all__ = ["Application", "asgi_app", "lifespan"]

Scope = MutableMapping[str, Any]
REFUSAL = "websocket.http.response"
"""The ASGI extension by which a handshake is refused with a response of ours; without it, all refusals are 403."""


class Application:
    """Serves one lobby as an ASGI application. It runs on asyncio."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, serve one WebSocket, or live through the server's own life."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise ValueError(f"partyroom serves http, websocket and lifespan, not ASGI's {kind!r}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.lobby.start()
        except StoreError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.lobby.close()
        await send({"type": "lifespan.shutdown.complete"})

    # -- HTTP --------------------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive, self.lobby.limits.body)
            response = await self.lobby.fetch(_request(scope, body))
        except Refused as refused:
            response = Response(refused.reason + "\n", refused.status)
        headers = _headers(response)
        with suppress(OSError):  # gone
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            sent = b"" if scope["method"] == "HEAD" or not _has_body(response.status) else response.body
            await send({"type": "http.response.body", "body": sent})

    # -- WebSockets --------------------------------------------------------------------------------------------------

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        admitted = await self.lobby.admit(_request(scope))
        with suppress(OSError):  # gone, as whoever reads hears too
            if isinstance(admitted, Response):
                await _refuse(scope, send, admitted)
            else:
                protocols = scope.get("subprotocols") or ()
                await send({"type": "websocket.accept", "subprotocol": next(filter(None, protocols), None)})
        if isinstance(admitted, Response):
            return
        socket = AsgiSocket(self.lobby, receive, send)
        try:
            await _visit(socket, *admitted)
        finally:
            await socket.end()


async def _visit(socket: AsgiSocket, room: Room, asked: Request) -> None:
    try:
        connection = await room.join(socket, asked)
    except (RoomStopped, Refused):
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await socket.read(room, None, End())
        return
    end = End()
    try:
        await socket.read(room, connection, end)
    finally:
        await room.leave(connection, end.code, end.reason, end.error)


async def _refuse(scope: Scope, send: Send, response: Response) -> None:
    if REFUSAL not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})  # which servers turn into a 403
        return
    await send({"type": REFUSAL + ".start", "status": response.status, "headers": _headers(response)})
    await send({"type": REFUSAL + ".body", "body": response.body if _has_body(response.status) else b""})


async def _body(receive: Receive, most: int) -> bytes:
    """The body of an HTTP request. Raises ``Refused``."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "The request body is broken")
                body += message.get("body", b"")
                if len(body) > most:
                    raise body_too_large(most)
                more = message.get("more_body", False)
    except TimeoutError:
        raise Refused(408, "The request body took too long") from None
    return bytes(body)


def _request(scope: Scope, body: bytes = b"") -> Request:
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=_path(scope),
        query=Query(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        body=body,
        scheme="https" if scope.get("scheme") in ("https", "wss") else "http",
        host=headers.get("host", ""),
        remote=client[0] if client else None,
    )


def _path(scope: Scope) -> str:
    """The raw path below the mount.

    ``root_path`` is where we are mounted, decoded, and ``raw_path`` the whole path as it was sent; without it (it is
    optional in ASGI) a room id that contains a slash cannot be told from two segments.
    """
    raw = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1").partition("?")[0]
    root = scope.get("root_path", "").rstrip("/")
    if root:
        ends = [at for at, character in enumerate(raw) if character == "/"]
        for end in (*ends[1:], len(raw)):
            if unquote(raw[:end]) == root:
                return raw[end:] or "/"
    return raw


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    """Raises ``ValueError`` for a header that would make two of itself: not every server looks."""
    pairs = list(response.headers.pairs())
    if _has_body(response.status) and "content-length" not in response.headers:
        pairs.append(("content-length", str(len(response.body))))
    for name, value in pairs:
        if any(character in name + value for character in "\r\n\0"):
            raise ValueError(f"a response header has a line break: {name!a}: {value!a}")
    return [(name.encode(), value.encode()) for name, value in pairs]


def _has_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)


def asgi_app(lobby: Lobby) -> Application:
    """The lobby as an ASGI application, for a server or for an application to mount."""
    return Application(lobby)


def lifespan(lobby: Lobby) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """For ``Starlette(lifespan=...)`` and ``FastAPI(lifespan=...)``: starts the lobby with it, and closes it.

    A mounted application hears nothing of the server's life, so somebody has to tell the lobby.
    """

    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[None]:
        async with lobby:
            yield

    return context
