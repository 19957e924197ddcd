"""The lobby, what addresses mean, help and the links to share, and a few screens as they are meant to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from partyroom_tui.lobby import LobbyScreen
from partyroom_tui.places import Place, Recent, place_of
from partyroom_tui.room import RoomScreen
from partyroom_tui.seat import Seat
from partyroom_tui.share import ways_in
from textual.widgets import OptionList

from tests.interop.server import Server
from tests.tui.apps import eventually, in_room


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("", Place("http://here")),
        ("today", Place("http://here", "today")),
        ("notes/today", Place("http://here", "today", "notes")),
        ("https://x.org/base/parties/notes/to%20day", Place("https://x.org/base", "to day", "notes")),
        ("http://x.org:1999/?room=today", Place("http://x.org:1999", "today")),
        ("http://x.org:1999", Place("http://x.org:1999")),
        ("http://x.org/parties/main/a?token=t", Place("http://x.org", "a", token="t")),
    ],
)
def test_an_address_means_a_place(address: str, place: Place) -> None:
    assert place_of(address, environ={"PARTYROOM_URL": "http://here"}) == place


def test_the_token_of_the_environment_is_for_its_own_server_alone() -> None:
    environ = {"PARTYROOM_URL": "http://here", "PARTYROOM_TOKEN": "secret"}
    assert place_of("today", environ=environ).token == "secret"
    assert place_of("http://here/?room=today", environ=environ).token == "secret"
    for elsewhere in ("http://there/?room=today", "http://there", "http://there/parties/main/today"):
        assert place_of(elsewhere, environ=environ).token is None
    assert place_of("today", "http://there", environ=environ).token is None


def test_recent_rooms_are_kept_without_tokens_and_what_is_damaged_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "state" / "recent.json"
    recent = Recent(path)
    assert recent.places() == []
    for room in ("a", "b", "a"):
        recent.add(Place("http://x", room, token="secret"))
    assert recent.places() == [Place("http://x", "a"), Place("http://x", "b")]
    assert "secret" not in path.read_text()
    path.write_text("{")
    assert recent.places() == []


def test_the_ways_in_are_links_commands_and_a_program() -> None:
    seat = Seat("http://x.org:1999", "a b", name="Ada")
    ways = dict(ways_in(seat, "x.org -p 2222"))
    assert ways["In a browser"] == "http://x.org:1999/?room=a%20b"
    assert ways["In a terminal"] == "partyroom join http://x.org:1999/parties/main/a%20b"
    assert ways["Over SSH, with nothing installed"] == "ssh 'NAME+a b'@x.org -p 2222"
    compile(ways["In Python"], "snippet", "exec")


async def test_one_goes_from_the_lobby_to_a_room_and_back(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Bob", tmp_path), in_room(server.host, "", "Ada", tmp_path) as ada:
        await ada.see(f"● {room}  1 person")
        await ada.press(*room, "enter")
        await eventually(lambda: isinstance(ada.app.screen, RoomScreen))
        await ada.see("● Bob · notes")
        await ada.press("f3")
        await ada.see(f"/?room={room}")
        await ada.press("escape", "f1")
        await ada.see("A room in the terminal")
        await ada.press("escape", "f4")
        await eventually(lambda: isinstance(ada.app.screen, LobbyScreen))
        await eventually(lambda: ada.app.screen.query_one("#recent", OptionList).option_count == 1)


async def test_the_lists_of_the_lobby_answer_to_enter_at_once(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, "", "Ada", tmp_path, size=(50, 20)) as ada:
        Recent(tmp_path / "Ada.json").add(Place(server.host, room))
        ada.app.screen.on_screen_resume()  # type: ignore[attr-defined]
        await ada.see(room)
        ada.app.screen.query_one("#recent").focus()
        await ada.press("enter")
        await eventually(lambda: isinstance(ada.app.screen, RoomScreen) and ada.room.seat.room == room)


EMPTY = """\
 partyroom / {room}
 Notes  Board  Table  Todo  Game
╸━━━━━╺━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
"""


async def test_an_empty_room_looks_as_it_is_meant_to(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path, size=(60, 16)) as ada:
        await ada.see("✓ saved")
        lines = ada.sees.splitlines()
        assert "\n".join(lines[:3]) + "\n" == EMPTY.format(room=room)
        assert all(not line for line in lines[3:14])
        assert lines[14].startswith(" ● online")
        assert lines[15].startswith("f1 Help f2 Chat f3 Share f4 Leave")
