"""FileSync: a file and a room's text, each edited behind the other's back, end up the same with nothing lost."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from partyroom_tui.file_sync import LARGEST, FileSync, FileTrouble
from pycrdt import Doc, Text

from partyroom.client import DocumentClient
from partyroom.testing import settle
from tests.tui.apps import eventually
from tests.unit.client.inside import Inside


class Desk:
    """A folder with a file in it, a room, and what the user was told."""

    def __init__(self, folder: Path, inside: Inside, client: DocumentClient, other: DocumentClient) -> None:
        self.folder = folder
        self.path = folder / "notes.md"
        self.inside = inside
        self.client = client
        self.other = other
        self.said: list[str] = []

    def sync(self, client: DocumentClient | None = None, path: Path | None = None) -> FileSync:
        return FileSync(
            client or self.client,
            path or self.path,
            "body",
            say=self.said.append,
            pause=0.01,
            state=self.folder / "state",
        )

    @property
    def text(self) -> str:
        return str(self.other.text("body"))

    @property
    def content(self) -> str:
        return self.path.read_bytes().decode()

    def write(self, content: str) -> None:
        """As most editors do: another file that takes its place."""
        new = self.folder / "new"
        new.write_bytes(content.encode())
        os.replace(new, self.path)

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait until something is so; with a deadline."""
        await eventually(so)
        await settle()

    async def both(self, text: str) -> None:
        """Wait until file and room have this text."""
        try:
            await self.until(lambda: self.path.exists() and self.content == self.text == text)
        except TimeoutError:
            raise AssertionError(f"file {self.content!r}, room {self.text!r}, told {self.said}") from None


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Inside.running() as inside, inside.joined() as client, inside.joined() as other:
        yield Desk(tmp_path, inside, client, other)


async def test_a_file_goes_into_an_empty_room_exactly(desk: Desk) -> None:
    desk.write("# 漢字 😀\r\nlast\rline\u2028\n")
    async with desk.sync():
        await desk.both("# 漢字 😀\r\nlast\rline\u2028\n")


async def test_a_room_goes_into_a_new_file(desk: Desk) -> None:
    desk.other.text("body").append("hello\r\n")
    async with desk.sync():
        await desk.both("hello\r\n")
    assert [path.name for path in desk.folder.iterdir() if not path.is_dir()] == ["notes.md"]


async def test_each_follows_the_other_and_edits_are_as_small_as_what_was_edited(desk: Desk) -> None:
    desk.write("one\ntwo\nthree\n")
    heard: list[Any] = []
    async with desk.sync() as file:
        await desk.both("one\ntwo\nthree\n")
        desk.other.text("body").on_change(lambda change: heard.extend(change.edits))
        desk.write("one\nTWO\nthree\n")
        await desk.both("one\nTWO\nthree\n")
        assert [(edit.index, edit.inserted, edit.deleted) for edit in heard] == [(4, "TWO", "two")]
        desk.other.text("body").append("four\n")
        await desk.both("one\nTWO\nthree\nfour\n")
        with desk.path.open("a") as opened:  # in place, as others do
            opened.write("five\n")
        await desk.both("one\nTWO\nthree\nfour\nfive\n")
        await file.settled()
    assert desk.said == []


async def test_edits_on_both_sides_at_once_are_all_there(desk: Desk) -> None:
    desk.write("one\ntwo\nthree\n")
    async with desk.sync():
        await desk.both("one\ntwo\nthree\n")
        for turn in range(20):
            desk.write(desk.content.replace("one\n", f"one\nfile {turn}\n"))
            desk.other.text("body").append(f"room {turn}\n")
            await desk.until(lambda turn=turn: desk.content == desk.text and f"file {turn}\n" in desk.text)  # type: ignore[misc]
        assert all(f"file {turn}\n" in desk.text and f"room {turn}\n" in desk.text for turn in range(20))


async def test_a_file_that_is_saved_just_after_ours_has_been_put_there_is_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = os.replace

    def overtaken(source: str | Path, target: str | Path) -> None:
        put(source, target)
        if target == desk.path and "room" in desk.content:
            monkeypatch.setattr(os, "replace", put)
            desk.write("saved\n" + desk.content)

    desk.write("one\n")
    async with desk.sync():
        await desk.both("one\n")
        monkeypatch.setattr(os, "replace", overtaken)
        desk.other.text("body").append("room\n")
        await desk.both("saved\none\nroom\n")


async def test_what_was_edited_on_either_side_meanwhile_merges_at_the_next_start(desk: Desk) -> None:
    desk.write("one\ntwo\nthree\n")
    async with desk.sync():
        await desk.both("one\ntwo\nthree\n")
    desk.write("ONE\ntwo\nthree\n")
    desk.other.text("body").append("four\n")
    await settle()
    async with desk.sync():
        await desk.both("ONE\ntwo\nthree\nfour\n")
    assert desk.said == []


