"""From settings to a lobby: what is served, and where it is kept."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from partyroom_jupyter.rooms import assemble, data_folder

from partyroom import DocumentParty, PartyroomError, SQLiteStore
from partyroom.cli.readymade import PARTIES

LOG = logging.getLogger("test")

CHAT = """
from partyroom import Lobby, MemoryStore, Party

class Chat(Party):
    pass
"""
OWN = CHAT + "lobby = Lobby({'chat': Chat}, store=MemoryStore(), env={'A': 'its own'})\n"


def made(root: Path, target: str = "", **settings: Any) -> Any:
    given = {"data": root / "data", "bounds": {}, "crons": {}, "env": {}, "noted": lambda: None, **settings}
    return assemble(target, root=root, **given)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server was not started in its root."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


def test_without_a_target_it_serves_what_serve_does(tmp_path: Path) -> None:
    lobby = made(tmp_path)
    assert list(lobby.party_classes) == list(PARTIES)
    assert isinstance(lobby.store, SQLiteStore)
    assert lobby.store.path == tmp_path / "data/partyroom.db"


def test_a_target_is_found_where_the_server_was_started_and_then_in_its_root(tmp_path: Path) -> None:
    (tmp_path / "in_root.py").write_text(CHAT)
    assert list(made(tmp_path, "in_root.py").party_classes) == ["chat"]
    assert list(made(tmp_path, "in_root.py:Chat").party_classes) == ["chat"]
    (tmp_path / "cwd/in_root.py").write_text(CHAT.replace("Chat", "Talk"))
    assert list(made(tmp_path, "in_root.py").party_classes) == ["talk"]


def test_settings_reach_the_lobby(tmp_path: Path) -> None:
    (tmp_path / "limited.py").write_text(CHAT)
    lobby = made(tmp_path, "limited.py", bounds={"message": "2 MiB"}, env={"A": "1"})
    assert lobby.limits.message == 2 * 1024 * 1024
    assert lobby.env == {"A": "1"}


def test_a_lobby_of_the_targets_own_keeps_its_settings(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    lobby = made(tmp_path, "own.py", env={"A": "1", "B": "2"})
    assert lobby.env == {"A": "its own", "B": "2"}
    assert not isinstance(lobby.store, SQLiteStore)
    with pytest.raises(ValueError, match=r"own\.py has a Lobby of its own: limits and crons belong there"):
        made(tmp_path, "own.py", bounds={"message": 1})


@pytest.mark.parametrize(
    ("target", "settings", "said"),
    [
        ("missing.py", {}, "missing.py does not exist"),
        ("no_such_module", {}, "there is no file or module 'no_such_module'"),
        ("", {"bounds": {"massage": 1}}, "did you mean 'message'"),
        ("", {"crons": {"nightly": "whenever"}}, "has not five fields"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, target: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises((PartyroomError, ValueError), match=said):
        made(tmp_path, target, **settings)


def test_files_are_served_unless_the_target_has_a_party_of_that_name(tmp_path: Path) -> None:
    class File(DocumentParty):
        """The server's."""

    (tmp_path / "parties.py").write_text(CHAT)
    assert issubclass(made(tmp_path, "parties.py", files=File).party_classes["file"], File)
    (tmp_path / "own_files.py").write_text(CHAT.replace("Chat", "File"))
    assert not issubclass(made(tmp_path, "own_files.py", files=File).party_classes["file"], File)


def test_two_roots_that_cannot_be_written_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    roots = [tmp_path / "a" / "same", tmp_path / "b" / "same"]
    for root in roots:
        root.mkdir(parents=True)
        (root / ".partyroom").write_text("in the way")
    one, other = [data_folder(root, LOG) for root in roots]
    assert one != other
    assert one.parent == other.parent == tmp_path / "jupyter/partyroom"
    assert caplog.text.count("rooms are kept in") == 2
    assert data_folder(tmp_path, LOG) == tmp_path / ".partyroom"
