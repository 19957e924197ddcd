"""SQLiteStore keeps the contract, and does what its own docstrings say: grouping, checksums, failures of the disk."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from partyroom.errors import Damaged, LimitError, StoreError
from partyroom.http import Address
from partyroom.stores import rows, sqlite, sqlite_file
from partyroom.stores.base import Batch, Store
from partyroom.stores.sqlite import SQLiteStore
from partyroom.stores.suite import DurableStoreSuite

HERE = Address("notes", "today")
ELSEWHERE = Address("notes", "tomorrow")


class TestSQLiteStore(DurableStoreSuite):
    @pytest.fixture(autouse=True)
    def _at(self, tmp_path: Path) -> None:
        self.path = tmp_path / "rooms.db"

    async def make_store(self) -> Store:
        return SQLiteStore(self.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    await store.open()
    yield store
    await store.close()


@contextmanager
def another_program_writes(path: Path) -> Iterator[None]:
    """Hold SQLite's write lock for the length of the block: no commit of the store can get through."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """For the length of the block, no file of this process may grow past the size of the store's log."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """For the length of the block there is no file at ``path``."""
    aside = path.with_name("aside.db")
    path.rename(aside)
    yield
    assert not path.exists()
    aside.rename(path)


def change(path: Path, sql: str) -> None:
    """Do to the closed file what a bad disk might."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount == 1


def commits(path: Path) -> int:
    """How many commits the log holds: frames with the database's new size (https://sqlite.org/fileformat2.html#walformat)."""
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page_size)
    salt = log[16:24]  # frames of an earlier round have another one
    return sum(log[at + 8 : at + 16] == salt and log[at + 4 : at + 8] != b"\0\0\0\0" for at in frames)


# Writing


async def test_batches_that_wait_together_are_committed_together(store: SQLiteStore, path: Path) -> None:
    await store.apply(HERE, Batch(puts={"a": b""}))
    before = commits(path)
    with another_program_writes(path):
        calls = [store.apply(Address("notes", f"{n}"), Batch(puts={"a": b""})) for n in range(100)]
    await asyncio.gather(*calls)
    assert 1 <= commits(path) - before <= 2  # the first may have been on its way alone
    assert len(await store.rooms()) == 101


async def test_reads_go_on_while_a_commit_is_held_up(store: SQLiteStore, path: Path) -> None:
    await store.apply(HERE, Batch(puts={"a": b"old"}))
    with another_program_writes(path):
        writing = asyncio.ensure_future(store.apply(HERE, Batch(puts={"a": b"new"})))
        for _ in range(5):
            assert await store.get(HERE, ["a"]) == {"a": b"old"}
        assert not writing.done()
    await writing
    assert await store.get(HERE, ["a"]) == {"a": b"new"}


