"""Crons: named schedules of a lobby, in the five fields of crontab(5) and in UTC, which call ``on_cron``.

A tick is never early and never called twice, also where the clock is set back. What was missed, because the server was
down or the machine asleep, is not made up for: of all ticks that a sleep has swallowed one is called, late. A run that
lasts longer than its interval is let finish, and the ticks meanwhile are left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cronsim import CronSim, CronSimError

from .clock import Clock, Timer
from .party import Party, settled

__all__ = ["Cron", "Crons", "Schedule", "UnknownCronError"]

log = logging.getLogger("partyroom.crons")

LOOK: Final = 60.0
"""Seconds after which the wall clock is looked at again: timers stand still while a machine sleeps."""

SHORT: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class UnknownCronError(ValueError):
    """No schedule has this name."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A scheduled time that has come: what ``on_cron`` gets."""

    name: str
    """The schedule's name in ``Lobby(crons=...)``."""
    schedule: str = ""
    """Its expression, as it was given."""
    at: float = 0.0
    """The time that was scheduled, in seconds since the epoch; of a manual trigger, the present."""
    env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The lobby's settings and secrets."""
    parties: Any = field(default=None, repr=False)
    """The lobby's rooms: ``cron.parties["chat"]["lobby"].fetch(...)``."""


class Schedule:
    """When a cron is due: minute, hour, day of the month, month and day of the week, or ``@hourly`` to ``@yearly``.

    Names (``JAN``, ``MON``), lists, ranges, steps, ``L`` and ``#`` are understood, and as in Debian's cron a day has to
    match both day fields if either begins with ``*``, else one of them. Raises ``ValueError``.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._fields = SHORT.get(expression.strip().lower(), expression)
        if len(self._fields.split()) != 5:
            raise ValueError(
                f"the schedule {expression!r} has not five fields: minute hour day month weekday, "
                f"as in '*/5 * * * *', or one of {', '.join(SHORT)}"
            )
        try:
            self.after(0.0)
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it never comes"
            raise ValueError(f"the schedule {expression!r} is no schedule: {why}") from None

    def after(self, when: float) -> float:
        """The first time after ``when``, both in seconds since the epoch."""
        return next(CronSim(self._fields, datetime.fromtimestamp(when, UTC))).timestamp()


class Crons:
    """The schedules of a lobby. Each tick calls every ``on_cron`` among its parties, once each."""

    def __init__(
        self,
        schedules: Mapping[str, str],
        parties: Iterable[type[Party]],
        clock: Clock,
        *,
        env: Mapping[str, Any],
        rooms: Any,
    ) -> None:
        self._schedules = {name: Schedule(expression) for name, expression in schedules.items()}
        self._parties = _with_a_hook(parties)
        if self._schedules and not self._parties:
            raise ValueError(f"no party has on_cron, so nothing would run at {', '.join(schedules)}")
        self._clock = clock
        self._env = env
        self._rooms = rooms
        self._due: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to watch the clock; what was due before is past."""
        now = self._clock.now()
        self._due = {name: schedule.after(now) for name, schedule in self._schedules.items()}
        self._arm()

    async def trigger(self, name: str) -> None:
        """Run a schedule now and wait for its end; one that is running already is waited for.

        Raises ``UnknownCronError`` for a name that is not scheduled, and what ``on_cron`` raised.
        """
        if name not in self._schedules:
            others = f"only {', '.join(self._schedules)}" if self._schedules else "nor any other"
            raise UnknownCronError(f"there is no cron {name!r} here, {others}")
        task = self._running.get(name) or self._begin(name, self._clock.now())
        await asyncio.shield(task)

    async def close(self, within: float) -> None:
        """Call no more; what runs is cancelled, and waited for ``within`` seconds at most."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
        for task in (tasks := list(self._running.values())):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within)

    def _arm(self) -> None:
        if self._due:
            wait = min(self._due.values()) - self._clock.now()
            self._timer = self._clock.call_later(min(max(0.0, wait), LOOK), self._look)

    def _look(self) -> None:
        now = self._clock.now()
        for name, due in self._due.items():
            if due <= now:
                self._due[name] = self._schedules[name].after(now)
                if name in self._running:
                    log.warning("the cron %r is still running, so this time is left out", name)
                else:
                    self._begin(name, due)
        self._arm()

    def _begin(self, name: str, at: float) -> asyncio.Task[None]:
        cron = Cron(name, self._schedules[name].expression, at, self._env, self._rooms)
        task = self._running[name] = asyncio.create_task(self._run(cron), name=f"the cron {name}")
        task.add_done_callback(lambda task: self._ended(name, task))
        return task

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        if not task.cancelled():
            task.exception()  # logged already; nobody has to wait for a scheduled run

    async def _run(self, cron: Cron) -> None:
        outcomes = await asyncio.gather(*(_call(party, cron) for party in self._parties), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome


async def _call(party: type[Party], cron: Cron) -> None:
    try:
        await settled(party.on_cron(cron))
    except Exception:
        log.exception("the cron %r: on_cron of %s failed", cron.name, party.__qualname__)
        raise


def _with_a_hook(parties: Iterable[type[Party]]) -> list[type[Party]]:
    """The classes that have an ``on_cron`` of their own; of those that share an inherited one, the first."""
    found: dict[object, type[Party]] = {}
    for party in parties:
        found.setdefault(_function(party), party)
    found.pop(_function(Party), None)
    return list(found.values())


def _function(party: type[Party]) -> object:
    return getattr(party.on_cron, "__func__", party.on_cron)
