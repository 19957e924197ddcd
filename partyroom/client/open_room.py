"""Open rooms: what ``partyroom.connect`` returns, to be used from any thread; see ``blocking``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from ..errors import CloseCode, ConnectionClosed
from ..http import Response
from .hosted import Hosted
from .socket import PartySocket, Status
from .url import Params

__all__ = ["OpenRoom", "SocketRoom"]

Result = TypeVar("Result")
P = ParamSpec("P")


class OpenRoom:
    """What rooms have in common. ``with`` it, or ``close`` it; one that nobody refers to any more closes by itself,
    unless it has been given callbacks."""

    def __init__(self, hosted: Hosted, socket: PartySocket) -> None:
        self._hosted = hosted
        self._socket = socket
        self._network = hosted.network
        weakref.finalize(self, _abandon, hosted).atexit = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} {self.status}>"

    # -- how it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """How the room knows this client."""
        return self._socket.id

    @property
    def url(self) -> str:
        """Where the room is, without the query."""
        return self._socket.url

    @property
    def status(self) -> str:
        """Whether there is a connection, or may be one."""
        return self._socket.status

    @property
    def failure(self) -> str:
        """Why there is no connection, for people to read; empty where there is one."""
        return self._socket.failure

    @property
    def closed(self) -> bool:
        """Whether there will be no connection any more."""
        return self._socket.status is Status.CLOSED

    def wait(self, timeout: float | None = None) -> None:
        """Wait until there is a connection. Raises ``TimeoutError`` after ``timeout`` seconds, and
        ``ConnectionClosed`` when there will be none."""

        async def opened() -> None:
            async with asyncio.timeout(timeout):
                await self._socket.opened()

        self._run(opened)

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, say goodbye and wait for the server's, for a few seconds at most. Closing twice is fine."""
        self._network.check()
        if self._network.alive:
            self._run(lambda: self._hosted.close(code, reason))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- messages ----------------------------------------------------------------------------------------------------

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        raise NotImplementedError

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text. Raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
        self.send(jsonlib.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message, waiting for one.

        Raises ``TimeoutError`` after ``timeout`` seconds and ``ConnectionClosed`` when there will be no more.
        """
        self._network.check_waiting()
        return self._hosted.mailbox.take(timeout)

    def __iter__(self) -> Iterator[str | bytes]:
        """The messages, across reconnects; ends after ``close``. Raises ``ConnectionClosed`` if the server ends it."""
        while True:
            try:
                message = self.receive()
            except ConnectionClosed:
                if self._hosted.closing:
                    return
                raise
            yield message

    def on_message(self, callback: Callable[[str | bytes], object]) -> Callable[[], None]:
        """Call ``callback(message)`` for every message, which then does not come by ``receive``. Returns a function
        that takes it away, as the others do."""
        return self._hold(lambda: self._hosted.listen(callback))

    def on_status(self, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``callback(status)`` whenever ``status`` has changed."""
        return self._subscribe(self._socket.on_status, callback)

    # -- requests ----------------------------------------------------------------------------------------------------

    def fetch(
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
        """An HTTP request to the room: see ``PartySocket.fetch``."""
        ask = partial(self._socket.fetch, path, method=method, query=query, headers=headers)
        return self._run(lambda: ask(body=body, json=json, timeout=timeout))

    def ask(self, name: str, value: Any = None, *, timeout: float = 5.0) -> Any:
        """What another client of the room answers that serves ``name``: see ``Asking.ask``."""
        return self._run(lambda: self._hosted.asking.ask(name, value, timeout=timeout))

    def serve(self, name: str, handler: Callable[[Any], Any]) -> Callable[[], None]:
        """Answer what others ask under ``name`` with ``handler(value)``, called where callbacks are; what it raises
        goes to the asker as its text. Returns a function that ends it."""
        return self._hold(lambda: self._hosted.serve(name, handler))

    # -- the network thread ------------------------------------------------------------------------------------------

    def _run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return self._network.run(work)

    def _subscribe(
        self, add: Callable[[Callable[P, None]], Callable[[], None]], callback: Callable[P, object]
    ) -> Callable[[], None]:
        """Have ``callback`` called where callbacks are whenever ``add``'s would be, until it is taken away."""

        def posted(*args: P.args, **kwargs: P.kwargs) -> None:
            self._hosted.post(partial(callback, *args, **kwargs))

        return self._hold(lambda: add(posted))

    def _hold(self, add: Callable[[], Callable[[], None]]) -> Callable[[], None]:
        """Add something that keeps the room from closing by itself; returns a function that takes it away again."""
        remove = self._network.call(add)
        self._hosted.face = self
        return lambda: self._network.soon(remove)


class SocketRoom(OpenRoom):
    """A room of any kind, by the messages that it sends: what ``connect(..., document=False)`` returns."""

    def send(self, message: str | bytes) -> None:
        """Send a message, and wait while much else waits to be sent; while there is no connection, it queues.

        Raises ``QueueFull``, ``ConnectionClosed`` and ``TypeError`` as ``PartySocket.send``. In a callback on the
        network's own thread it does not wait.
        """
        if self._network.here:
            self._socket.post(message)
        else:
            self._run(lambda: self._socket.send(message))


def _abandon(hosted: Hosted) -> None:
    """Nobody refers to the room any more."""
    if not hosted.closing:
        hosted.network.soon(lambda: hosted.network.loop.create_task(hosted.close()))
