"""Edited: when a document's ``on_edit`` is called: soon after an edit, once for all that have come meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import is_failure
from ..party import MaybeAwaitable, settled
from ..room import Room

__all__ = ["Edited"]

log = logging.getLogger("partyroom.documents")


class Edited:
    """Calls ``hook`` for a room's edits, one call at a time, each after ``whole``: outside of every transaction."""

    def __init__(
        self, room: Room, hook: Callable[[], MaybeAwaitable[None]], whole: Callable[[], Awaitable[None]]
    ) -> None:
        self._room = room
        self._hook = hook
        self._whole = whole
        self._running: asyncio.Task[None] | None = None
        self._untold = False

    def changed(self) -> None:
        """There has been an edit."""
        self._untold = True
        if self._running is None and not self._room.life.over:
            self._running = self._room.spawn(self._run())

    async def finish(self) -> None:
        """Tell what is not told; the room has cancelled what ran."""
        if self._untold:
            await self._tell()

    async def _run(self) -> None:
        try:
            while self._untold:
                await self._whole()
                await self._tell()
                await asyncio.sleep(0)  # a hook that edits each time it is called holds nobody up
        finally:
            self._running = None

    async def _tell(self) -> None:
        self._untold = False
        try:
            await settled(self._hook())
        except BaseException as error:
            if not is_failure(error):
                self._untold = True
                raise
            log.exception("%s: on_edit failed", self._room.address)
