"""The note of what is in flight: found by the next process, about the right room, and no hindrance to anybody."""

from __future__ import annotations

import logging
import subprocess
import sys
from mmap import mmap
from pathlib import Path
from typing import Any, cast

import pytest

from partyroom.http import Address
from partyroom.stores.base import Batch
from partyroom.stores.inflight import LONGEST, InFlight, InFlightStore, Left, Note, _read
from partyroom.stores.memory import MemoryStore
from partyroom.stores.sqlite import SQLiteStore

NOTE, OTHER = Address("notes", 'today / "quoted"\n'), Address("notes", "other")

DIE = """
import os, signal, sys
from pathlib import Path
from partyroom.http import Address
from partyroom.stores.inflight import InFlight

notes = InFlight(Path(sys.argv[1]))
loading, update = (notes.of(Address(*sys.argv[2:4]), subject) for subject in ("loading", "update"))
loading.began()
loading.ended()
update.began(bytes(range(256)))
os.kill(os.getpid(), signal.SIGKILL)
"""


class Unlucky(bytearray):
    """Memory of a process that is killed in the middle of a long write to it, with the last byte missing."""

    closed = False

    def __setitem__(self, where: Any, what: Any) -> None:
        if len(what) > 12:
            where, what = slice(where.start, where.stop - 1), what[:-1]
        super().__setitem__(where, what)
        if len(what) > 12:
            raise KeyboardInterrupt


def test_who_is_killed_while_it_notes_something_has_begun_nothing() -> None:
    """Else half a note is taken for an update that kills servers: seed 9 of tests/prove/test_kill once."""
    page = Unlucky(LONGEST)
    with pytest.raises(KeyboardInterrupt):
        Note(cast(mmap, page), NOTE, "update").began(b"an update")
    assert page.find(b"an updat") > 0
    assert _read(bytes(page)) is None


@pytest.mark.slow
def test_what_a_killed_process_was_doing_is_found_once_and_for_its_room_only(tmp_path: Path) -> None:
    path = tmp_path / "note"
    killed = subprocess.run([sys.executable, "-c", DIE, path, *NOTE], check=False)
    assert killed.returncode == -9
    found = InFlight(path)
    assert found.take(OTHER) is None
    assert found.take(NOTE) == Left("update", bytes(range(256)))
    assert found.take(NOTE) is None
    found.close()


def test_what_was_crossed_out_is_not_found(tmp_path: Path) -> None:
    first = InFlight(tmp_path / "note")
    note = first.of(NOTE, "update")
    note.began(b"abc")
    note.ended()
    first.close()
    second = InFlight(tmp_path / "note")
    assert second.take(NOTE) is None
    second.close()


def test_of_a_large_update_the_first_bytes_are_kept(tmp_path: Path) -> None:
    first = InFlight(tmp_path / "note")
    first.of(NOTE, "update").began(b"x" * LONGEST + b"y")
    first.close()
    second = InFlight(tmp_path / "note")
    assert second.take(NOTE) == Left("update", b"x" * LONGEST)
    second.close()


@pytest.mark.parametrize("garbage", [b"x", b"x" * 11, b"\xff" * 40, b"\0\0\0\0\4\0\0\0\1\0\0\0nullx"])
def test_a_note_that_makes_no_sense_says_nothing(
    tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "note").write_bytes(garbage)
    with caplog.at_level(logging.WARNING):
        found = InFlight(tmp_path / "note")
    assert found.take(NOTE) is None
    assert len(caplog.records) == (len(garbage) >= 12)
    found.close()


def test_after_it_was_closed_noting_does_nothing_and_raises_nothing(tmp_path: Path) -> None:
    one = InFlight(tmp_path / "note")
    note = one.of(NOTE, "update")
    one.close()
    one.close()
    note.began(b"abc")
    note.ended()
    assert not (tmp_path / "note").exists()


async def test_a_sqlite_store_has_one_once_it_is_open_and_a_memory_store_none(tmp_path: Path) -> None:
    assert not isinstance(MemoryStore(), InFlightStore)
    store = SQLiteStore(tmp_path / "rooms.db")
    assert isinstance(store, InFlightStore)
    await store.open()
    assert store.in_flight is not None
    await store.close()


async def test_a_store_whose_note_cannot_be_written_works_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rooms.db.in-flight").mkdir()
    store = SQLiteStore(tmp_path / "rooms.db")
    with caplog.at_level(logging.WARNING):
        await store.apply(NOTE, Batch(puts={"key": b"value"}))
    assert store.in_flight is None
    assert await store.get(NOTE, ["key"]) == {"key": b"value"}
    assert len(caplog.records) == 1
    await store.close()
