"""Opening a SQLiteStore: what is mended, what is set aside, and what is refused with advice."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from partyroom.errors import Damaged, StoreError
from partyroom.http import Address
from partyroom.stores import rows
from partyroom.stores.base import Batch
from partyroom.stores.files import set_aside
from partyroom.stores.sqlite import SQLiteStore

HERE = Address("notes", "today")
HOLD = """
import asyncio, sys
from partyroom.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.open()
    print("open", flush=True)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


OPEN_AS_NOBODY = """
import asyncio, os, sys
from partyroom.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    try:
        await store.open()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    await store.close()

if os.geteuid() == 0:
    os.setuid(65534)  # root may write everything
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.db"


def fill(path: Path) -> None:
    """Write a room and close."""

    async def write() -> None:
        store = SQLiteStore(path)
        await store.apply(HERE, Batch(puts={f"{n:04}": bytes([n % 256]) * 3000 for n in range(200)}))
        await store.close()

    asyncio.run(write())


def refusal(path: Path) -> str:
    """The one error that opening raises; the store can then still be closed."""

    async def refused() -> str:
        store = SQLiteStore(path)
        with pytest.raises(StoreError) as caught:
            await store.open()
        await store.close()
        return str(caught.value)

    return asyncio.run(refused())


def contents(path: Path) -> dict[str, bytes]:
    """The database and its log where there is something in them, by their endings."""
    files = {ending: path.with_name(path.name + ending) for ending in ("", "-wal")}
    return {ending: content for ending, file in files.items() if file.exists() and (content := file.read_bytes())}


def a_text_file(path: Path) -> None:
    path.write_text("dear diary\n" * 1000)


def an_empty_file_beside_its_log(path: Path) -> None:
    path.with_name("rooms.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    path.write_bytes(b"")


def a_log_alone(path: Path) -> None:
    path.unlink()
    path.with_name("rooms.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))


def a_truncated_file(path: Path) -> None:
    os.truncate(path, 40_000)


def a_cut_header(path: Path) -> None:
    os.truncate(path, 50)


def a_page_of_noise(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(range(256)) * 16)


@pytest.mark.parametrize(
    "damage",
    [a_text_file, an_empty_file_beside_its_log, a_log_alone, a_truncated_file, a_cut_header, a_page_of_noise],
)
def test_a_damaged_file_is_set_aside_untouched_and_a_new_one_begun(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    damage(path)
    before = contents(path)

    async def use() -> None:
        store = SQLiteStore(path)
        assert await store.rooms() == []
        await store.apply(HERE, Batch(puts={"new": b""}))
        await store.close()
        store = SQLiteStore(path)
        assert await store.load(HERE) == [("new", b"")]
        await store.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(use())
    (record,) = caplog.records
    (found,) = {file.name.removesuffix("-wal").removesuffix("-shm") for file in path.parent.glob("rooms.db.damaged-*")}
    aside = path.with_name(found)
    assert str(aside) in record.getMessage()
    assert contents(aside) == before


def test_setting_aside_never_overwrites(path: Path) -> None:
    asides = []
    for content in ["one", "two", "three"]:
        path.write_text(content)
        asides.append(set_aside(path))
    assert [aside.read_text() for aside in asides] == ["one", "two", "three"]


def test_an_empty_file_is_used(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.touch()
    fill(path)
    assert not caplog.records


def test_a_big_file_is_opened_without_reading_it_and_damage_is_found_at_the_row(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    content = path.read_bytes()
    at = content.index(bytes([150]) * 500)
    path.write_bytes(content[:at] + b"\0" + content[at + 1 :])

    async def use() -> None:
        store = SQLiteStore(path, check_up_to=0)
        with pytest.raises(Damaged, match="'0150' of the room notes/today"):
            await store.load(HERE)
        assert await store.get(HERE, ["0149"]) == {"0149": bytes([149]) * 3000}
        await store.close()

    asyncio.run(use())
    assert not caplog.records


def test_a_page_that_is_broken_behind_the_opening_is_reported_with_the_file(path: Path) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.seek(6 * 4096)  # the pages of the schema and the rooms stay whole
        file.write(b"\xff" * (path.stat().st_size - 6 * 4096))

    async def use() -> None:
        store = SQLiteStore(path, check_up_to=0)
        with pytest.raises(Damaged, match=re.escape(str(path))):
            await store.load(HERE)
        with pytest.raises(Damaged, match=re.escape(str(path))):
            await store.apply(HERE, Batch(puts={"0100": b""}))
        await store.close()

    asyncio.run(use())


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "rooms.db"
    fill(path)
    assert path.exists()


def test_a_name_is_taken_literally(tmp_path: Path) -> None:
    path = tmp_path / "50% of?mode=ro#1 'é'.db"
    fill(path)
    fill(path)
    assert path.exists()


def test_a_folder_in_place_of_the_file_is_refused_until_it_is_gone(path: Path) -> None:
    path.mkdir()
    store = SQLiteStore(path)

    async def put() -> None:
        await store.apply(HERE, Batch(puts={"a": b""}))

    with pytest.raises(StoreError, match="is not a file"):
        asyncio.run(store.open())
    with pytest.raises(StoreError, match="is not a file"):
        asyncio.run(put())
    path.rmdir()
    asyncio.run(put())
    asyncio.run(store.close())


def test_a_place_that_cannot_hold_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "make the folder writable" in refusal(tmp_path / "file" / "rooms.db")


@pytest.mark.slow
@pytest.mark.parametrize("read_only", ["", "rooms.db", "rooms.db.lock"])
def test_what_may_not_be_written_is_refused(read_only: str) -> None:
    with TemporaryDirectory() as folder:  # not tmp_path: an ordinary user may not look into root's
        path = Path(folder) / "rooms.db"
        fill(path)
        for file in [path.parent, *path.parent.iterdir()]:
            file.chmod(0o777)
        (path.parent / read_only).chmod(0o555)
        command = [sys.executable, "-c", OPEN_AS_NOBODY, str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert re.match(rf"StoreError: cannot .*{re.escape(str(path))}.* writable", said)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {rows.SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    assert "written by a newer partyroom" in refusal(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    content = path.read_bytes()
    assert "another program" in refusal(path)
    assert path.read_bytes() == content


def test_a_second_store_in_this_process_is_refused(path: Path) -> None:
    first = SQLiteStore(path)
    asyncio.run(first.open())
    assert f"in use by this process ({os.getpid()})" in refusal(path)
    asyncio.run(first.close())
    fill(path)


@pytest.mark.slow
def test_a_second_process_is_refused_until_the_first_has_died(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            assert f"in use by process {holder.pid}" in refusal(path)
        finally:
            holder.kill()
    fill(path)


def test_memory_is_not_a_file() -> None:
    with pytest.raises(StoreError, match="MemoryStore"):
        SQLiteStore(":memory:")
