"""Outside: WebSockets that address no room, each in a room of its own that nobody else can reach.

The room is an ordinary one, so every gateway serves it, and limits, rates and the goodbye at shutdown hold for it too.
Its party runs ``on_socket`` of the lobby's first party and hands it what the client sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import ClassVar, Final

from .connection import Connection
from .errors import CloseCode, is_failure
from .party import MaybeAwaitable, Party, settled
from .room import Room

__all__ = ["Messages", "outside"]

log = logging.getLogger("partyroom.outside")

BACKLOG: Final = 64
"""Messages that may wait to be taken before the socket is read no further."""
PATIENCE: Final = 30.0
"""Seconds after which a client whose messages nobody takes is closed: its going would not be noticed."""
GRACE: Final = 1.0
"""Seconds that ``on_socket`` has to return once its client has gone."""


class Messages(AsyncIterator[str | bytes]):
    """What one client sends, in order: ``async for message in messages``. Ends when the client has gone."""

    def __init__(self) -> None:
        self._waiting: deque[str | bytes] = deque()
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._over = False

    async def __anext__(self) -> str | bytes:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        self._taken.set()
        return self._waiting.popleft()

    async def put(self, message: str | bytes) -> None:
        """Add a message, and wait for there to be a place for the next."""
        self._waiting.append(message)
        self._changed.set()
        while len(self._waiting) > BACKLOG and not self._over:
            self._taken.clear()
            await self._taken.wait()

    def end(self) -> None:
        """There will be no more."""
        self._over = True
        self._changed.set()
        self._taken.set()


class Outside(Party):
    """The party of one socket outside rooms."""

    durable = False
    serves: ClassVar[type[Party]] = Party
    """The party whose ``on_socket`` it runs."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._messages = Messages()
        self._task: asyncio.Task[None] | None = None

    def on_connect(self, connection: Connection) -> None:
        """Begin."""
        self._task = self.room.spawn(self._serve(connection))

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Hand it on; the client is read no further while too much waits."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._messages.put(message)
        except TimeoutError:
            connection.close(CloseCode.POLICY_VIOLATION, "what you send is not read")

    async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """End, and leave memory at once: nobody will come again."""
        self._messages.end()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=GRACE)
            self._task.cancel()
        self.room.life.in_background(self.room.stop())

    async def _serve(self, connection: Connection) -> None:
        try:
            served: MaybeAwaitable[None] = self.serves.on_socket(connection, self._messages)
            await settled(served)
        except BaseException as error:
            if not is_failure(error):
                raise
            log.exception("%s: on_socket failed", connection.request.path)
            connection.close(CloseCode.INTERNAL_ERROR, "the server failed")
        else:
            connection.close()
        finally:
            self._messages.end()


def outside(party: type[Party]) -> type[Outside] | None:
    """The party that serves sockets outside rooms for ``party``; ``None`` where that has no ``on_socket``."""
    if getattr(party.on_socket, "__func__", None) is Party.on_socket.__func__:  # type: ignore[attr-defined]
        return None
    return type(party.__name__, (Outside,), {"serves": party, "limits": party.limits, "__doc__": Outside.__doc__})
