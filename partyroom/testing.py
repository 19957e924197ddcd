"""For tests of rooms, ours and yours: visitors without a network, a clock that tests move, the stores' suite.

::

    async with Lobby({"chat": Chat}) as lobby, visit(lobby, "/parties/chat/lobby") as alice:
        await alice.send("hello")
        assert await alice.receive() == "hello"
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from .errors import Refused
from .http import Pairs, Request, Response
from .lobby import Lobby
from .local import LocalSocket, LocalTransport
from .stores.suite import DurableStoreSuite, StoreSuite

__all__ = [
    "DurableStoreSuite",
    "ManualClock",
    "MemoryTransport",
    "StoreSuite",
    "fetch",
    "settle",
    "visit",
]

MemoryTransport = LocalTransport


@asynccontextmanager
async def visit(lobby: Lobby, url: str, *, headers: Pairs = (), user: Any = None) -> AsyncIterator[LocalSocket]:
    """A WebSocket client in process: admitted as a gateway admits it, before-hooks and limits included.

    Raises ``Refused`` where a real client would see the handshake fail with that HTTP status.
    """
    admitted = await lobby.admit(Request.build(url, headers=headers, user=user))
    if isinstance(admitted, Response):
        raise Refused(admitted.status, admitted.body.decode().strip())
    async with LocalSocket(admitted.room, admitted.request) as socket:
        yield socket


async def fetch(lobby: Lobby, url: str, method: str = "GET", *, headers: Pairs = (), body: bytes = b"") -> Response:
    """An HTTP request in process, before-hooks and CORS included."""
    return await lobby.fetch(Request.build(url, method, headers=headers, body=body))


async def settle(ticks: int = 50) -> None:
    """Let what is ready to run in this event loop run, for ``ticks`` turns at most; waits for no time and no I/O."""
    # An hour of a ManualClock can be thousands of timers: no turn more than there is something to do. The queue is
    # asyncio's own and private; where a loop shows none (uvloop), it takes all its turns.
    ready: Sized | None = getattr(asyncio.get_running_loop(), "_ready", None)
    for _ in range(ticks):
        await asyncio.sleep(0)
        if ready is not None and not ready:
            return


@dataclass(order=True)
class _Timer:
    when: float
    number: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """A clock that stands still until ``advance`` moves it: idle rooms, alarms and retries without waiting."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now
        self._timers: list[_Timer] = []
        self._made = 0

    def now(self) -> float:
        """The time that ``advance`` has made it, in seconds since the epoch."""
        return self._now

    def call_later(self, delay: float, callback: Callable[[], object]) -> _Timer:
        """Call ``callback`` when ``advance`` has passed ``delay`` seconds."""
        self._made += 1
        timer = _Timer(self._now + max(0.0, delay), self._made, callback)
        heappush(self._timers, timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, calling what falls due in order and letting it run."""
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0].when <= end:
            timer = heappop(self._timers)
            self._now = max(self._now, timer.when)
            if not timer.cancelled:
                timer.callback()
                await settle()
        self._now = end
        await settle()
