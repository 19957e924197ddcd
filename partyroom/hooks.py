"""Hooks: runs a party's hooks for one connection at a time; what they raise costs that connection and no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from .connection import Connection
from .errors import CloseCode, ProtocolError, RoomStopped, is_failure
from .http import Address
from .life import Life
from .party import settled

__all__ = ["Hooks"]

log = logging.getLogger("partyroom.room")

FAILED: tuple[int, str] = (CloseCode.TRY_AGAIN_LATER, "the room could not start")


class Hooks:
    """The hooks of one room's party, which ``life`` starts."""

    __slots__ = ("_address", "_life", "goodbye")

    def __init__(self, address: Address, life: Life) -> None:
        self._address = address
        self._life = life
        self.goodbye = FAILED
        """What those hear who are there when the party has gone."""

    async def run(self, connection: Connection, hook: str, *arguments: Any) -> None:
        """Run a hook on behalf of a connection, and see to what it raises."""
        try:
            party = await self._life.ready()
            result = getattr(party, hook)(*arguments)
        except RoomStopped:
            connection.close(*self.goodbye)
        except BaseException as error:
            if not is_failure(error):
                raise
            await self.failed(connection, hook, error)
        else:
            if result is not None:
                await self.finish(connection, hook, result)

    async def finish(self, connection: Connection, hook: str, result: Awaitable[Any]) -> None:
        """Await what a hook returned, and see to what it raises."""
        with self._life.work():
            try:
                await result
            except BaseException as error:
                if not is_failure(error):
                    raise
                await self.failed(connection, hook, error)

    async def failed(self, connection: Connection, hook: str, error: BaseException) -> None:
        """A hook has raised: ``on_error`` hears of it, and the connection is closed."""
        if isinstance(error, ProtocolError):
            log.warning("%s: %r broke the protocol: %s", self._address, connection, error.reason)
            code, reason = error.code, error.reason.encode()[:120].decode(errors="ignore")
        else:
            self.log(hook, error, connection)
            code, reason = int(CloseCode.INTERNAL_ERROR), "the server failed"
        if hook != "on_close":
            await self.on_error(connection, error)
        connection.close(code, reason)

    async def on_error(self, connection: Connection, error: BaseException) -> None:
        """Run ``on_error``; what that raises is logged."""
        try:
            await settled((await self._life.ready()).on_error(connection, error))
        except RoomStopped:
            pass  # nobody is left to tell
        except BaseException as failure:
            if not is_failure(failure):
                raise
            self.log("on_error", failure, connection)

    def log(self, hook: str, error: BaseException, connection: Connection | None = None) -> None:
        """Write down what a hook raised: the only place where it is seen in full."""
        whose = f" for {connection!r}" if connection is not None else ""
        log.error("%s: %s failed%s", self._address, hook, whose, exc_info=error)
