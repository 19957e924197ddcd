"""Party: what a room does. A class of hooks to override; it has only hooks, options and ``self.room``.

Every hook may be ``def`` or ``async def``. Hooks of one connection run in order and one at a time; hooks of different
connections interleave only where one awaits. A hook that raises is logged and costs only the connection (close 1011)
or the request (HTTP 500) it ran for.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypeVar

from .http import Request, Response

if TYPE_CHECKING:
    from .connection import Connection
    from .crons import Cron
    from .limits import Limits
    from .room import Room

__all__ = ["MaybeAwaitable", "Party", "settled"]

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]
"""What a hook returns: ``def`` the value itself, ``async def`` an awaitable of it."""


async def settled(result: MaybeAwaitable[T]) -> T:
    """What a hook returned, whether it is ``def`` or ``async def``."""
    if inspect.isawaitable(result):
        return await result
    return result


class Party:
    """The behaviour of a room; subclass it and override what you need."""

    hibernate: ClassVar[bool] = False
    """Leave memory when idle even while sockets are open; ``on_start`` runs again at the next event."""
    auto_response: ClassVar[Mapping[str, str]] = {}
    """Texts that are answered at once without waking the room: ``{"ping": "pong"}``."""
    limits: ClassVar[Limits | None] = None
    """Bounds of this party's rooms and connections; ``None`` takes the lobby's."""
    on_duplicate: ClassVar[Literal["both", "replace", "refuse"]] = "both"
    """What happens when a second connection claims an id: both live, the older is closed (4409), or the newer is."""
    durable: ClassVar[bool] = True
    """Whether ``room.storage`` outlives the room; ``False`` keeps it in memory for as long as the room lives."""

    def __init__(self, room: Room) -> None:
        self.room = room

    # -- before a room is touched ------------------------------------------------------------------------------------

    @classmethod
    def on_before_connect(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """Before a WebSocket is accepted: a ``Response`` refuses it, a ``Request`` replaces it, ``None`` goes on."""
        return None

    @classmethod
    def on_before_request(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """Before an HTTP request reaches its room: as ``on_before_connect``."""
        return None

    @classmethod
    def on_fetch(cls, request: Request) -> MaybeAwaitable[Response | None]:
        """An HTTP request that addresses no room, asked of the lobby's first party; ``None`` is a 404."""
        return None

    @classmethod
    def on_socket(cls, connection: Connection, messages: AsyncIterator[str | bytes]) -> MaybeAwaitable[None]:
        """A WebSocket that addresses no room, asked of the lobby's first party; without this hook it is a 404.

        ``async for message in messages`` takes what the client sends until it has gone. Returning closes the
        connection; a hook that still runs a second after its client has gone is cancelled.
        """

    @classmethod
    def on_cron(cls, cron: Cron) -> MaybeAwaitable[None]:
        """A scheduled time of ``Lobby(crons=...)`` has come; raising is logged, and the next time comes all the same.

        Every party class of the lobby with this hook is called; one that inherits it is not called beside its parent.
        """

    @classmethod
    def auto_answer(cls, room: Room, connection: Connection, message: str | bytes) -> bool:
        """With ``hibernate``, before every ``on_message``: whether the message is dealt with, as no party is needed.

        It then neither wakes the room nor counts as activity. What it needs to know is in ``room.memory``.
        """
        return False

    @classmethod
    def auto_close(cls) -> Callable[[Room, Connection], object] | None:
        """With ``hibernate``, what to do as somebody leaves a sleeping room; ``None`` wakes it, for ``on_close``."""
        return None

    # -- in the room -------------------------------------------------------------------------------------------------

    def tags(self, connection: Connection, request: Request) -> MaybeAwaitable[Iterable[str]]:
        """Labels for a new connection, for ``room.connections(tag)``: at most 9 of at most 256 characters."""
        return ()

    def on_start(self) -> MaybeAwaitable[None]:
        """Once, before every other hook of the room: load what it needs. Raising turns those who wait away."""

    def on_connect(self, connection: Connection) -> MaybeAwaitable[None]:
        """A client has joined; none of its messages is handled before this returns."""

    def on_message(self, connection: Connection, message: str | bytes) -> MaybeAwaitable[None]:
        """A client sent text or bytes."""

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> MaybeAwaitable[None]:
        """A client has left, by whatever way: once for every ``on_connect``. It is already out of ``connections()``."""

    def on_error(self, connection: Connection, error: BaseException) -> MaybeAwaitable[None]:
        """A connection failed: its socket broke, its peer broke the protocol, or a hook raised; it is closed next."""

    def on_request(self, request: Request) -> MaybeAwaitable[Response]:
        """An HTTP request to the room's address, of any method."""
        return Response("Not found: this room answers no HTTP requests\n", 404)

    def on_alarm(self) -> MaybeAwaitable[None]:
        """The time of ``room.set_alarm`` has come. At least once, never early; raising has it tried again."""

    def on_stop(self) -> MaybeAwaitable[None]:
        """The room is about to leave memory; storage may still be written and is flushed after this."""
