"""Waiting: for something to become true, for some time to pass, and for something not to take too long.

Times go by a ``Clock``, so that a test moves them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..clock import Clock

__all__ = ["Changes", "deadline", "sleep"]


class Changes:
    """Somebody changes something and says so; others wait until it is as they want it."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def __call__(self) -> None:
        """Say that something has changed."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, wanted: Callable[[], object]) -> None:
        """Wait until ``wanted()`` is true; it is looked at now and after every change."""
        while not wanted():
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait for ``seconds`` of the clock."""
    over = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_later(seconds, wake)
    try:
        await over
    finally:
        timer.cancel()


@asynccontextmanager
async def deadline(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Raises ``TimeoutError`` out of the block when it takes more than ``seconds`` of the clock; 0 is not to wait."""
    async with asyncio.timeout(None if seconds > 0 else 0) as limit:
        timer = clock.call_later(seconds, lambda: limit.reschedule(asyncio.get_running_loop().time()))
        try:
            yield
        finally:
            timer.cancel()
