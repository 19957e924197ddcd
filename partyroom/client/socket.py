"""PartySocket: a WebSocket to a room that survives its connections.

::

    async with PartySocket("localhost:1999", party="chat", room="lobby") as socket:
        await socket.send("hello")
        async for message in socket:                      # goes on across reconnects
            print(message)

What it promises: messages leave in the order in which they were given, and each at most once. One that waits while
there is no connection goes first when there is one again; one that was handed to a connection which then broke is not
sent again, since nobody can know whether it arrived. Who needs more says so in the messages (a document does).
"""

from __future__ import annotations

import asyncio
import inspect
import json as jsonlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from ..clock import Clock, LoopClock
from ..errors import CloseCode, ConnectionClosed, HandshakeRefused, Refused, Unreachable
from ..http import Response
from ..limits import MIB
from .backoff import Backoff
from .fetch import ask
from .link import Link, Status
from .mail import Outgoing
from .url import Params, Scalar, below, public, room_url, with_query
from .waiting import deadline
from .wire import Dial, Target, Wire

if TYPE_CHECKING:
    import ssl as tls

    import aiohttp

    from .network import Network

__all__ = ["Fresh", "PartySocket", "Status"]

log = logging.getLogger("partyroom.client")

Item = TypeVar("Item")
Fresh: TypeAlias = Mapping[str, Item] | Callable[[], Mapping[str, Item] | Awaitable[Mapping[str, Item]]] | None
"""Names and values, or a function that is called for them whenever they are needed and may be ``async``."""


