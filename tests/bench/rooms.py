"""Rooms on demand, at scale: each made by its first request, with state of its own, evicted, and made again when asked.

``python -m tests.bench.rooms 10000`` prints what one more room in memory costs, and how long each that is on disk takes
to answer while the server is busy with something else. Everything is in this process: no network adds to the figures,
and the clock that evicts the rooms is moved by hand.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

from partyroom import Connection, Lobby, Party, Request, Response, SQLiteStore
from partyroom.testing import ManualClock, fetch, visit

from .compare import percentile

__all__ = ["MEMORY_TARGET", "REVIVAL_TARGET", "AtScale", "at_scale", "measured"]

ROOT = Path(__file__).parent.parent.parent

MEMORY_TARGET = 12 * 1024.0
"""Bytes that a plain room in memory may cost."""
REVIVAL_TARGET = 5.0
"""Milliseconds within which a room on disk must answer, at the 99th percentile."""
AT_ONCE = 50
FIRST = 200  # made before the count starts: the allocator's first arenas are nobody's room
LISTENERS = 50
EACH = 0.002
"""Seconds between two messages to the listeners, while rooms are revived."""


class Counter(Party):
    """Counts what is posted to it, for ever."""

    async def on_start(self) -> None:
        """Remember."""
        self.count: int = await self.room.storage.get("count", 0)

    async def on_request(self, request: Request) -> Response:
        """Say how many; a POST counts, and is on disk when it is answered."""
        if request.method == "POST":
            self.count += 1
            await self.room.storage.put("count", self.count)
        return Response.json([self.room.id, self.count])


class Crowd(Party):
    """What the server is busy with: whatever one says, all hear."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Pass it on."""
        self.room.broadcast(message)


@dataclass
class AtScale:
    """What was measured of ``count`` rooms."""

    count: int
    bytes_each: float = 0.0
    """Resident memory of one more idle room."""
    made: float = 0.0
    """Seconds in which all were made and answered, a few at a time."""
    evicted: float = 0.0
    """Seconds in which all left memory."""
    revived: list[float] = field(default_factory=list)
    """Milliseconds from a request to the answer of a room that was not in memory, one after another."""
    failed: str | None = None

    def revived_at(self, rank: float) -> float | None:
        """The figure at ``rank``."""
        return percentile(self.revived, rank) if self.revived else None


async def at_scale(count: int) -> AtScale:
    """Make, evict and revive ``count`` rooms; raises ``AssertionError`` where one has not its own state."""
    found, clock = AtScale(count), ManualClock()
    with tempfile.TemporaryDirectory(prefix="partyroom-rooms-") as folder:
        store = SQLiteStore(Path(folder) / "rooms.db")
        async with Lobby({"counter": Counter, "crowd": Crowd}, store=store, clock=clock) as lobby:
            await _post(lobby, [f"first-{number}" for number in range(FIRST)])
            before, started = _resident(), perf_counter()
            await _post(lobby, [str(number) for number in range(count)])
            found.made = perf_counter() - started
            found.bytes_each = (_resident() - before) / count
            started = perf_counter()
            while list(lobby.rooms()):
                await clock.advance(lobby.limits.idle)
                await asyncio.sleep(0.001)  # what is written, is written by a thread
            found.evicted = perf_counter() - started
            order = random.Random(8).sample(range(count), count)
            async with _busy(lobby):
                for number in order:
                    started = perf_counter()
                    answer = await fetch(lobby, f"/parties/counter/{number}")
                    found.revived.append((perf_counter() - started) * 1e3)
                    assert answer.body == b'["%d",1]' % number, answer
                    await asyncio.sleep(0)
    return found


async def _post(lobby: Lobby, ids: list[str]) -> None:
    """Make rooms by their first request, ``AT_ONCE`` at a time."""
    for start in range(0, len(ids), AT_ONCE):
        answers = await asyncio.gather(
            *(fetch(lobby, f"/parties/counter/{room}", "POST") for room in ids[start : start + AT_ONCE])
        )
        assert all(answer.status == 200 for answer in answers)


@asynccontextmanager
async def _busy(lobby: Lobby) -> AsyncIterator[None]:
    """While this is open, ``LISTENERS`` hear a message every ``EACH`` seconds."""
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(visit(lobby, "/parties/crowd/all")) for _ in range(LISTENERS)]

        async def speak() -> None:
            while True:
                await listeners[0].send("hear, hear" * 10)
                for listener in listeners:
                    await listener.receive()
                await asyncio.sleep(EACH)

        speaking = asyncio.create_task(speak())
        try:
            yield
        finally:
            speaking.cancel()


def _resident() -> int:
    """Bytes of memory that this process has (Linux)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measured(count: int) -> AtScale:
    """``at_scale`` in a process of its own, whose memory holds nothing else."""
    command = [sys.executable, "-m", "tests.bench.rooms", str(count)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        return AtScale(count, failed=f"it ended with {process.returncode}")
    return AtScale(**json.loads(output))


def main(count: int) -> None:
    """Measure, and print what was found as JSON."""
    import uvloop

    print(json.dumps(asdict(uvloop.run(at_scale(count)))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
