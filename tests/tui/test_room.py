"""A room in the terminal: notes, people, chat, and how it stands, for two at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partyroom_tui import PixelCanvas, SharedTextArea
from partyroom_tui.chat import Chat
from partyroom_tui.colours import user
from partyroom_tui.entry import Entry
from partyroom_tui.presence import People
from textual import events
from textual.app import App
from textual.widgets import Static

from partyroom.client import DocumentClient
from tests.interop.server import Server
from tests.tui.apps import eventually, in_room


async def test_two_write_one_text_which_is_the_home_page_s(server: Server, room: str, tmp_path: Path) -> None:
    async with (
        in_room(server.host, room, "Ada", tmp_path) as ada,
        in_room(server.host, room, "Bob", tmp_path) as bob,
        DocumentClient(server.host, room=room) as page,
    ):
        await ada.press(*"hello")
        await bob.see("hello")
        await eventually(lambda: str(page.text("body")) == "hello")
        await bob.press("end", *" Ada")
        await ada.see("hello Ada")


async def test_people_see_each_other_come_and_go(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        await ada.see("● Ada you")
        await eventually(lambda: ada.part(People)._settled)
        async with in_room(server.host, room, "Bob", tmp_path) as bob:
            await ada.see("● Bob · notes")
            await bob.see("● Ada · notes")
            await eventually(lambda: [note.message for note in ada.app._notifications] == ["Bob is here"])
            await eventually(lambda: bob.part(People)._settled)
            assert not list(bob.app._notifications), "those who were here before are no news"
        await eventually(lambda: "Bob has left" in [note.message for note in ada.app._notifications])
        assert "● Bob" not in ada.sees


async def test_a_broken_connection_is_no_news_of_people(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path):
        await ada.see("Bob")
        await eventually(lambda: ada.part(People)._settled)
        before = len(ada.app._notifications)
        ada.room.client.socket.hang_up(1001, "for a test")
        await ada.see("○ offline")
        assert ada.part(People)._settled is False
        assert len(ada.app._notifications) == before


async def test_what_was_said_is_there_for_who_comes_later(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        ada.part(Chat).say("first [bold]words[/]")
        await ada.see("first [bold]words[/]")
        async with in_room(server.host, room, "Bob", tmp_path) as bob:
            await bob.see("first [bold]words[/]")
            bob.part(Chat).query_one("Input").focus()
            await bob.press(*"Hi!", "enter")
            await ada.see("Hi!")


async def test_following_goes_where_they_go_until_one_moves(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        await ada.see("Bob · notes")
        (other,) = ada.room.client.others
        ada.room.follow(other)
        await ada.see("◉ following Bob")
        bob.room.go("board")
        await eventually(lambda: ada.room.place == "board")
        bob.room.go("notes")
        await eventually(lambda: ada.room.place == "notes")
        assert ada.room.following == other
        ada.part(SharedTextArea).focus()
        await ada.press("x")
        await eventually(lambda: ada.room.following is None)
        bob.room.go("board")
        await ada.see("Bob · board")
        assert ada.room.place == "notes"


async def test_a_click_is_a_movement_of_one_s_own(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        await ada.see("Bob · notes")
        bob.room.go("board")
        ada.part(People).focus()
        await ada.press("down", "enter")  # oneself is nobody to follow
        await ada.see("◉ following Bob")
        await eventually(lambda: ada.room.place == "board")
        await ada.pilot.click(PixelCanvas, offset=(3, 3))
        await eventually(lambda: ada.room.following is None)


def at_once(app: App[Any], *keys: str) -> None:
    """Press keys as a slow line delivers them: all before the app has seen to the first."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_keys_that_come_at_once_are_taken_in_their_order(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        at_once(ada.app, *"bc", "home", *"a", "end", *"de", "backspace", *"!", "left", "enter")
        await eventually(lambda: ada.part(SharedTextArea).text == "abcd\n!")
        ada.part(Chat).query_one(Entry).focus()
        at_once(ada.app, *"one", "enter", *"wo", "home", *"t", "enter")
        await ada.see("two")
        assert [str(line.content) for line in ada.part(Chat).query(".chat--line").results(Static)][1:] == ["one", "two"]


async def test_the_tabs_are_gone_through_from_any_of_them(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path, size=(50, 18)) as ada:
        seen = []
        for _ in range(5):
            await ada.press("ctrl+pagedown")
            seen.append(ada.room.place)
        assert seen == ["board", "table", "todo", "game", "notes"]


async def test_a_narrow_terminal_folds_the_side_panel_away(server: Server, room: str, tmp_path: Path) -> None:
    async with (
        in_room(server.host, room, "Ada", tmp_path, size=(50, 18)) as ada,
        in_room(server.host, room, "Bob", tmp_path) as bob,
    ):
        assert "People" not in ada.sees.splitlines()[2]
        assert not ada.room.side_is_seen
        bob.part(Chat).say("psst")
        await ada.see("1 new (F2)")
        await ada.press("f2")
        await ada.see("psst")
        assert "1 new" not in ada.sees
        await ada.press("f2")
        assert ada.app.focused is ada.part(SharedTextArea)


async def test_a_wide_one_goes_to_the_chat_first(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        await ada.press("f2", "h", "i", "enter")
        await ada.see("hi")
        assert ada.part(SharedTextArea).text == ""
        await ada.press("f2")
        assert not ada.room.side_is_seen
        assert ada.app.focused is ada.part(SharedTextArea)


async def test_strange_presence_is_shown_as_far_as_it_can_be(server: Server, room: str, tmp_path: Path) -> None:
    async with (
        in_room(server.host, room, "Ada", tmp_path) as ada,
        DocumentClient(server.host, room=room, user=user("Eve\x1b[31m")) as eve,
        DocumentClient(server.host, room=room) as mute,
    ):
        await eve.synced(5)
        eve.set_presence(place="\x1b]0;x\x07", cursor="here", board=[1e9, "x"], cell={"row": 3})
        mute.set_presence(user=["nobody"])
        await ada.see("Eve [31m")
        await ada.see("Anonymous")
