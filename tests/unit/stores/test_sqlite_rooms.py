"""The files of the rooms' SQL databases: where they are, how many are open, and what they survive."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from partyroom import SQLiteStore
from partyroom.errors import Damaged, Fenced, StoreClosed, StoreError
from partyroom.http import Address
from partyroom.stores import rows, sqlite_rooms
from partyroom.stores.base import Batch
from partyroom.stores.sql import Database, Row

HERE = Address("game", "one")
HOSTILE = ["..", "../../x", "/etc/passwd", "a/b", "a\0b", "C:\\x", "x" * 512, "☃", " ", "con", "nul.db"]


def database(store: SQLiteStore, address: Address = HERE, fence: int = 0) -> Database:
    return store.database(address, size=None, seconds=None, fence=fence)


async def write(made: Database, *values: int) -> None:
    await made.execute("CREATE TABLE IF NOT EXISTS t (n)", [])
    await made.execute_many("INSERT INTO t VALUES (?)", [[value] for value in values])


async def read(made: Database) -> list[int]:
    return [row.n for row in await made.execute("SELECT n FROM t", [])]


def files(path: Path, suffix: str = ".db") -> list[Path]:
    return sorted(file for file in path.with_name(path.name + ".rooms").rglob("*") if file.name.endswith(suffix))


def open_files(path: Path) -> int:
    """How many of the rooms' files this process has open (Linux)."""
    folder = str(path.with_name(path.name + ".rooms"))
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return sum(link.startswith(folder) and link.endswith(".db") for link in links)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.db"


async def test_a_files_name_says_nothing_that_an_id_says(path: Path) -> None:
    store = SQLiteStore(path)
    addresses = [Address("game", id) for id in HOSTILE] + [Address("gam", "eone"), Address("", "game one"), HERE]
    for number, address in enumerate(addresses):
        await write(database(store, address), number)
    assert [await read(database(store, address)) for address in addresses] == [[n] for n in range(len(addresses))]
    assert await store.rooms() == sorted(addresses)
    await store.close()
    found = files(path)
    assert len(found) == len(addresses)
    assert {len(file.stem) for file in found} == {64}
    assert all(set(file.stem) <= set("0123456789abcdef") and file.parent.name == file.stem[:2] for file in found)
    assert all(file.name.startswith("rooms.db") for file in path.parent.iterdir())


async def test_what_is_written_is_there_after_a_restart(path: Path) -> None:
    store = SQLiteStore(path)
    await write(database(store), 1, 2)
    await store.close()
    assert files(path, "-wal") == [], "a file that was closed is whole by itself"
    store = SQLiteStore(path)
    assert await read(database(store)) == [1, 2]
    assert await store.rooms() == [HERE]
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
async def test_only_so_many_are_open_at_a_time_and_none_in_a_transaction_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rooms, "MOST_OPEN", 4)
    store = SQLiteStore(path)
    rooms = [database(store, Address("game", str(number))) for number in range(20)]
    await write(rooms[0], 0)
    await rooms[0].begin()
    await write(rooms[0], 1)
    for room in rooms[1:]:
        await write(room, 2)
    assert open_files(path) <= 5
    await rooms[0].commit()
    assert await read(rooms[0]) == [0, 1]
    assert [await read(room) for room in rooms[1:]] == [[2]] * 19
    for room in rooms:
        room.release()
    await store.close()
    assert open_files(path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
async def test_one_that_its_room_has_released_is_closed_once_nobody_uses_it(path: Path) -> None:
    store = SQLiteStore(path)
    first, second = database(store), database(store)
    await write(first, 1)
    first.release()
    first.release()
    assert await read(second) == [1]
    assert open_files(path) == 1
    with pytest.raises(StoreClosed, match="has stopped"):
        await read(first)
    second.release()
    await read(third := database(store))  # behind the release, on the same lock
    third.release()
    await store.close()
    assert open_files(path) == 0


async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SQLiteStore(path)
    await write(database(store), 1)
    await store.close()
    (file,) = files(path)
    file.write_bytes(b"this is no database, whatever its name says" * 100)
    store = SQLiteStore(path)
    made = database(store)
    assert await made.execute("SELECT name FROM sqlite_master", []) == []
    await write(made, 2)
    await store.close()
    assert "is damaged" in caplog.text
    (aside,) = [one for one in file.parent.iterdir() if "damaged" in one.name]
    assert aside.read_bytes().startswith(b"this is no database")


async def test_damage_that_shows_later_is_an_error_and_nothing_is_overwritten(path: Path) -> None:
    store = SQLiteStore(path)
    made = database(store)
    await made.execute("CREATE TABLE t (n)", [])
    await made.execute_many("INSERT INTO t VALUES (?)", [[b"x" * 3000] for _ in range(100)])
    await store.close()
    (file,) = files(path)
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xee" * 4096 + whole[8192:])
    broken = file.read_bytes()
    store = SQLiteStore(path)
    with pytest.raises(Damaged):
        await database(store).execute("SELECT count(n) FROM t", [])
    await store.close()
    assert file.read_bytes() == broken


async def test_a_folder_that_cannot_be_made_says_what_to_do(path: Path) -> None:
    path.with_name("rooms.db.rooms").write_text("in the way")
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"cannot open .*rooms"):
        await write(database(store), 1)
    await store.close()


