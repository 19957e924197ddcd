"""The two pictures in the README: made anew with ``PARTYROOM_PICTURES=1``, otherwise in a temporary folder.

They show one window of three people's, at work in one room.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import Window
from tests.e2e.conftest import HERE, OpenWindow
from tests.interop.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST = 250_000  # bytes of a picture, as it is committed
ROOM = "launch"
COLORS = {"Ada": "#c2410c", "Grace": "#0369a1", "Linus": "#15803d"}
NOTES = """\
# Launch notes

Everyone in this room sees every letter as it is typed.

## Before Friday

- [x] Rooms survive a restart
- [ ] Write the page about *presence*
- [ ] Try it from a train: type offline, come back, merge
- [x] `y-websocket` clients connect **unchanged**

> A room is a class. Everything else is somebody typing.
"""
TALK = [
    ("Ada", "The restart went well, nobody lost a word."),
    ("Grace", "I pulled the plug twice, to be sure."),
    ("Linus", "Typed through both of them on the train."),
    ("Ada", "Then we ship on Friday?"),
    ("Grace", "Friday."),
]


async def go_to(window: Window, line: str, back: int = 0, selecting: int = 0) -> None:
    """Put the caret ``back`` letters before the end of the line with this text; select some before that."""
    await window.lines.filter(has_text=line).click()
    await window.page.keyboard.press("End")
    for key in ["ArrowLeft"] * back + ["Shift+ArrowLeft"] * selecting:
        await window.page.keyboard.press(key)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_picture_of_people_at_work(
    open_window: OpenWindow, own_server: Server, tmp_path: Path, dark: bool
) -> None:
    people = {name: await open_window(name, ROOM, own_server, color=color, dark=dark) for name, color in COLORS.items()}
    ada, grace, linus = people.values()
    await open_window("Alan", "ideas", own_server)
    await open_window("Edsger", "reading-group", own_server)

    await ada.editor.focus()
    await ada.page.keyboard.insert_text(NOTES)
    for name, text in TALK:
        await people[name].say(text)
        await expect(people[name].messages.filter(has_text=text)).to_have_count(1)
    await expect(ada.messages).to_have_count(len(TALK))
    for name in ("ideas", "reading-group"):
        await expect(ada.room(name)).to_have_text(f"{name}1 person")

    await go_to(linus, "Everyone in this room", back=len(" as it is typed."), selecting=len("every letter"))
    await go_to(grace, "Try it from a train")
    await go_to(ada, "A room is a class")
    for name in ("Grace", "Linus"):
        await expect(ada.caret(name)).to_have_count(1)
    await expect(ada.people).to_have_count(2)

    folder = HERE / "pictures" if os.environ.get("PARTYROOM_PICTURES") == "1" else tmp_path
    picture = folder / f"home-{'dark' if dark else 'light'}.png"
    await ada.page.screenshot(path=picture)
    assert 10_000 < picture.stat().st_size < MOST
    ada.is_clean()