def test_a_commit_waits_for_the_disk(path: Path) -> None:
    with closing(sqlite_file.connect(path, create=True)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == (b"wal",)


async def test_a_full_disk_fails_the_group_and_the_next_one_works(store: SQLiteStore, path: Path) -> None:
    await store.apply(HERE, Batch(puts={"kept": b"1"}))
    with full_disk(path):
        calls = [store.apply(HERE, Batch(puts={f"{n}": bytes(1000)}, alarm=1)) for n in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(type(result) is StoreError for result in results)
        assert str(path) in str(results[0])
        assert await store.load(HERE) == [("kept", b"1")]
        with pytest.raises(StoreError, match="disk"):
            await store.apply(HERE, Batch(puts={"big": bytes(8 * 1024 * 1024)}))
    await store.apply(HERE, Batch(puts={"after": b"2"}))
    assert await store.load(HERE) == [("after", b"2"), ("kept", b"1")]
    assert await store.alarms() == []


async def test_a_lock_held_for_too_long_is_an_error_and_passes(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.05)
    store._drop_writer()  # the next one has the shorter patience
    with another_program_writes(path), pytest.raises(StoreError, match="another program holds a lock"):
        await store.apply(HERE, Batch(puts={"a": b""}))
    await store.apply(HERE, Batch(puts={"b": b""}))
    assert await store.load(HERE) == [("b", b"")]


async def test_nothing_is_called_saved_in_a_file_that_was_removed(store: SQLiteStore, path: Path) -> None:
    await store.apply(HERE, Batch(puts={"a": b""}))
    with moved_away(path):
        for _ in range(2):
            with pytest.raises(StoreError, match="removed or replaced"):
                await store.apply(HERE, Batch(puts={"b": b""}))
        store._readers.pop().close()  # the next read has to connect anew, and must not make a file
        with pytest.raises(StoreError, match="not removed"):
            await store.load(HERE)
    await store.apply(HERE, Batch(puts={"c": b""}))
    assert await store.load(HERE) == [("a", b""), ("c", b"")]


async def test_what_sqlite_cannot_hold_is_refused(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_MAX_VALUE", 3)
    with pytest.raises(LimitError, match="'long' has 4 bytes"):
        await store.apply(HERE, Batch(puts={"a": b"", "long": b"1234"}))
    assert await store.load(HERE) == []


async def test_a_batch_that_fails_for_an_unknown_reason_fails_alone(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksum = rows.checksum

    def failing(room: int, seq: int, key: bytes, value: bytes) -> int:
        if value == b"fail":
            raise RuntimeError("out of luck")
        return checksum(room, seq, key, value)

    monkeypatch.setattr(rows, "checksum", failing)
    with another_program_writes(path):
        calls = [store.apply(HERE, Batch(puts={value: b"", "last": value.encode()})) for value in ["a", "fail", "b"]]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreError, type(None)]
    assert "out of luck" in str(results[1])
    assert await store.load(HERE) == [("a", b""), ("b", b""), ("last", b"b")]


# Checksums


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE items SET value = x'76616c7566' WHERE key = 'bad'",
        "UPDATE items SET value = 'value' || char(0) WHERE key = 'bad'",
        "UPDATE items SET value = 12 WHERE key = 'bad'",
        "UPDATE items SET crc = crc + 1 WHERE key = 'bad'",
        "UPDATE items SET seq = seq - 1 WHERE key = 'bad'",
        "UPDATE items SET seq = 'two' WHERE key = 'bad'",
        "UPDATE rooms SET seq = 1 WHERE room = 'today'",
        "UPDATE items SET room = (SELECT id FROM rooms WHERE room = 'today'), key = 'bad' WHERE key = 'stray'",
    ],
)
async def test_a_row_that_has_changed_on_disk_is_reported_and_the_others_are_read(path: Path, damage: str) -> None:
    store = SQLiteStore(path)
    await store.apply(HERE, Batch(puts={"good": b"value"}))
    await store.apply(HERE, Batch(puts={"bad": b"value"}) if "stray" not in damage else Batch())
    await store.apply(ELSEWHERE, Batch(puts={"stray": b"value"}))
    await store.close()
    change(path, damage)
    store = SQLiteStore(path)
    with pytest.raises(Damaged, match="'bad' of the room notes/today"):
        await store.get(HERE, ["good", "bad"])
    with pytest.raises(Damaged, match="'bad' of the room notes/today"):
        await store.load(HERE)
    assert await store.get(HERE, ["good"]) == {"good": b"value"}
    await store.close()


async def test_a_key_that_is_not_text_any_more_is_reported(path: Path) -> None:
    store = SQLiteStore(path)
    await store.apply(HERE, Batch(puts={"bad": b"value"}))
    await store.close()
    change(path, "UPDATE items SET key = CAST(x'62ff64' AS TEXT)")
    store = SQLiteStore(path)
    with pytest.raises(Damaged, match="room notes/today"):
        await store.load(HERE)
    await store.close()


# Loops and threads


def test_a_store_is_made_outside_a_loop_and_used_from_one_after_another(path: Path) -> None:
    store = SQLiteStore(path)
    assert not path.exists()

    async def put(key: str) -> list[str]:
        await store.apply(HERE, Batch(puts={key: b""}))
        return [key for key, _ in await store.load(HERE)]

    assert asyncio.run(put("a")) == ["a"]
    assert asyncio.run(put("b")) == ["a", "b"]
    asyncio.run(store.close())


def test_a_loop_that_ended_before_its_answer_leaves_the_store_working(path: Path) -> None:
    store = SQLiteStore(path)
    unanswered = []

    async def ask_and_go() -> None:
        await store.open()
        unanswered.append(asyncio.ensure_future(store.apply(HERE, Batch(puts={"a": b""}))))

    async def look() -> list[tuple[str, bytes]]:
        await store.apply(HERE, Batch(puts={"b": b""}))
        return await store.load(HERE)

    asyncio.run(ask_and_go())
    assert asyncio.run(look()) == [("a", b""), ("b", b"")]
    asyncio.run(store.close())


async def test_close_ends_its_threads_and_leaves_one_file_and_its_lock(path: Path) -> None:
    store = SQLiteStore(path)
    await store.apply(HERE, Batch(puts={"a": b""}))
    await asyncio.gather(*(store.load(HERE) for _ in range(10)))
    await store.close()
    of_stores = "partyroom-writer", "partyroom-reader"
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(of_stores)]
    assert sorted(file.name for file in path.parent.iterdir()) == ["rooms.db", "rooms.db.lock"]
