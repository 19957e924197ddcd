"""Log: when a snapshot is worth its while."""

from __future__ import annotations

import pytest

from partyroom.documents.log import MANY, SMALL, SOME, Log
from partyroom.http import Address
from partyroom.storage import Storage
from partyroom.stores.memory import MemoryStore

KIB = 1024


async def grown(snapshot: int, updates: int, size: int) -> Log:
    """A log with a snapshot of so many bytes and so many updates of so many."""
    log = Log(Storage(MemoryStore(), Address("notes", "today")))
    if snapshot:
        log.compact(bytes(snapshot))
    for _ in range(updates):
        log.append(bytes(size))
    await log._storage.flush()
    return log


@pytest.mark.parametrize(
    ("snapshot", "updates", "size", "while_they_edit", "when_it_is_quiet"),
    [
        (0, SOME - 1, 20, False, False),
        (0, SOME, 20, False, True),
        (0, 1, SMALL + 1, False, True),
        (100 * KIB, 1, 101 * KIB, False, True),
        (100 * KIB, MANY, 20, False, True),
        (100 * KIB, SOME, 20, False, False),
        (100 * KIB, SOME, KIB, False, True),
        (10 * KIB, MANY, 20, False, True),
        (10 * KIB, MANY, 21, True, True),
        (100 * KIB, MANY - 1, 20, False, False),
    ],
)
async def test_a_snapshot_is_written_when_loading_it_saves_more_than_writing_it_costs(
    snapshot: int, updates: int, size: int, while_they_edit: bool, when_it_is_quiet: bool
) -> None:
    log = await grown(snapshot, updates, size)
    assert log.worth_compacting(quiet=False) is while_they_edit
    assert log.worth_compacting(quiet=True) is when_it_is_quiet


async def test_what_a_compaction_replaces_is_gone_and_what_waits_is_kept() -> None:
    log = await grown(0, 30, 10)
    log.compact(b"snapshot", [b"waits"])
    again = Log(log._storage)
    assert await again.load() == (b"snapshot", [b"waits"])
    assert len(again) == 1
    await log._storage.flush()


async def test_updates_that_are_dropped_leave_a_gap_and_the_order() -> None:
    log = await grown(0, 0, 0)
    for update in b"a", b"b", b"c":
        log.append(update)
    await log.drop([b"b"])
    again = Log(log._storage)
    assert await again.load() == (None, [b"a", b"c"])
    again.append(b"d")
    assert (await Log(log._storage).load())[1] == [b"a", b"c", b"d"]
    await log._storage.flush()
