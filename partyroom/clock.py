"""Clock: the time of day and timers, in one seam so that a test can move time instead of waiting for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "LoopClock", "Timer"]


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Forget the call, if it has not been made."""
        ...


class Clock(Protocol):
    """What time it is, and a call later."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in the running event loop after ``delay`` seconds."""
        ...


class LoopClock:
    """The real clock, on the running event loop."""

    now = staticmethod(time.time)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in the running event loop after ``delay`` seconds."""
        return asyncio.get_running_loop().call_later(delay, callback)
