"""Runs one scenario on ours and on the other server, window about window, and keeps the medians.

All servers stay up for the whole scenario and only one has work at a time, so that whatever else the machine does
falls on all alike.
"""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, field
from statistics import median

from .load import OURS, Load, Scenario, Size
from .servers import Server, Unavailable, start

__all__ = ["OURS", "Comparison", "Side", "compare", "percentile"]

SETTLE = 0.06  # what a server puts off (a commit, a collection) still counts


def percentile(values: list[float], rank: float) -> float:
    """The value that ``rank`` (0 to 1) of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(rank * len(ordered)))]


@dataclass
class Side:
    """What one server needed in one scenario."""

    name: str
    version: str = ""
    failed: str | None = None
    """Why there are no figures."""
    rounds: list[float] = field(default_factory=list)
    """Microseconds of processor time per delivered message, of each window."""
    deliveries: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """The median of ``rounds``."""
        return median(self.rounds) if self.rounds and not self.failed else None

    def latency(self, rank: float) -> float | None:
        """Milliseconds at ``rank``."""
        return percentile(self.latencies, rank) * 1e3 if self.latencies and not self.failed else None


@dataclass
class Comparison:
    """Both sides of a scenario."""

    scenario: Scenario
    ours: Side
    theirs: Side
    bare: Side | None
    """Where the scenario asks for its floor."""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return self._over_theirs(self.ours)

    @property
    def floor(self) -> float | None:
        """What the ratio would be if ours did nothing but pass bytes on."""
        return None if self.bare is None else self._over_theirs(self.bare)

    def _over_theirs(self, side: Side) -> float | None:
        cost, theirs = side.cost, self.theirs.cost
        return cost / theirs if cost is not None and theirs else None


class _Contestant:
    """A server, its clients, and the figures so far. A failure ends its part in the scenario, not the scenario."""

    def __init__(self, name: str, scenario: Scenario, size: Size) -> None:
        self.side = Side(name)
        self._scenario = scenario
        self._size = size
        self._server: Server | None = None
        self._load: Load | None = None

    async def open(self) -> None:
        """Start the server, connect the clients, let it warm up."""
        try:
            self._server = await start(self.side.name)
            self.side.version = self._server.version
            self._load = await self._scenario.open(self._server.port, self._size)
            await self._load.warm_up()
        except (OSError, TimeoutError, Unavailable) as error:
            self._fail(error)

    async def window(self) -> None:
        """Measure one window."""
        server, load = self._server, self._load
        if self.side.failed or server is None or load is None:
            return
        load.prepare()
        await asyncio.sleep(SETTLE)
        gc.collect()
        gc.disable()  # a collection in the load generator would look like latency
        try:
            before = server.cpu()
            window = await load.run()
            await asyncio.sleep(SETTLE)
            used = server.cpu() - before
        except (OSError, TimeoutError) as error:
            self._fail(error)
            return
        finally:
            gc.enable()
        self.side.rounds.append(used / window.deliveries / 1e3)
        self.side.deliveries += window.deliveries
        self.side.latencies += window.latencies

    async def close(self) -> None:
        """Hang up and stop the server."""
        if self._load is not None:
            self._load.close()
        if self._server is not None:
            await self._server.stop()

    def _fail(self, error: Exception) -> None:
        said = str(error) or type(error).__name__
        if self._server is not None:
            said += f" (its log ends: {self._server.last_words()})"
        self.side.failed = said


async def compare(scenario: Scenario, size: Size) -> Comparison:
    """Run ``scenario`` on its servers in turn."""
    names = (scenario.subject, scenario.reference, *(["bare"] if scenario.floor else []))
    contestants = [_Contestant(name, scenario, size) for name in names]
    try:
        for contestant in contestants:
            await contestant.open()
        for turn in range(size.rounds):
            for contestant in contestants if turn % 2 == 0 else reversed(contestants):
                await contestant.window()
    finally:
        for contestant in contestants:
            await contestant.close()
    ours, theirs, *bare = (contestant.side for contestant in contestants)
    return Comparison(scenario, ours, theirs, bare[0] if bare else None)
