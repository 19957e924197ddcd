"""Tasks: what a room does in the background (``room.spawn``), until it ends by itself or the room does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from .http import Address

__all__ = ["Tasks"]

log = logging.getLogger("partyroom.room")


class Tasks:
    """The background tasks of one room; ``on_end`` is called at the end of each."""

    __slots__ = ("_address", "_on_end", "_running")

    def __init__(self, address: Address, on_end: Callable[[], object]) -> None:
        self._address = address
        self._on_end = on_end
        self._running: set[asyncio.Task[Any]] = set()

    def __bool__(self) -> bool:
        return bool(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine``; what it raises is logged."""
        task = asyncio.create_task(coroutine, name=f"{self._address}: {coroutine!r}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel(self) -> None:
        """Cancel all, and wait for their ends."""
        for task in (tasks := list(self._running)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._on_end()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s failed", self._address, task.get_name(), exc_info=error)
