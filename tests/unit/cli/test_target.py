"""What ``partyroom serve TARGET`` makes of a target, and the one line it says where it can make nothing of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from partyroom.cli import app
from partyroom.cli.target import TargetError, load, party
from partyroom.lobby import Lobby
from partyroom.stores.memory import MemoryStore

HEAD = "from partyroom import Lobby, Party\n"
CHAT = HEAD + "class ChatRoom(Party): pass\nclass Game(Party): pass\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; afterwards Python knows nothing of what was imported from it."""
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in sys.modules.keys() - modules:
        del sys.modules[name]


def write(name: str, source: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(source)


def loaded(target: str) -> Lobby:
    return load(target, MemoryStore())


class TestWhatItMayBe:
    @pytest.mark.parametrize("target", ["rooms.py", "./rooms.py", "rooms"])
    def test_a_file_or_module_serves_its_party_classes_under_kebab_case(self, target: str) -> None:
        write("rooms.py", CHAT)
        assert list(loaded(target).party_classes) == ["chat-room", "game"]

    def test_a_file_elsewhere_imports_from_its_own_folder(self) -> None:
        write("app/helper.py", CHAT)
        write("app/rooms.py", "import helper\nclass Chat(helper.ChatRoom): pass\n")
        assert list(loaded("app/rooms.py").party_classes) == ["chat"]

    @pytest.mark.parametrize("target", ["my_app", "my_app.rooms"])
    def test_a_package_and_a_module_in_it(self, target: str) -> None:
        write("my_app/__init__.py", CHAT)
        write("my_app/rooms.py", CHAT)
        assert list(loaded(target).party_classes) == ["chat-room", "game"]

    def test_a_class_of_a_file_or_module(self) -> None:
        write("rooms.py", CHAT)
        for target in "rooms.py:Game", "rooms:Game":
            assert list(loaded(target).party_classes) == ["game"]

    @pytest.mark.parametrize("target", ["rooms.py", "rooms.py:lobby", "rooms:lobby"])
    def test_a_lobby_is_taken_as_it_is_with_its_own_store(self, target: str) -> None:
        write("rooms.py", CHAT + "lobby = Lobby({'only': Game})\n")
        store = MemoryStore()
        lobby = load(target, store)
        assert list(lobby.party_classes) == ["only"]
        assert lobby.store is not store

    def test_a_file_called_like_a_module_in_use_does_not_take_its_place(self) -> None:
        write("json.py", CHAT)
        assert list(loaded("json.py").party_classes) == ["chat-room", "game"]
        assert sys.modules["json"] is json


WRONG = {
    "nowhere.py": "nowhere.py does not exist: name a Python file, or a module as my_app.rooms",
    "nowhere": "there is no file or module 'nowhere' here: name a .py file or a module",
    "my_app.nowhere": "there is no file or module 'my_app.nowhere' here: name a .py file or a module",
    "": "a file without a name does not exist",
    "plain": "plain is a folder: name a Python file, or a module as my_app.rooms",
    "notes.txt": "notes.txt is not a Python file",
    "nothing.py": "nothing.py defines no Party class: write `class Chat(Party): ...` in it",
    "two.py": "two.py has 2 lobbies: say which, as two.py:NAME",
    "two.py:": "two.py has 2 lobbies: say which, as two.py:NAME",
    "two.py:three": "two.py:three: three is not there",
    "two.py:number": "two.py:number: number is int, not a Lobby or a Party class",
    "syntax.py": "syntax.py cannot be loaded: SyntaxError: expected ':' ({folder}/syntax.py:2)",
    "imports.py": "imports.py cannot be loaded: ModuleNotFoundError: No module named 'nope' ({folder}/imports.py:1)",
    "broken_app": "broken_app cannot be loaded: ModuleNotFoundError: No module named 'broken_app.inner' "
    "({folder}/broken_app/__init__.py:1)",
    "raises.py": "raises.py cannot be loaded: RuntimeError: on several lines ({folder}/raises.py:2)",
    "environ.py": "environ.py cannot be loaded: KeyError: 'NO_SUCH_SECRET' ({folder}/environ.py:2)",
    "exits.py": "exits.py cannot be loaded: SystemExit: 3 ({folder}/exits.py:1)",
}


@pytest.fixture
def wrong(folder: Path) -> Path:
    """A folder with all that ``WRONG`` names."""
    write("my_app/__init__.py", "")
    write("plain/readme", "")
    write("notes.txt", "")
    write("nothing.py", "number = 1\n")
    write("two.py", CHAT + "number = 1\none, two = Lobby(Game), Lobby(Game)\n")
    write("syntax.py", HEAD + "class Chat(Party)\n    pass\n")
    write("imports.py", "import nope\n")
    write("broken_app/__init__.py", "import broken_app.inner\n")
    write("raises.py", "def fail():\n    raise RuntimeError('on\\nseveral lines')\nfail()\n")
    write("environ.py", "import os\nos.environ['NO_SUCH_SECRET']\n")
    write("exits.py", "raise SystemExit(3)\n")
    return folder


class TestWhatItMayNotBe:
    @pytest.mark.parametrize("target", WRONG)
    def test_it_says_in_one_line_what_is_wrong_and_where(self, wrong: Path, target: str) -> None:
        with pytest.raises(TargetError) as raised:
            loaded(target)
        assert str(raised.value).startswith(WRONG[target].format(folder=wrong))
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("target", ["nowhere.py", "syntax.py", "raises.py", "exits.py"])
    def test_serve_says_that_line_without_a_traceback(self, wrong: Path, target: str) -> None:
        result = CliRunner().invoke(app, ["serve", target, "--data", str(wrong / "data")])
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"partyroom: {WRONG[target].format(folder=wrong)}")
        assert (result.exit_code, result.stdout) == (2 if target == "nowhere.py" else 1, "")

    def test_an_interrupt_while_it_loads_is_no_fault_of_the_target(self) -> None:
        write("slow.py", "raise KeyboardInterrupt\n")
        with pytest.raises(KeyboardInterrupt):
            loaded("slow.py")


def test_what_python_has_compiled_is_not_taken_for_code_that_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python cannot tell files of one size and second apart, and ``--reload`` is quicker than that."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "quick.py"
    for word in "begun", "again":
        file.write_text(f"from partyroom import Party\n\nclass Quick(Party):\n    word = {word!r}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert party(f"{file}:Quick").__dict__["word"] == word
    assert not sys.dont_write_bytecode