async def test_a_node_that_has_lost_the_room_makes_none_and_deletes_none(path: Path) -> None:
    store = SQLiteStore(path)
    await store.apply(HERE, Batch(puts={"a": b"b"}), fence=5)
    with pytest.raises(Fenced):
        await write(database(store, fence=4), 1)
    await write(database(store, fence=5), 1)
    with pytest.raises(Fenced):
        await store.apply(HERE, Batch(clear=True), fence=4)
    assert await read(database(store, fence=5)) == [1]
    await store.close()


async def test_a_delete_cuts_off_what_runs(path: Path) -> None:
    store = SQLiteStore(path)
    made = database(store)
    await write(made, 1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    running = asyncio.ensure_future(made.execute(endless, []))
    while not running.done():
        await store.apply(HERE, Batch(clear=True))  # what begins after it is not cut off
        await asyncio.wait([running], timeout=0.05)
    with pytest.raises(StoreError):
        await running
    await store.close()


async def test_a_delete_that_was_broken_off_after_its_commit_is_finished_at_the_next_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(databases: sqlite_rooms.Databases, address: Address) -> None:
        with sqlite3.connect(path) as other:
            seen.append(other.execute("SELECT count(*) FROM items").fetchone()[0])
        other.close()
        raise StoreError("the process is gone")

    seen: list[int] = []
    store = SQLiteStore(path)
    await store.apply(HERE, Batch(puts={"a": b"b"}))
    await write(database(store), 1)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_rooms.Databases, "remove", crash)
        with pytest.raises(StoreError, match="gone"):
            await store.apply(HERE, Batch(clear=True))
    assert seen == [0]  # the keys had gone before, for good
    await store.close()
    store = SQLiteStore(path)
    assert await store.rooms() == []
    assert files(path) == []
    await write(database(store), 2)
    await store.close()
    store = SQLiteStore(path)  # what was made since stays
    assert await read(database(store)) == [2]
    await store.close()


async def test_a_delete_whose_commit_fails_leaves_the_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    store = SQLiteStore(path)
    await write(database(store), 1)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "doom", fail)
        with pytest.raises(StoreError):
            await store.apply(HERE, Batch(clear=True))
    assert await read(database(store)) == [1]
    await store.close()


async def test_what_a_room_makes_after_it_was_cleared_is_listed(path: Path) -> None:
    store = SQLiteStore(path)
    made = database(store)
    await write(made, 1)
    await store.apply(HERE, Batch(clear=True))
    await write(made, 2)
    assert await store.rooms() == [HERE]
    await store.close()


async def test_a_closed_store_has_none(path: Path) -> None:
    store = SQLiteStore(path)
    made = database(store)
    await write(made, 1)
    await store.close()
    with pytest.raises(StoreClosed):
        await read(made)
    with pytest.raises(StoreClosed):
        database(store)


WRITE = """
import asyncio, sys
from partyroom import SQLiteStore
from partyroom.http import Address

async def main():
    store = SQLiteStore(sys.argv[1])
    made = store.database(Address("game", "one"), size=None, seconds=None)
    await made.execute("CREATE TABLE IF NOT EXISTS t (n)", [])
    for number in range(1_000_000):
        await made.execute_many("INSERT INTO t VALUES (?)", [[number], [number], [number]])
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 40, 333])
def test_what_was_acknowledged_survives_kill_9_whole(path: Path, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    last = -1
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for count, line in enumerate(writer.stdout):
            if count == lines:
                writer.kill()
            last = int(line) if line.endswith("\n") else last
    assert writer.returncode == -9

    async def check() -> list[Row]:
        store = SQLiteStore(path)
        found = await database(store).execute("SELECT n, count(*) AS count FROM t GROUP BY n ORDER BY n", [])
        await store.close()
        return found

    found = asyncio.run(check())
    assert len(found) in (last + 1, last + 2)  # at most one was on its way
    assert [list(row.values()) for row in found] == [[number, 3] for number in range(len(found))]
    assert not caplog.records
