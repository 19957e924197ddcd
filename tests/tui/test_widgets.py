"""Board, table, list and game in the terminal, for two at once."""

from __future__ import annotations

import json
from pathlib import Path

from partyroom_tui.canvas import COLOURS, PixelCanvas
from partyroom_tui.colours import apart, user
from partyroom_tui.game import Field, TrailsGame
from partyroom_tui.table import SharedTable
from partyroom_tui.todo import SharedTodo, TodoList
from textual.color import Color
from textual.geometry import Offset
from textual.widgets import Input

from partyroom.client import DocumentClient
from tests.interop.server import Server
from tests.tui.apps import Person, eventually, in_room


def cell(person: Person, x: int, y: int) -> tuple[str, str]:
    """The colours of a cell of the board as it is shown: above and below."""
    strip = person.part(PixelCanvas).render_line(y)
    at = 0
    for segment in strip:
        if at <= x < at + len(segment.text):
            assert segment.style is not None
            colours = segment.style.color, segment.style.bgcolor
            return tuple(colour.get_truecolor().hex if colour else "" for colour in colours)  # type: ignore[return-value]
        at += len(segment.text)
    return "", ""  # it is not on the screen yet


async def test_two_paint_by_mouse_and_keys(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        for one in (ada, bob):
            one.room.go("board")
            await eventually(lambda one=one: one.app.focused is one.part(PixelCanvas))  # type: ignore[misc]
        board = ada.part(PixelCanvas)
        await ada.press("3")
        await ada.pilot.mouse_down(board, offset=(5, 2))
        await ada.pilot.hover(board, offset=(9, 2))
        await ada.pilot.mouse_up(board, offset=(9, 2))
        line = {f"{x},4": COLOURS[2] for x in range(5, 10)}
        await eventually(lambda: bob.part(PixelCanvas).pixels.copy() == line)
        await eventually(lambda: cell(bob, 7, 2)[0] == COLOURS[2])
        assert cell(bob, 7, 2)[1] != COLOURS[2]
        await eventually(lambda: bob.part(PixelCanvas).render_line(2).text[9] == "A")
        bob.part(PixelCanvas).go(Offset(7, 4))
        await bob.press("3", "space")
        await eventually(lambda: "7,4" not in board.pixels)
        await bob.press("right", "0", "space")
        await eventually(lambda: "8,4" not in board.pixels)


async def test_a_stranger_s_pixels_are_shown_as_far_as_they_are_some(server: Server, room: str, tmp_path: Path) -> None:
    async with (
        DocumentClient(server.host, room=room) as eve,
        in_room(server.host, room, "Ada", tmp_path) as ada,
    ):
        strange = {"1,0": "red", "x": "#ff0000", "99999,0": "#ff0000", "2,0": ["#ff0000"], "9999,9": "#0f0f0f"}
        eve.map("board").update({"0,0": "#FF0000", **strange})
        ada.room.go("board")
        await eventually(lambda: ada.app.focused is ada.part(PixelCanvas))
        await eventually(lambda: cell(ada, 0, 0)[0] == "#ff0000")
        assert cell(ada, 1, 0)[0] != "#ff0000"


async def test_two_fill_in_a_table(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        for one in (ada, bob):
            one.room.go("table")
        table, other = ada.part(SharedTable), bob.part(SharedTable)
        await ada.press("ctrl+t", *"City", "enter")
        await bob.see("City")
        await bob.press("ctrl+t", *"Size", "enter")
        await ada.see("Size")
        await ada.press("enter", *"Wien", "enter")
        await bob.see("Wien")
        await ada.see("Wien Bob")
        await bob.press("right", "enter", *"42", "enter")
        await ada.see("42")
        await ada.press("ctrl+n", "enter", *"Graz", "enter")
        await bob.see("Graz")
        await ada.press("shift+up")
        await eventually(lambda: bob.sees.index("Graz") < bob.sees.index("Wien"))
        await eventually(lambda: other.chosen == (table._row_ids[1], table._column_ids[1]))
        await ada.press("f6", *"!", "enter")
        await bob.see("City!")
        await ada.press("ctrl+d")
        await eventually(lambda: "Graz" not in bob.sees)
        await bob.press("delete")
        await eventually(lambda: "42" not in ada.sees)


async def test_edits_of_one_cell_by_two_merge(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        table, other = ada.part(SharedTable), bob.part(SharedTable)
        column = table.columns.add({}, {"name": "City"})
        row = table.rows.add({}, {column: "middle"})
        await eventually(lambda: other.rows.read().get(row, {}).get(column) == "middle")
        bob.room.client.socket.hang_up(1001, "for a test")
        table.set_cell(row, column, "a middle")
        other.set_cell(row, column, "middle b")
        await eventually(lambda: table.rows.read()[row][column] == "a middle b")
        assert other.rows.read()[row][column] == "a middle b"


async def test_two_have_one_list_of_things_to_do(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        for one in (ada, bob):
            one.room.go("todo")
        ada.part(SharedTodo).query_one(Input).focus()
        await ada.press(*"one", "enter", *"two", "enter")
        await bob.see("○ two")
        bob.part(TodoList).focus()
        await bob.press("home", "space")
        await ada.see("✔ one")
        await ada.see("1 of 2 done")
        await bob.press("shift+down")
        await eventually(lambda: ada.sees.index("○ two") < ada.sees.index("✔ one"))
        await bob.press("enter")
        await ada.see("✎ Bob")
        await bob.press("end", *" more", "enter")
        await ada.see("✔ one more")
        await ada.press("escape", "end", "delete")
        await eventually(lambda: "one more" not in bob.sees)


async def test_two_play(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada, in_room(server.host, room, "Bob", tmp_path) as bob:
        games = []
        for one in (ada, bob):
            one.room.go("game")
            await eventually(lambda one=one: one.app.focused is one.part(Field))  # type: ignore[misc]
            games.append(one.part(TrailsGame))
        await ada.see("Bob 0")
        await bob.see("Space begins")
        await ada.press("space")
        await eventually(lambda: all(game.phase == "running" and game.head for game in games))
        x, y = games[0].head or (0, 0)
        colour = games[0]._colours[games[0].you or ""][0]
        await eventually(lambda: games[1].look(x, y) == colour, timeout=5)
        await ada.press("up", "w")
        await eventually(lambda: {game.phase for game in games} == {"waiting"}, timeout=20)
        await bob.see("Space begins")


async def test_edits_without_a_connection_merge_on_return(tmp_path: Path, room: str) -> None:
    server = Server(tmp_path / "data", target=None)
    server.start()
    try:
        async with in_room(server.host, room, "Ada", tmp_path) as ada:
            await ada.press(*"before ")
            await ada.see("✓ saved")
            server.stop()
            await ada.see("○ offline")
            await ada.press(*"without ")
            ada.part(PixelCanvas).paint([Offset(1, 1)], 0)
            todo = ada.part(SharedTodo)
            todo.things.add({"done": False}, {"text": "survive"})
            await ada.see("edits wait here")
            server.start()
            async with DocumentClient(server.host, room=room, user=user("Eve")) as eve:
                await eventually(lambda: str(eve.text("body")) == "before without ", timeout=20)
                assert eve.map("board").copy() == {"1,1": COLOURS[0]}
                assert [thing["text"] for thing in eve.map("todo").copy().values()] == ["survive"]
            await ada.see("✓ saved")
    finally:
        if server.running:
            server.stop()


async def test_what_is_typed_goes_to_where_it_belongs(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        ada.room.go("todo")
        await ada.press(*"milk", "enter")  # nothing is listed yet, so the field has the keys
        await ada.see("○ milk")
        ada.part(TodoList).focus()
        await ada.press(*"tea", "enter", "escape", "delete")
        await ada.see("○ tea")
        await eventually(lambda: "milk" not in ada.sees)
        ada.room.go("table")
        await ada.press("ctrl+t", *"Name", "enter", *"Apples", "enter")
        await ada.see(" Apples")
        table = ada.part(SharedTable)
        assert [str(row[column]) for row in table.rows.read().values() for column in table.columns.read()] == ["Apples"]


def test_riders_can_be_told_apart() -> None:
    same = [Color.parse("#0072b2")] * 7
    found = apart(same)
    assert found[0] == same[0]
    assert len({colour.hex for colour in found}) == 7
    assert apart(found) == found


async def test_who_has_won_is_told(server: Server, room: str, tmp_path: Path) -> None:
    async with in_room(server.host, room, "Ada", tmp_path) as ada:
        ada.room.go("game")
        await ada.see("■ Ada 0")
        for wins, phase in ((0, "running"), (1, "waiting")):
            player = {"name": "Ada", "color": "#0072b2", "wins": wins, "riding": False}
            state = {"type": "state", "phase": phase, "left": 0, "you": 0, "players": {"0": player}, "cells": {}}
            ada.part(TrailsGame)._heard(json.dumps(state))
        await ada.see("Ada has won!")
