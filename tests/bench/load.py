"""What a scenario is, and what every load needs: pacing, waiting, opening many clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol, TypeVar

from .wire import Client

__all__ = ["OURS", "PATIENCE", "QUICK", "Load", "Scenario", "Size", "Window", "acquainted", "opened", "paced", "until"]

OURS = "partyroom"
"""``partyroom serve``, which is the aiohttp gateway."""
PATIENCE = 20.0
"""Seconds to wait for what must come."""
AT_ONCE = 50


@dataclass(frozen=True)
class Size:
    """How much is measured; more rounds and longer windows mean less noise."""

    rounds: int = 8
    """Windows of each server, interleaved; the median counts."""
    seconds: float = 1.0
    """Length of a paced window."""
    bursts: int = 4
    """Bursts in a window of the burst scenario."""
    edits: int = 120
    """Edits of each editor in a window of the saturated scenario."""
    cold: int = 400
    """Rooms asked for in the cold start measurement."""
    idle: int = 2_000
    """Connections, and rooms, in the memory measurement."""
    rooms: int = 10_000
    """Rooms that are made, evicted and revived."""
    trace: int = 300_000
    """Edits of the long document."""


QUICK = Size(rounds=2, seconds=0.6, bursts=3, edits=60, cold=100, idle=500, rooms=500, trace=20_000)


@dataclass
class Window:
    """What happened while the server's processor time was watched."""

    deliveries: int
    latencies: list[float] = field(default_factory=list)
    """Seconds from send to receipt, of a sample."""


class Load(Protocol):
    """Clients of one server, ready to make it work for one window after another."""

    async def warm_up(self) -> None:
        """Work without a pause for a while: at a slow pace a just-in-time compiler takes minutes to get going."""

    def prepare(self) -> None:
        """Make the next window's messages beforehand, so that making them disturbs nothing."""

    async def run(self) -> Window:
        """Send them, and return when all are delivered."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True)
class Scenario:
    """One row of the table: a kind of work, who does it, who else does it, and what ours may cost beside theirs."""

    name: str
    title: str
    reference: str
    target: float | None
    """Processor time of ours over theirs, at most; ``None`` where it is only to be known."""
    open: Callable[[int, Size], Awaitable[Load]]
    subject: str = OURS
    """Whose cost it is."""
    floor: bool = False
    """Whether ``bare`` does the work as well: what a server costs that does nothing but pass bytes on."""


async def paced(rate: float, count: int, act: Callable[[int], None]) -> None:
    """Call ``act(0)`` to ``act(count - 1)``, ``rate`` a second; late ones are caught up with, never dropped."""
    start = perf_counter()
    done = 0
    while done < count:
        due = min(count, int((perf_counter() - start) * rate) + 1)
        while done < due:
            act(done)
            done += 1
        await asyncio.sleep(max(0.0, start + done / rate - perf_counter()))


async def until(clients: Sequence[Client], total: int) -> None:
    """Wait until ``clients`` have received ``total`` messages together; ``TimeoutError`` says how many came instead."""
    deadline = perf_counter() + PATIENCE
    while (received := sum(client.count for client in clients)) < total:
        if gone := next((client.closed for client in clients if client.closed), None):
            raise ConnectionError(gone)
        if perf_counter() > deadline:
            raise TimeoutError(f"{received} of {total} messages arrived in {PATIENCE:.0f} s")
        await asyncio.sleep(0.002)


async def acquainted(clients: Sequence[Client], greet: Callable[[], None]) -> None:
    """Call ``greet`` until every client has received something: a server may accept a socket before its room has it."""
    deadline = perf_counter() + PATIENCE
    while silent := sum(not client.count for client in clients):
        if perf_counter() > deadline:
            raise TimeoutError(f"{silent} of {len(clients)} clients have heard nothing in {PATIENCE:.0f} s")
        greet()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)  # the last greetings are not to be counted later


T = TypeVar("T")


async def opened(opening: Iterable[Awaitable[T]]) -> list[T]:
    """The results of ``opening`` in order, fifty at a time so that no listen queue overflows."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(connecting: Awaitable[T]) -> T:
        async with gate:
            return await connecting

    return list(await asyncio.gather(*(one(connecting) for connecting in opening)))