class PartySocket:
    """A WebSocket to one room. ``async with`` it, or ``start`` and ``close`` it.

    ``host`` is ``localhost:1999`` or a URL, with the path that the rooms are mounted under if there is one; ``secure``
    is decided by its scheme, and without one loopback and private hosts are spoken to in the clear. ``id`` is how the
    room knows this client (``_pk``), random unless given, and stays over reconnects. ``query`` and ``headers`` may be
    functions, ``async`` ones too, which are called before every attempt (for a token that expires); one that raises
    fails that attempt, and one that raises ``Refused`` ends the socket.

    Attempts follow ``backoff`` and give up after ``connect_timeout`` seconds. They stop for good on a close code from
    4400 to 4499 and on a handshake that is answered 4xx (other than 408, 425 and 429, whose ``Retry-After`` is heeded).
    A peer that sends nothing for ``heartbeat`` seconds is asked for a sign of life and has half as long to give one.

    ``queue`` is how many bytes may wait to be sent while there is no connection, ``max_message`` the largest message
    that is taken from the server (a larger one costs the connection: 1009). ``proxy`` and ``ssl`` are aiohttp's;
    a ``session`` of the caller's is used and left open. ``dial`` and ``clock`` are for tests.

    Raises ``ValueError`` for what is no address. All methods are called in one event loop.
    """

    def __init__(
        self,
        host: str,
        *,
        room: str,
        party: str = "main",
        path: str = "",
        id: str | None = None,
        query: Fresh[Scalar] = None,
        headers: Fresh[str] = None,
        secure: bool | None = None,
        prefix: str = "parties",
        protocols: Sequence[str] = (),
        backoff: Backoff | None = None,
        connect_timeout: float = 10.0,
        close_timeout: float = 5.0,
        heartbeat: float | None = 25.0,
        max_message: int = 32 * MIB,
        queue: int = 1 * MIB,
        session: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: tls.SSLContext | aiohttp.Fingerprint | bool = True,
        clock: Clock | None = None,
        dial: Dial | None = None,
    ) -> None:
        self._room_url = room_url(host, room=room, party=party, prefix=prefix, secure=secure)
        self._url = below(self._room_url, path)
        self.id = id or str(uuid.uuid4())
        """How the room knows this client, the same over reconnects."""
        self.url = public(self._url)
        """Where the room is, without the query."""
        self.room = room
        self.party = party
        self._query = query
        self._headers = headers
        self._protocols = tuple(protocols)
        self._connect_timeout = connect_timeout
        self._max_message = max_message
        self._clock = clock or LoopClock()
        self._dial = dial
        self._session, self._proxy, self._ssl = session, proxy, ssl
        self._network: Network | None = None
        self._task: asyncio.Task[None] | None = None
        self._link = Link(
            self._connect,
            name=self.url,
            queue=queue,
            backoff=backoff or Backoff(),
            heartbeat=heartbeat,
            close_timeout=close_timeout,
            clock=self._clock,
        )

    def __repr__(self) -> str:
        return f"<PartySocket {self.url} {self.status}>"

    # How it is

    @property
    def status(self) -> Status:
        """Whether there is a connection, or may be one."""
        return self._link.status

    @property
    def error(self) -> ConnectionClosed | None:
        """Why the socket is closed, once it is."""
        return self._link.error

    @property
    def failure(self) -> str:
        """Why the last attempt failed, for people to read; empty when there was a connection since."""
        return self._link.failure

    @property
    def close_code(self) -> int | None:
        """How the last connection ended; 1006 is without a goodbye, 4401 a handshake that was answered 401."""
        return self._link.ended.code if self._link.ended else None

    @property
    def close_reason(self) -> str:
        """What was said to ``close_code``."""
        return self._link.ended.reason if self._link.ended else ""

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose."""
        return self._link.protocol

    # Beginning and end

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to connect, in the running event loop; once more is no error, nor is it after the end."""
        if self._task is None and self.status is not Status.CLOSED:
            self._task = asyncio.create_task(self._run(), name=f"partyroom socket to {self.url}")

    async def opened(self) -> None:
        """Wait until there is a connection. Raises ``ConnectionClosed`` when there will be none."""
        self.start()
        await self._link.changed.until(lambda: self.status is not Status.CONNECTING)
        if self.error is not None:
            raise self.error

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, say goodbye and wait for the peer's, all within ``close_timeout``; closing twice is fine.

        Raises ``ValueError`` for a code that nobody may send (RFC 6455 section 7.4).
        """
        if code in (1004, 1005, 1006) or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
            raise ValueError(f"{code} is no code to close with; use 1000, or 3000 to 4999")
        if self._task is None:
            if self.error is None:
                self._link.part(ConnectionClosed(code, reason))
            return
        if self._link.goodbye is None:
            self._link.goodbye = ConnectionClosed(code, reason)
            try:
                await self._link.flush()
            finally:
                self._task.cancel()
        await asyncio.wait([self._task])

    def hang_up(self, code: int, reason: str) -> None:
        """End this connection, if there is one, for what it has brought; another follows after a wait, as after any
        other end, but none after a code from 4400 to 4499."""
        self._link.hang_up(ConnectionClosed(code, reason))

    # Messages out

    async def send(self, message: str | bytes) -> None:
        """Send a message, and wait while much else waits to be sent; while there is no connection, it queues.

        Raises ``QueueFull`` when there is no connection and too much waits already, ``ConnectionClosed`` when there
        will be none, and ``TypeError`` for what is no message. When it is cancelled while it waits, the message is
        on its way all the same.
        """
        self._put(message, bounded=self.status is not Status.OPEN)
        await self.drained()

    async def drained(self) -> None:
        """Wait while there is a connection and much waits to be sent."""
        outbox = self._link.outbox
        await outbox.changed.until(lambda: not outbox.full_enough or self.status is not Status.OPEN)

    def discard(self) -> int:
        """Throw away what waits to be sent; returns how many messages that were. For those who begin every connection
        with what they know, and would only repeat themselves."""
        return self._link.outbox.clear()

    async def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text. Raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
        await self.send(jsonlib.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

    def post(self, message: str | bytes) -> None:
        """Send a message without waiting. Raises ``QueueFull`` when too much waits already, else as ``send``."""
        self._put(message, bounded=True)

    def _put(self, message: str | bytes, bounded: bool) -> None:
        outgoing = Outgoing.of(message)
        if ended := self.error or self._link.goodbye:
            raise ConnectionClosed(ended.code, ended.reason)
        if bounded:
            self._link.outbox.check()
        self._link.outbox.put(outgoing)

    # Messages in

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        """The next message. Ends after our own ``close``; raises ``ConnectionClosed`` when the server ended it."""
        self.start()
        inbox = self._link.inbox
        await inbox.changed.until(lambda: inbox or self.status is Status.CLOSED)
        if inbox:
            return inbox.take()
        assert self.error is not None
        if self._link.goodbye is not None:
            raise StopAsyncIteration
        raise self.error

    async def receive(self) -> str | bytes:
        """The next message, waiting for one. Raises ``ConnectionClosed`` when there will be no more."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            assert self.error is not None
            raise self.error from None

    # Events

    def on_open(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback()`` whenever there is a connection; what it posts goes after what waited. Returns a function
        that takes it away, as the others do."""
        return self._link.on_open.add(callback)

    def on_message(self, callback: Callable[[str | bytes], object]) -> Callable[[], None]:
        """Call ``callback(message)`` for every message, which then does not come by iteration."""
        remove = self._link.on_message.add(callback)
        while self._link.inbox:
            self._link.on_message(self._link.inbox.take())
        return remove

    def on_close(self, callback: Callable[[int, str], object]) -> Callable[[], None]:
        """Call ``callback(code, reason)`` whenever a connection ends, and when the server refuses one for good."""
        return self._link.on_close.add(callback)

    def on_status(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Call ``callback(status)`` whenever ``status`` has changed."""
        return self._link.on_status.add(callback)

    # HTTP

    async def fetch(
        self,
        path: str = "",
        *,
        method: str = "GET",
        query: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        json: Any = None,
        timeout: float = 30.0,
    ) -> Response:
        """An HTTP request to the room, with the socket's own query and headers and those given here.

        ``path`` is below the room. Any status is an answer; raises ``Unreachable`` when there is none in time.
        """
        query = {**await fresh(self._query), **(query or {})}
        headers = {**await fresh(self._headers), **(headers or {})}
        running = self._task is not None and not self._task.done()
        network = self._way_out() if running else self._new_network()
        try:
            url = below(self._room_url, path)
            return await ask(network, url, method, query, headers, body, json, timeout)
        finally:
            if not running:
                await network.close()

    # The connection

    async def _run(self) -> None:
        try:
            await self._link.run()
        finally:
            if self._network is not None:
                await self._network.close()

    async def _connect(self) -> Wire:
        """One attempt. Raises ``HandshakeRefused`` or ``Unreachable``."""
        dial = self._dial or self._way_out().dial
        try:
            async with deadline(self._clock, self._connect_timeout):
                return await dial(await self._target())
        except TimeoutError:
            raise Unreachable(f"no connection to {self.url} within {self._connect_timeout:g} s") from None

    async def _target(self) -> Target:
        """What to dial this time."""
        try:
            query = {"_pk": self.id, **await fresh(self._query)}
            headers = await fresh(self._headers)
        except Refused as refused:
            raise HandshakeRefused(refused.status, refused.reason) from refused
        except Exception as error:
            log.exception("query or headers of the socket to %s could not be had", self.url)
            raise Unreachable(f"query or headers could not be had: {type(error).__name__}") from error
        url = with_query(self._url, query)
        return Target(url=url, headers=headers, protocols=self._protocols, max_message=self._max_message)

    def _way_out(self) -> Network:
        """The network of this socket, closed with it."""
        if self._network is None:
            self._network = self._new_network()
        return self._network

    def _new_network(self) -> Network:
        from .network import Network  # loads aiohttp, which takes its time

        return Network(self._session, proxy=self._proxy, ssl=self._ssl)


async def fresh(given: Fresh[Item]) -> Mapping[str, Item]:
    """What is wanted now of something that may be a function."""
    value = given() if callable(given) else given
    if inspect.isawaitable(value):
        value = await value
    return value or {}
