"""Alarms: one per room, kept in the store, and one timer for the earliest of all.

An alarm rings at least once and never early, also after a restart: it stays in the store until its handler has
succeeded. A handler that raises is tried again after 2 s, doubling, six times; then the alarm is given up with an error
in the log. An alarm set while ringing stands, as the next one.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from math import isfinite

from .clock import Clock, Timer
from .errors import is_failure
from .http import Address
from .stores.base import Store

__all__ = ["FIRST_RETRY", "RETRIES", "Alarms", "moment"]

log = logging.getLogger("partyroom.alarms")

RETRIES = 6
FIRST_RETRY = 2.0
AT_ONCE = 64
"""How many alarms ring at the same time, so that a restart does not start every overdue room at once."""


def moment(when: float | datetime | timedelta, now: float) -> float:
    """A time in seconds since the epoch, of which a ``timedelta`` is one from ``now``. Raises ``ValueError``."""
    if isinstance(when, timedelta):
        when = now + when.total_seconds()
    elif isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError("an alarm's datetime needs a time zone: datetime.now(timezone.utc) + ...")
        when = when.timestamp()
    at = float(when)
    if not isfinite(at):
        raise ValueError(f"an alarm needs a time, not {at}")
    return at


class Alarms:
    """The alarms of a lobby. ``ring(address)`` runs a room's handler; ``give_up(address)`` deletes a failed alarm."""

    def __init__(
        self,
        clock: Clock,
        ring: Callable[[Address], Awaitable[None]],
        give_up: Callable[[Address], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._ring = ring
        self._give_up = give_up
        self._when: dict[Address, float] = {}
        self._heap: list[tuple[float, Address]] = []
        self._failures: dict[Address, int] = {}
        self._following: dict[Address, float] = {}
        """What a handler that then failed had set for later: it stands when the handler is tried again."""
        self._timer: Timer | None = None
        self._timer_at = float("inf")
        self._ringing: dict[Address, asyncio.Task[None]] = {}
        self._closed = False

    async def load(self, store: Store) -> None:
        """Take up the alarms that an earlier process left in ``store``."""
        for address, when in await store.alarms(limit=10_000_000):
            if address not in self._when:
                self.set(address, when)

    def get(self, address: Address) -> float | None:
        """When the room's alarm is due (seconds since the epoch); ``None`` without one, also while it rings."""
        return self._when.get(address)

    def set(self, address: Address, when: float | None) -> None:
        """Set or (``None``) delete a room's alarm; the caller writes it to the room's storage."""
        self._failures.pop(address, None)
        self._following.pop(address, None)
        self._schedule(address, when)

    def busy(self, address: Address) -> bool:
        """Whether the room's alarm is ringing or overdue, so that the room should stay in memory."""
        when = self._when.get(address)
        return address in self._ringing or (when is not None and when <= self._clock.now())

    async def close(self, within: float) -> None:
        """Ring no more; handlers that run are cancelled and ring again after the next start.

        Waits ``within`` seconds at most for handlers that take their cancellation slowly, or not at all.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in (tasks := list(self._ringing.values())):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within)

    def _schedule(self, address: Address, when: float | None) -> None:
        if when is None:
            self._when.pop(address, None)
            return
        self._when[address] = when
        heapq.heappush(self._heap, (when, address))
        if len(self._heap) > 2 * len(self._when) + 64:  # alarms that are moved again and again leave entries behind
            self._heap[:] = [(when, address) for address, when in self._when.items()]
            heapq.heapify(self._heap)
        self._arm()

    def _arm(self) -> None:
        """Set the timer for the earliest alarm, dropping heap entries that were deleted or moved."""
        heap = self._heap
        while heap and self._when.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        if self._closed or not heap or len(self._ringing) >= AT_ONCE:
            return
        when = heap[0][0]
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        # A day at most: the wall clock may be set, and event loops do not take any delay.
        self._timer = self._clock.call_later(min(max(0.0, when - self._clock.now()), 86_400.0), self._due)

    def _due(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        heap = self._heap
        while heap and heap[0][0] <= self._clock.now() and len(self._ringing) < AT_ONCE:
            when, address = heapq.heappop(heap)
            if self._when.get(address) != when:
                continue
            if address in self._ringing:  # it set itself anew, and that is due already: after the present ring
                continue
            del self._when[address]
            self._ringing[address] = asyncio.create_task(self._run(address), name=f"alarm of {address}")
            if (following := self._following.pop(address, None)) is not None:
                self._schedule(address, following)
        self._arm()

    async def _run(self, address: Address) -> None:
        try:
            await self._ring(address)
            self._failures.pop(address, None)
        except BaseException as error:
            if not is_failure(error):
                raise
            await self._failed(address, error)
        finally:
            del self._ringing[address]
            if (when := self._when.get(address)) is not None:
                self._schedule(address, when)
            self._arm()

    async def _failed(self, address: Address, error: BaseException) -> None:
        failures = self._failures.get(address, 0) + 1
        if failures <= RETRIES:
            pause = FIRST_RETRY * 2 ** (failures - 1)
            log.warning("%s: its alarm failed (%r), trying again in %.0f s", address, error, pause)
            retry_at = self._clock.now() + pause
            following = self._when.get(address, retry_at)
            self._schedule(address, min(retry_at, following))
            if following > retry_at:
                self._following[address] = following
            self._failures[address] = failures
            return
        log.error("%s: its alarm failed %d times and is given up: %r", address, failures, error)
        self._failures.pop(address, None)
        if address not in self._when:
            await self._give_up(address)
