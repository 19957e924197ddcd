"""The network: WebSockets and HTTP requests of a client, by aiohttp.

This file alone knows aiohttp, and is imported when a client first connects. What may be secret (a query, headers, a
proxy's password) is in no exception that leaves it, which is why aiohttp's own, with the whole URL in their text, are
never chained.
"""

from __future__ import annotations

import asyncio
import ssl as tls
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import ClientWSTimeout, WSMessage, WSMsgType
from yarl import URL

from ..errors import CloseCode, ConnectionClosed, HandshakeRefused, PartyroomError, Unreachable
from ..http import Headers, Response
from .mail import Outgoing
from .url import public
from .wire import Target

__all__ = ["AiohttpWire", "Network"]

TRY_AGAIN = {408, 425, 429}
"""The 4xx answers that another attempt may mend: RFC 9110 section 15.5.9, RFC 8470, RFC 6585 section 4."""
MAX_RETRY_AFTER = 600.0
"""A server may ask a client to stay away for this many seconds and no longer."""
NOTHING_BUT_THE_CLOSE = 123
"""Bytes of a reason that fit into a close frame (RFC 6455 section 5.5)."""


class Network:
    """One client's way out. ``session`` is the caller's and stays open; without one, an own is opened and closed."""

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        proxy: str | None = None,
        ssl: tls.SSLContext | aiohttp.Fingerprint | bool = True,
    ) -> None:
        self._given = session
        self._own: aiohttp.ClientSession | None = None
        self._options: dict[str, Any] = {"proxy": proxy, "ssl": ssl}

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = aiohttp.ClientSession()
        return self._own

    async def dial(self, target: Target) -> AiohttpWire:
        """Open a WebSocket: see ``Dial``."""
        failure: PartyroomError
        try:
            response = await self._session.ws_connect(
                URL(target.url, encoded=True),  # encoded by us, and not to be "normalised"
                headers=target.headers,
                protocols=target.protocols,
                max_msg_size=target.max_message + 1,  # aiohttp refuses what is as large
                autoclose=False,  # the peer's close code is echoed by AiohttpWire
                timeout=ClientWSTimeout(ws_close=None),  # the caller has a deadline
                **self._options,
            )
            return AiohttpWire(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(error, target.url)
        raise failure

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Response:
        """An HTTP request; any status is an answer. Raises ``Unreachable``."""
        try:
            async with (
                asyncio.timeout(timeout),
                self._session.request(
                    method, URL(url, encoded=True), headers=headers, data=body, **self._options
                ) as answer,
            ):
                return Response(await answer.read(), answer.status, Headers(answer.headers.items()))
        except TimeoutError:
            failure = Unreachable(f"no answer from {public(url)} within {timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = Unreachable(f"no answer from {public(url)}: {_describe(error)}")
        raise failure

    async def close(self) -> None:
        """Close what is our own."""
        session, self._own = self._own, None
        if session is not None:
            await session.close()


def _failure(error: Exception, url: str) -> HandshakeRefused | Unreachable:
    """What a failed handshake means, in our own words."""
    if not isinstance(error, (aiohttp.WSServerHandshakeError, aiohttp.ClientHttpProxyError)):  # no answer, or no HTTP
        return Unreachable(f"no connection to {public(url)}: {_describe(error)}")
    status = error.status
    said = f"{public(url)} answered {status} {_phrase(status)}"
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return HandshakeRefused(status, said)
    return Unreachable(said, _retry_after(error.headers.get("Retry-After", "") if error.headers else ""))


def _describe(error: Exception) -> str:
    """An error without its text, which may have the URL; the system's own words are safe."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, tls.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({cause.verify_message})"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(value: str) -> float:
    """``Retry-After`` in seconds (RFC 9110 section 10.2.3: a number of them, or a date)."""
    try:
        seconds = float(value) if value.strip().isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


class AiohttpWire:
    """A ``Wire`` over aiohttp's WebSocket.

    Two things that aiohttp keeps to itself are needed, and looked up only here. Its transport: ``close()`` behind a
    buffer that the peer does not empty would keep the socket for ever. And word of every chunk that arrives: a peer
    that is in the middle of a large message is alive, though no frame of it has ended for a minute.
    """

    def __init__(self, response: aiohttp.ClientWebSocketResponse) -> None:
        self.protocol = response.protocol
        self._heard = True
        self._response = response
        connection = response._response.connection
        assert connection is not None
        assert connection.protocol is not None
        assert connection.transport is not None
        self._transport = connection.transport
        connection.protocol._data_received_cb = self._note

    def _note(self) -> None:
        self._heard = True

    def heard(self) -> bool:
        """Whether anything at all has come since this was asked last."""
        heard, self._heard = self._heard, False
        return heard

    @property
    def ending(self) -> bool:
        """Whether it takes no more."""
        return self._response.closed or self._transport.is_closing()

    async def receive(self) -> str | bytes:
        """The next message. Raises ``ConnectionClosed``."""
        message = await self._response.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        raise await self._ended(message)

    async def _ended(self, message: WSMessage) -> ConnectionClosed:
        """How the connection ended; aiohttp's ``close_code`` is not asked, which calls a cut connection a good one."""
        if message.type is WSMsgType.CLOSE:
            code = message.data or CloseCode.NO_STATUS
            await self._echo(CloseCode.NORMAL if code == CloseCode.NO_STATUS else code)
            return ConnectionClosed(code, message.extra or "")
        if message.type is WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
            return ConnectionClosed(message.data.code, str(message.data))
        return ConnectionClosed(CloseCode.ABNORMAL, "the connection was cut")

    async def _echo(self, code: int) -> None:
        """Answer the peer's close; then it is the peer that hangs up, but we do not wait for it."""
        try:
            async with asyncio.timeout(0):
                await self._response.close(code=code)
        except TimeoutError:  # it waits for room in a full buffer
            pass

    async def send(self, message: Outgoing) -> None:
        """Hand a message to the network at once, then wait until the network has room for more."""
        kind = WSMsgType.TEXT if message.is_text else WSMsgType.BINARY
        try:
            await self._response.send_frame(message.data, kind)
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionClosed(reason=_describe(error)) from None

    async def ping(self) -> None:
        """Ask the peer for a sign of life."""
        try:
            await self._response.ping()
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionClosed(reason=_describe(error)) from None

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and wait for the peer's."""
        words = reason.encode()[:NOTHING_BUT_THE_CLOSE].decode(errors="ignore")
        await self._response.close(code=code, message=words.encode())

    def abort(self) -> None:
        """Let go at once."""
        self._response._response.close()
        self._transport.abort()