@pytest.mark.parametrize("written", [False, True], ids=["before the file", "after the file"])
async def test_a_program_that_died_in_writing_neither_doubles_nor_loses(desk: Desk, written: bool) -> None:
    desk.write("one\n")
    async with desk.sync():
        await desk.both("one\n")
    (memory,) = (desk.folder / "state").iterdir()
    desk.other.text("body").append("two\n")
    memory.with_suffix(".next").write_text("one\ntwo\n")  # as it is left behind
    if written:
        desk.write("one\ntwo\n")
    desk.other.text("body").append("three\n")
    await settle()
    async with desk.sync():
        await desk.both("one\ntwo\nthree\n")


async def test_two_texts_that_never_met_are_both_kept(desk: Desk) -> None:
    desk.write("mine")
    desk.other.text("body").append("the room's")
    await settle()
    async with desk.sync():
        await desk.both("the room's")
    assert (desk.folder / "notes.mine.md").read_text() == "mine"
    assert desk.said == ["The room has another text: what was in notes.md is in notes.mine.md"]
    desk.write("mine too")
    async with desk.sync(path=desk.folder / "notes.md"):
        await desk.both("mine too")


async def test_a_file_is_no_step_of_the_users_undo(desk: Desk) -> None:
    desk.write("from the file")
    undo = desk.client.undo(desk.client.text("body"), pause=0)
    async with desk.sync():
        await desk.both("from the file")
        desk.client.text("body").append(" and typed")
        assert undo.undo()
        assert not undo.undo()
        await desk.both("from the file")


async def test_nobody_sees_half_a_file_and_its_mode_stays(desk: Desk) -> None:
    desk.write("x")
    desk.path.chmod(0o640)
    async with desk.sync():
        await desk.both("x")
        first = desk.path.stat().st_ino
        desk.other.text("body").append("y" * 100_000)
        await desk.both("x" + "y" * 100_000)
    assert desk.path.stat().st_ino != first
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o640


async def test_a_link_stays_a_link(desk: Desk) -> None:
    real = desk.folder / "real.md"
    real.write_text("x")
    desk.path.symlink_to(real)
    async with desk.sync():
        await desk.both("x")
        desk.other.text("body").append("y")
        await desk.both("xy")
    assert desk.path.is_symlink()


async def test_a_deleted_file_empties_no_room_and_comes_back_with_the_next_edit(desk: Desk) -> None:
    desk.write("x")
    async with desk.sync():
        await desk.both("x")
        desk.path.unlink()
        desk.other.text("body").append("y")
        await desk.both("xy")


async def test_what_is_no_text_is_neither_taken_nor_overwritten(desk: Desk) -> None:
    desk.write("x")
    async with desk.sync():
        await desk.both("x")
        desk.path.write_bytes(b"\xff\xfe")
        desk.other.text("body").append("y")
        await desk.until(lambda: bool(desk.said))
        assert desk.said == ["notes.md is not in step: it is not UTF-8 text: byte 0 is none of it"]
        assert desk.path.read_bytes() == b"\xff\xfe"
        desk.write("xz")
        await desk.until(lambda: desk.content == desk.text)
        assert sorted(desk.text) == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "no plain file"),
        (lambda path: path.write_bytes(b"\xff"), "not UTF-8"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), LARGEST + 1), "bytes"),
    ],
    ids=["folder", "bytes", "huge"],
)
async def test_what_can_be_no_file_of_text_is_an_error_at_once(
    desk: Desk, make: Callable[[Path], object], says: str
) -> None:
    make(desk.path)
    with pytest.raises(FileTrouble, match=says):
        await desk.sync().start()
    with pytest.raises(FileTrouble, match="no folder"):
        await desk.sync(path=desk.folder / "nowhere" / "notes.md").start()


async def test_offline_both_go_on_and_all_merges(desk: Desk) -> None:
    desk.write("one\n")
    async with desk.sync():
        await desk.both("one\n")
        desk.inside.cut()
        desk.client.text("body").append("typed offline\n")
        await desk.until(lambda: desk.content == "one\ntyped offline\n")
        desk.write("zero\n" + desk.content)
        await desk.until(lambda: str(desk.client.text("body")).startswith("zero"))
        desk.other.text("body").append("others\n")
        await desk.inside.mend()
        await desk.until(lambda: desk.content == desk.text)
        assert sorted(desk.text.splitlines()) == ["one", "others", "typed offline", "zero"]


async def test_who_may_only_read_keeps_what_is_edited_in_the_file(desk: Desk) -> None:
    desk.other.text("body").append("the room's\n")
    await settle()
    async with desk.inside.joined(query={"mode": "read"}) as reader, desk.sync(reader):
        await desk.both("the room's\n")
        desk.write("mine\n")
        await desk.both("the room's\n")
    assert (desk.folder / "notes.mine.md").read_text() == "mine\n"


async def test_a_document_that_replaces_the_rooms_costs_nothing_of_the_file(desk: Desk) -> None:
    desk.write("old")
    async with desk.sync():
        await desk.both("old")
        source: Doc[Any] = Doc()
        source["body"] = Text("new")
        await desk.inside.party.replace(source.get_update())
        await desk.both("new")
    assert (desk.folder / "notes.mine.md").read_text() == "old"
