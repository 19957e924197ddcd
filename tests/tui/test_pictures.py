"""A few screens as they are meant to be, letter for letter and colour for colour: ``pictures/*.svg``.

``PARTYROOM_PICTURES=1`` draws them anew, and from them those of the README (``*.png``; that needs Chromium). The time
of day stands still here, answers take a millisecond, and addresses are those of a server on its usual port.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from partyroom_tui import Chat, PixelCanvas, TrailsGame, chat, lobby, status
from partyroom_tui.colours import user
from partyroom_tui.game import Field
from partyroom_tui.join import JoinApp
from partyroom_tui.places import LiveRoom, Place, Recent
from partyroom_tui.seat import Seat
from partyroom_tui.share import ShareScreen
from textual.geometry import Offset
from textual.widgets import Input, TextArea

from partyroom.readymade.game import WAYS, Arena
from tests.interop.server import Server
from tests.tui.apps import eventually, in_room

PICTURES = Path(__file__).with_name("pictures")
SIZE = (100, 30)
WIDER = (112, 32)
HOME = "http://localhost:1999"
VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)

NOTES = """\
# Friday

- cake at **four**, in the garden
- who brings the lanterns?

```python
def guests(names):
    return sorted(set(names))
```
"""
TALK = [("Grace", "I have six lanterns."), ("Ada", "Lovely. And the cake?"), ("Grace", "Two of them. Come hungry!")]
HOUSE = """\
.........44.....
........4444....
.......444444...
......44444444..
.....4444444444.
....444444444444
......111111111.
......177111331.
......177111331.
......111111331.
......111111331.
5555555555555555
"""


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes."""
    monkeypatch.setattr(chat, "_time", lambda at: "13:20")
    monkeypatch.setattr(status, "perf_counter", lambda: 0.0)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


async def is_as_it_was(app: JoinApp, name: str, tmp_path: Path) -> None:
    """Wait until a screen looks as it did when its picture was drawn."""
    pinned = PICTURES / f"{name}.svg"
    for field in app.screen.query("Input, TextArea"):
        assert isinstance(field, Input | TextArea)
        field.cursor_blink = False
    if os.environ.get("PARTYROOM_PICTURES") == "1":
        drawing = await settled(app)
        pinned.write_text(drawing, encoding="utf-8")
        await paint(drawing, pinned)
    expected = pinned.read_text(encoding="utf-8")
    try:
        await eventually(lambda: drawn(app) == expected)
    except TimeoutError:
        (tmp_path / pinned.name).write_text(drawn(app), encoding="utf-8")
        raise AssertionError(f"{pinned} looks otherwise now: {tmp_path / pinned.name}") from None


def drawn(app: JoinApp) -> str:
    """What an app's screen shows; without the fonts that a browser would fetch from elsewhere."""
    return FONTS.sub("", app.export_screenshot(title="partyroom join"))


async def settled(app: JoinApp) -> str:
    """What a screen shows once nothing moves any more."""
    seen: list[str] = []

    def is_still() -> bool:
        seen.append(drawn(app))
        return len(seen) > 50 and len(set(seen[-50:])) == 1

    await eventually(is_still)
    return seen[-1]


async def paint(drawing: str, pinned: Path) -> None:
    """Make a picture of a drawing, beside it."""
    from tests.e2e.browser import chromium  # only those who draw need one

    width, height = map(float, VIEW.findall(drawing)[0])
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": round(width), "height": round(height)})
        await page.goto(pinned.as_uri())
        await page.screenshot(path=pinned.with_suffix(".png"), omit_background=True)


async def test_the_lobby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def live_rooms(host: str) -> list[LiveRoom]:
        return [LiveRoom("main", "welcome", 3), LiveRoom("main", "garden", 1), LiveRoom("main", "reading-group", 0)]

    monkeypatch.setattr(lobby, "live_rooms", live_rooms)
    recent = Recent(tmp_path / "recent.json")
    for room in ("garden", "welcome"):
        recent.add(Place(HOME, room))
    app = JoinApp(Place(HOME), name="Ada", recent=recent)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab")
        await is_as_it_was(app, "lobby", tmp_path)


async def test_notes_that_two_write_while_they_chat(server: Server, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        people = {
            name: await stack.enter_async_context(in_room(server.host, "welcome", name, tmp_path, size=SIZE))
            for name in ("Grace", "Ada")
        }
        ada, grace = people["Ada"], people["Grace"]
        grace.room.client.text("body").append(NOTES)
        for name, words in TALK:
            people[name].part(Chat).say(words)
            await ada.see(words)
        await grace.press(*["down"] * 3, "end")
        await is_as_it_was(ada.app, "notes", tmp_path)
        ada.app.push_screen(ShareScreen(Seat(HOME, "welcome", name="Ada"), ssh="example.org -p 2222"))
        await is_as_it_was(ada.app, "share", tmp_path)


async def test_a_board_that_two_paint(server: Server, tmp_path: Path) -> None:
    async with (
        in_room(server.host, "studio", "Grace", tmp_path) as grace,
        in_room(server.host, "studio", "Ada", tmp_path, size=WIDER) as ada,
    ):
        for person in (grace, ada):
            person.room.go("board")
            await eventually(lambda person=person: person.app.focused is person.part(PixelCanvas))  # type: ignore[misc]
        for at, colour in house():
            grace.part(PixelCanvas).paint([at], colour)
        grace.part(PixelCanvas).go(Offset(40, 24))
        ada.part(PixelCanvas).go(Offset(18, 12))
        await is_as_it_was(ada.app, "board", tmp_path)


def house() -> Iterator[tuple[Offset, int]]:
    """The pixels of ``HOUSE``, and their colours."""
    for y, row in enumerate(HOUSE.splitlines()):
        for x, colour in enumerate(row):
            if colour != ".":
                yield Offset(24 + x, 14 + y), int(colour)


async def test_a_round_of_the_game(server: Server, tmp_path: Path) -> None:
    async with in_room(server.host, "arcade", "Ada", tmp_path, size=WIDER) as ada:
        ada.room.go("game")
        await eventually(lambda: ada.app.focused is ada.part(Field))
        await ada.see("■ Ada 0")
        arena = ridden()
        players = {
            str(seat): {"name": one.name, "color": one.color, "wins": one.wins, "riding": one.riding}
            for seat, one in arena.riders.items()
        }
        cells = {f"{x},{y}": seat for (x, y), seat in arena.cells.items()}
        state = {"type": "state", "phase": "running", "left": 0, "you": 0, "players": players, "cells": cells}
        heads = {str(seat): one.at for seat, one in arena.riders.items() if one.riding}
        for told in (state, {"type": "tick", "heads": heads, "out": []}):
            ada.part(TrailsGame)._heard(json.dumps(told))
        await is_as_it_was(ada.app, "game", tmp_path)


def ridden() -> Arena:
    """A round of four, of whom nobody rides into a wall as long as there is another way."""
    chance = random.Random(4)
    arena = Arena(chance=chance)
    for name in ("Ada", "Grace", "Linus", "Edsger"):
        arena.riders[int(arena.sit(name, user(name)["color"]) or 0)].wins = chance.randrange(4)
    arena.begin()
    for _ in range(48):
        for seat, rider in arena.riders.items():
            free = [way for way, (x, y) in WAYS.items() if arena._is_free((rider.at[0] + x, rider.at[1] + y))]
            if rider.way not in map(WAYS.get, free) or chance.random() < 0.12:
                arena.turn(seat, chance.choice(free))
        arena.step()
    return arena
