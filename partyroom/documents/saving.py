"""Saver: when a document's ``on_save`` is called: as edits pause, and now and then while they do not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from ..party import MaybeAwaitable, settled
from ..room import Room

__all__ = ["Saver"]

log = logging.getLogger("partyroom.documents")

SAVE_AFTER, SAVE_WITHIN = 2.0, 10.0
"""``on_save`` runs when edits have paused for so many seconds, and at the latest after so many."""
FIRST_PAUSE, TRIES = 2.0, 6
"""Seconds until a save that failed is tried again, doubling each time, and how often; then the next edit does."""


class Saver:
    """Calls ``save`` for a room's edits, until all is saved."""

    def __init__(self, room: Room, save: Callable[[], MaybeAwaitable[None]]) -> None:
        self._room = room
        self._save = save
        self._running: asyncio.Task[None] | None = None
        self._changed_at = 0.0
        self._unsaved = False

    def changed(self) -> None:
        """There has been an edit."""
        self._changed_at = monotonic()
        self._unsaved = True
        if self._running is None and not self._room.life.over:
            self._running = self._room.spawn(self._run())

    async def finish(self) -> None:
        """Save what is not saved, now; the room has cancelled what ran. Raises what ``save`` raises."""
        if self._unsaved:
            await settled(self._save())
            self._unsaved = False

    async def _run(self) -> None:
        failures = 0
        try:
            while self._unsaved and failures < TRIES:
                await self._pause()
                self._unsaved = False
                try:
                    await settled(self._save())
                    failures = 0
                except BaseException as error:
                    self._unsaved = True
                    if not isinstance(error, Exception):
                        raise
                    failures += 1
                    log.error("%s: on_save failed (%d of %d)", self._room.address, failures, TRIES, exc_info=error)
                    await asyncio.sleep(FIRST_PAUSE * 2 ** (failures - 1))
        finally:
            self._running = None

    async def _pause(self) -> None:
        """Until edits pause, within bounds."""
        began = monotonic()
        while (rest := min(self._changed_at + SAVE_AFTER, began + SAVE_WITHIN) - monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(rest)
