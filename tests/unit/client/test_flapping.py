"""Two hours of a server that comes and goes, in moved time: every wait is as documented, and nobody storms it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest

from partyroom.client.backoff import Backoff
from partyroom.client.socket import PartySocket, Status
from partyroom.client.wire import Target, Wire
from partyroom.errors import ConnectionClosed, Unreachable
from partyroom.testing import ManualClock, settle
from tests.unit.client.fake import FakeWire

TWO_HOURS = 7200.0
CLIENTS = 12


@dataclass
class Story:
    """What one client did: when it dialled, and when a connection of its own ended."""

    dialled: list[float] = field(default_factory=list)
    ended: list[tuple[float, float]] = field(default_factory=list)
    """When it began to be without a connection, and how long the one before had lived (0 for a failed attempt)."""

    def check(self, backoff: Backoff) -> int:
        """Each attempt after a loss came within the documented bounds; returns how many there were."""
        failures = 0
        for (lost, lived), again in zip(self.ended, self.dialled[1:], strict=False):
            failures = 1 if lived >= backoff.min_uptime else failures + 1
            longest = backoff.ceiling(failures)
            waited = again - lost
            assert longest * (1 - backoff.jitter) - 1e-6 <= waited <= longest + 1e-6, (failures, waited, longest)
        return len(self.dialled)


class Flapping:
    """A server that is up and down by turns; while it is up it takes some connections and cuts them, together."""

    def __init__(self, clock: ManualClock, chance: Random) -> None:
        self.clock = clock
        self.chance = chance
        self.up = True
        self.stories = [Story() for _ in range(CLIENTS)]
        self.open: dict[int, tuple[float, FakeWire]] = {}

    def dial(self, number: int) -> object:
        async def dial(target: Target) -> Wire:
            story = self.stories[number]
            story.dialled.append(self.clock.now())
            if not self.up or self.chance.random() < 0.1:
                story.ended.append((self.clock.now(), 0.0))
                raise Unreachable("down")
            wire = FakeWire()
            self.open[number] = (self.clock.now(), wire)
            return wire

        return dial

    def go_down(self) -> None:
        self.up = False
        for number, (since, wire) in self.open.items():
            self.stories[number].ended.append((self.clock.now(), self.clock.now() - since))
            wire.hang_up(1012)
        self.open.clear()

    async def live(self, seconds: float) -> None:
        """Come and go: for seconds, or for minutes."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            await self.clock.advance(self.chance.choice([0.5, 3, 20, 120]) * self.chance.random())
            self.go_down()
            await settle()
            await self.clock.advance(self.chance.choice([0, 1, 10, 90]) * self.chance.random())
            self.up = True


def busiest_second(times: list[float]) -> int:
    """The most that fell into any one second."""
    times = sorted(times)
    return max(sum(1 for other in times[index : index + 500] if other < time + 1) for index, time in enumerate(times))


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [1, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(2, 12))],
    ids=lambda seed: f"seed-{seed}",
)
async def test_two_hours_of_flapping(seed: int) -> None:
    clock, chance = ManualClock(), Random(seed)
    server = Flapping(clock, chance)
    backoff = Backoff(random=chance.random)
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(
                PartySocket("localhost", room="r", dial=server.dial(n), clock=clock, backoff=backoff, heartbeat=None)  # type: ignore[arg-type]
            )
            for n in range(CLIENTS)
        ]
        await settle()
        began = clock.now()
        await server.live(TWO_HOURS)
        attempts = [story.check(backoff) for story in server.stories]
        # No storm: nobody dials twice within the shortest wait, and all together are never much faster than once a
        # second each, though they lost the server in the same instant.
        for story in server.stories:
            assert min(later - earlier for earlier, later in pairwise(story.dialled)) >= 0.2
        assert (
            busiest_second([time for story in server.stories for time in story.dialled if time > began])
            <= 1.5 * CLIENTS
        )
        assert all(count < TWO_HOURS / 5 for count in attempts), attempts
        await clock.advance(30)  # the longest wait; 1 in 10 attempts still fails, so one more round
        await clock.advance(30)
        assert [socket.status for socket in sockets] == [Status.OPEN] * CLIENTS
    assert all(isinstance(socket.error, ConnectionClosed) and socket.error.code == 1000 for socket in sockets)


async def test_a_server_that_takes_everybody_and_hangs_up_at_once_is_left_in_peace() -> None:
    """The counter starts anew only after ``min_uptime``: two hours of it are some 450 attempts, not 6,500."""
    clock = ManualClock()
    story = Story()

    async def dial(target: Target) -> Wire:
        story.dialled.append(clock.now())
        story.ended.append((clock.now(), 0.0))
        wire = FakeWire()
        wire.hang_up(1011)
        return wire

    backoff = Backoff(random=Random(3).random)
    async with PartySocket("localhost", room="r", dial=dial, clock=clock, backoff=backoff):
        await clock.advance(TWO_HOURS)
    assert 400 <= story.check(backoff) <= 520


@pytest.mark.slow
async def test_a_thousand_clients_come_back_after_one_restart_without_a_storm() -> None:
    clock, chance = ManualClock(), Random(5)
    backoff = Backoff(random=chance.random)
    dialled: list[float] = []
    wires: list[FakeWire] = []

    async def dial(target: Target) -> Wire:
        dialled.append(clock.now())
        wires.append(FakeWire())
        return wires[-1]

    sockets = [
        PartySocket("localhost", room="r", dial=dial, clock=clock, backoff=backoff, heartbeat=None)
        for _ in range(1_000)
    ]
    for socket in sockets:
        socket.start()
    await settle()
    dialled.clear()
    restarted = clock.now()
    for wire in wires[:1_000]:
        wire.hang_up(1012)
    await settle()
    for _ in range(20):  # in one advance, each of a thousand timers would have the loop settle for itself
        clock._now += 0.1
        await clock.advance(0)
    assert [socket.status for socket in sockets] == [Status.OPEN] * 1_000
    tenths = [sum(1 for time in dialled if round((time - restarted) * 10) == tenth) for tenth in range(1, 21)]
    assert sum(tenths) == 1_000
    assert max(tenths) <= 85, tenths
    await asyncio.gather(*[socket.close() for socket in sockets])
