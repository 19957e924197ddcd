"""Clock: the time of day and timers, in one seam so that a test can move time instead of waiting for it.

Tick: what is left to be done when the present turn of the event loop ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "LoopClock", "Tick", "Timer"]

log = logging.getLogger("partyroom.clock")


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


class Tick:
    """Calls to make when this turn of the event loop ends, in the order in which they were asked for.

    A call may ask for more; those are made in the same run.
    """

    __slots__ = ("_after_read", "_at_end", "_loop", "_reading", "ending")

    def __init__(self) -> None:
        self.ending = False
        """Whether such calls are being made now."""
        self._at_end: list[Callable[[], object]] = []
        self._after_read: list[Callable[[], object]] = []
        self._reading = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def at_end(self, call: Callable[[], object]) -> None:
        """Make ``call`` soon: after what runs now, before anything new is read from the network."""
        if not self._at_end:
            loop = self._loop  # kept: get_running_loop() costs Python 3.11 a system call
            if loop is None or loop.is_closed():
                loop = self._loop = asyncio.get_running_loop()
            loop.call_soon(self._end)
        self._at_end.append(call)

    def after_read(self, call: Callable[[], object]) -> None:
        """Make ``call`` when what a client has sent is dealt with: a turn of the event loop less. Else ``at_end``."""
        if self._reading:
            self._after_read.append(call)
        else:
            self.at_end(call)

    def read(self, feed: Callable[[bytes], object], data: bytes) -> None:
        """Let ``feed`` deal with what a client has sent."""
        self._reading = True
        try:
            feed(data)
        finally:
            self._reading = False
            if self._after_read:
                self._make(self._after_read)

    def _end(self) -> None:
        self._make(self._at_end)

    def _make(self, calls: list[Callable[[], object]]) -> None:
        self.ending = True
        stopped: BaseException | None = None
        for call in calls:  # grows while it runs
            try:
                call()
            except Exception:  # a bug of ours; it must not silence the other clients
                log.exception("a call at the end of a loop tick failed")
            except BaseException as error:  # Ctrl-C, after which the loop may run on, to say goodbye
                stopped = error
        calls.clear()
        self.ending = False
        if stopped is not None:
            raise stopped
