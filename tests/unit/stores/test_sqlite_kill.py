"""``kill -9`` in the middle of a stream of writes: all that was acknowledged is there, and nothing by halves."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from partyroom.http import Address
from partyroom.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.slow

PARTS = 3
# Eight rooms write batch after batch, each of several keys, and print "room number" when told that one is on disk.
WRITE = f"""
import asyncio, sys
from partyroom.http import Address
from partyroom.stores.base import Batch
from partyroom.stores.sqlite import SQLiteStore

async def write(store, room):
    for number in range(1_000_000):
        puts = {{f"{{number}}-{{part}}": bytes([part]) * 700 for part in range({PARTS})}}
        deletes = [f"{{number - 50}}-{{part}}" for part in range({PARTS})]
        await store.apply(Address("kill", room), Batch(puts=puts, deletes=deletes, alarm=float(number)))
        print(room, number, flush=True)

async def main():
    store = SQLiteStore(sys.argv[1])
    await asyncio.gather(*(write(store, f"room {{n}}".replace(" ", "-")) for n in range(8)))

asyncio.run(main())
"""


def write_until_killed(path: Path, lines: int) -> dict[str, int]:
    """Kill the writer after ``lines`` acknowledgements; the last number of each room, with what came after."""
    acknowledged: dict[str, int] = {}
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for count, line in enumerate(writer.stdout):
            if count == lines:
                writer.kill()  # what the pipe still holds is read on
            if line.endswith("\n"):
                room, number = line.split()
                acknowledged[room] = int(number)
    assert writer.returncode == -9
    return acknowledged


async def numbers(store: SQLiteStore, room: str) -> list[int]:
    """The batches of which anything is there, all of them whole."""
    items = await store.load(Address("kill", room))
    parts: dict[int, set[str]] = {}
    for key, value in items:
        number, _, part = key.partition("-")
        assert value == bytes([int(part)]) * 700
        parts.setdefault(int(number), set()).add(part)
    assert all(len(found) == PARTS for found in parts.values())
    return sorted(parts)


@pytest.mark.parametrize("lines", random.Random(9).sample(range(5, 1500), 3))
def test_all_that_was_acknowledged_survives_kill_9_whole(
    tmp_path: Path, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rooms.db"
    acknowledged = write_until_killed(path, lines)

    async def check() -> None:
        store = SQLiteStore(path)
        alarms = dict(await store.alarms())
        for room, last in acknowledged.items():
            found = await numbers(store, room)
            newest = found[-1]
            assert newest in (last, last + 1)  # at most one was on its way
            assert found == list(range(max(0, newest - 49), newest + 1))
            assert alarms[Address("kill", room)] == newest
        await store.close()

    assert len(acknowledged) <= 8
    assert sum(acknowledged.values()) >= lines - 8
    asyncio.run(check())
    assert not caplog.records
