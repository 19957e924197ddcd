"""Life: a room's party is started once, put to sleep, woken and stopped, in this order and never twice at a time.

::

    new -> starting -> live -> (asleep -> starting -> live)* -> stopping -> stopped

``asleep`` is a hibernating room: its sockets are open, its party is not in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Protocol

from .clock import Clock, Timer
from .errors import CloseCode, RoomStopped, is_failure
from .http import Address
from .limits import Limits
from .party import Party, settled

__all__ = ["Life", "Living", "Phase"]

log = logging.getLogger("partyroom.room")

BUSY_CHECK = 0.05
"""Seconds after which a room that was still busy at its idle check is looked at again, at the earliest."""


class Phase(Enum):
    """Where a room is in its life."""

    NEW = "new"
    STARTING = "starting"
    LIVE = "live"
    ASLEEP = "asleep"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Living(Protocol):
    """What a life asks of its room."""

    address: Address
    limits: Limits

    def make_party(self) -> Party:
        """A new party, not started yet."""
        ...

    @property
    def occupied(self) -> bool:
        """Whether the room has connections."""
        ...

    @property
    def owes_on_close(self) -> bool:
        """Whether there are connections that need a party to leave, also while the room sleeps."""
        ...

    @property
    def busy(self) -> bool:
        """Whether something besides hooks keeps the room: a task, a due alarm, an unfinished write."""
        ...

    async def wind_down(self, code: int, reason: str) -> None:
        """Let go of everything: connections get ``code``, writes are finished. Bounded in time; does not raise."""
        ...

    def ended(self) -> None:
        """The room has left memory."""
        ...


class Life:
    """The life of one room."""

    __slots__ = ("_background", "_clock", "_hibernate", "_idle_timer", "_last_active", "_quiet", "_room", "_started",
                 "_working", "party", "phase", "stopped")  # fmt: skip

    def __init__(self, room: Living, clock: Clock, *, hibernate: bool) -> None:
        self.phase = Phase.NEW
        self.party: Party | None = None
        """The started party; ``None`` unless the room is live (or stopping)."""
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = room
        self._clock = clock
        self._hibernate = hibernate
        self._started: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._working = 0
        self._quiet: asyncio.Future[None] | None = None
        self._idle_timer: Timer | None = None
        self._last_active = clock.now()
        self.watch()

    @property
    def over(self) -> bool:
        """Whether the room is stopping or has stopped: it takes no new events."""
        return self.phase is Phase.STOPPING or self.phase is Phase.STOPPED

    @property
    def asleep(self) -> bool:
        """Whether the room hibernates: its party has gone, or is about to go."""
        return self.phase is Phase.ASLEEP

    # -- starting ----------------------------------------------------------------------------------------------------

    async def ready(self) -> Party:
        """The started party, starting it if need be: however many ask, ``on_start`` runs once.

        Raises ``RoomStopped``.
        """
        while self.party is None:
            if self.over:
                raise RoomStopped(f"{self._room.address} has stopped")
            if self._started is None:
                self.phase = Phase.STARTING
                self._started = asyncio.create_task(self._start(), name=f"{self._room.address}: on_start")
            # Not awaited itself: a visitor who hangs up does not stop the start, nor a stopped start cancel a visitor.
            await asyncio.wait([self._started])
        return self.party

    async def _start(self) -> None:
        """Run ``on_start``. Never raises: a party that fails leaves the room stopping, which those who wait notice."""
        try:
            party = self._room.make_party()
            async with asyncio.timeout(self._room.limits.start):
                await settled(party.on_start())
        except BaseException as error:  # also a panic of an extension, or what on_start awaited was cancelled
            log.error("%s: on_start failed", self._room.address, exc_info=error)
            if not self.over:
                self.phase = Phase.STOPPING
                self.in_background(self._stop(CloseCode.TRY_AGAIN_LATER, "the room could not start"))
        else:
            if not self.over:  # else the room has stopped without waiting for it
                self.party = party
                self.phase = Phase.LIVE
                self.touch()
        finally:
            self._started = None

    # -- work --------------------------------------------------------------------------------------------------------

    @contextmanager
    def work(self) -> Iterator[None]:
        """While this is open the room is not idle."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self.touch()
                if self._quiet is not None and not self._room.occupied and not self._quiet.done():
                    self._quiet.set_result(None)

    def in_background(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something of the room's own to its end."""
        task = asyncio.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def until_quiet(self) -> None:
        """Until every connection has left and every hook has returned."""
        if self._room.occupied or self._working:
            self._quiet = asyncio.get_running_loop().create_future()
            await self._quiet

    # -- leaving memory ----------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Something has happened: stay for the idle time at least."""
        self._last_active = self._clock.now()
        self.watch()

    def watch(self) -> None:
        """See to it that the room is looked at once it may have become idle."""
        if self._idle_timer is None and not self.over and self._may_leave:
            limits = self._room.limits
            soonest = min(limits.idle, limits.doze) if self._hibernate else limits.idle
            self._idle_timer = self._clock.call_later(soonest, self._check_idle)

    @property
    def _may_leave(self) -> bool:
        return not self._room.occupied or (self._hibernate and not self.asleep)

    def _check_idle(self) -> None:
        self._idle_timer = None
        if self.over or not self._may_leave:
            return
        limits = self._room.limits
        remaining = self._last_active + (limits.doze if self._room.occupied else limits.idle) - self._clock.now()
        if self._working or self._started is not None or self._room.busy or remaining > 0:
            self._idle_timer = self._clock.call_later(max(remaining, BUSY_CHECK), self._check_idle)
        elif self._room.occupied:
            self._sleep()
        else:
            self.phase = Phase.STOPPING
            self.in_background(self._stop(CloseCode.GOING_AWAY, ""))

    def _sleep(self) -> None:
        """Drop the party and keep the sockets; the next event starts a new party, once this one has stopped."""
        party, self.party = self.party, None
        self.phase = Phase.ASLEEP
        if party is not None:
            self._started = asyncio.create_task(self._stop_party(party), name=f"{self._room.address}: on_stop")

    async def _stop_party(self, party: Party) -> None:
        try:
            await settled(party.on_stop())
        except BaseException as error:
            if not is_failure(error):
                raise
            log.error("%s: on_stop failed", self._room.address, exc_info=error)
        finally:
            self._started = None

    async def stop(self, code: int, reason: str) -> None:
        """End the room, whatever it is doing; returns when it has left memory. Safe to call more than once."""
        if self.asleep and not self._room.owes_on_close:
            if self._started is not None:  # on_stop is not over
                await asyncio.wait([self._started], timeout=self._room.limits.close)
        elif not self.over and (self._room.occupied or self._started is not None):
            # A room that sleeps or is starting still owes its connections an on_close.
            try:
                async with asyncio.timeout(self._room.limits.close):
                    await self.ready()
            except RoomStopped:
                pass
            except TimeoutError:
                log.error("%s: on_start did not end in time while the room stopped", self._room.address)
        if self.over:
            await asyncio.shield(self.stopped)
            return
        self.phase = Phase.STOPPING
        if self._started is not None:
            self._started.cancel()
        await self._stop(code, reason)

    async def _stop(self, code: int, reason: str) -> None:
        try:
            await self._room.wind_down(code, reason)
        finally:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            self.party = None
            self.phase = Phase.STOPPED
            self._room.ended()
            self.stopped.set_result(None)

    async def stop_party(self) -> None:
        """Run ``on_stop``, if there is a party: the last thing but the last flush."""
        if self.party is not None:
            await self._stop_party(self.party)
