"""``partyroom join ROOM --file notes.md``: a file on this computer in the room's notes."""

from __future__ import annotations

from pathlib import Path

import pytest
from partyroom_tui import SharedTextArea
from partyroom_tui.file_sync import language_of

from tests.interop.server import Server
from tests.tui.apps import eventually, in_room


async def test_a_file_is_in_the_room_and_follows_it(
    server: Server, room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "hello.py"
    file.write_text("def hello():\n    pass\n")
    async with (
        in_room(server.host, room, "Ada", tmp_path, file=file) as ada,
        in_room(server.host, room, "Bob", tmp_path) as bob,
    ):
        await ada.see("hello.py")
        await bob.see("def hello():")
        assert ada.part(SharedTextArea).is_syntax_aware
        await bob.press("#", "space", "x", "enter")
        await eventually(lambda: file.read_text() == "# x\ndef hello():\n    pass\n")
        file.write_text(file.read_text() + "\nhello()\n")
        await eventually(lambda: bob.part(SharedTextArea).text.endswith("\nhello()\n"))
    assert file.read_text() == "# x\ndef hello():\n    pass\n\nhello()\n"


async def test_a_file_that_cannot_be_one_is_told_and_left_alone(
    server: Server, room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\xff")
    async with in_room(server.host, room, "Ada", tmp_path, file=file) as ada:
        await ada.press("x")
        await eventually(lambda: ada.part(SharedTextArea).text == "x")
        told = [str(notification.message) for notification in ada.app._notifications]
        assert told == ["picture.png is not in step: it is not UTF-8 text: byte 0 is none of it"]
    assert file.read_bytes() == b"\x89PNG\xff"


@pytest.mark.parametrize(("name", "language"), [("a.py", "python"), ("README.MD", "markdown"), ("a.txt", None)])
def test_a_files_name_says_its_language(name: str, language: str | None) -> None:
    assert language_of(Path(name)) == language
