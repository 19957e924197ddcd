"""The home page in a real browser, against ``partyroom serve`` without a target."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import expect
from websockets.asyncio.client import connect

from tests.e2e.browser import Window
from tests.e2e.conftest import OpenWindow
from tests.interop.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKUP = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>"


async def test_two_windows_edit_one_document_and_see_each_other(open_window: OpenWindow, room: str) -> None:
    ada, bob = await asyncio.gather(open_window("Ada Lovelace", room), open_window("Bob", room))
    await expect(ada.people).to_have_text(["BBob"])  # initials, and the name for those who do not see them
    await expect(bob.people).to_have_text(["ALAda Lovelace"])

    await ada.write("# Agenda\n\nlast line")
    await expect(bob.lines).to_have_text(["# Agenda", "", "last line"])
    await ada.page.keyboard.press("Control+Home")
    await bob.editor.focus()
    await bob.page.keyboard.press("Control+End")
    await asyncio.gather(
        ada.page.keyboard.type("Ada typed this. ", delay=15),
        bob.page.keyboard.type(" and Bob typed that.", delay=15),
    )
    for window in ada, bob:
        await expect(window.lines).to_have_text(["Ada typed this. # Agenda", "", "last line and Bob typed that."])

    for window, name in (ada, "Bob"), (bob, "Ada Lovelace"):
        await expect(window.caret(name)).to_have_count(1)
        flag = await window.caret(name).evaluate("caret => getComputedStyle(caret, '::after').content")
        assert flag == f'"{name}"'
    for window in ada, bob:
        window.is_clean()


async def test_people_chat_both_ways_and_newcomers_read_what_was_said(open_window: OpenWindow, room: str) -> None:
    ada, bob = await asyncio.gather(open_window("Ada", room), open_window("Bob", room))
    await ada.say("Is anybody here?")
    await expect(bob.messages).to_have_text(["Is anybody here?"])
    await bob.say("I am.")
    carol = await open_window("Carol", room)
    for window in ada, bob, carol:
        await expect(window.messages).to_have_text(["Is anybody here?", "I am."])
        await expect(window.part("chat-log").locator(".name")).to_have_text(["Ada", "Bob"])
        window.is_clean()


async def test_who_leaves_is_gone_from_the_others_windows(open_window: OpenWindow, room: str) -> None:
    ada, bob = await asyncio.gather(open_window("Ada", room), open_window("Bob", room))
    await bob.write("Bob was here")
    await expect(ada.caret("Bob")).to_have_count(1)
    await bob.close()
    await expect(ada.people).to_have_count(0)
    await expect(ada.caret("Bob")).to_have_count(0)
    await expect(ada.lines).to_have_text(["Bob was here"])
    ada.is_clean()


async def test_the_list_of_rooms_is_live_and_opens_them(open_window: OpenWindow, room: str) -> None:
    other = f"other {room} & more/?"
    ada, bob = await asyncio.gather(open_window("Ada", room), open_window("Bob", room))
    await open_window("Carol", other)
    for window in ada, bob:
        await expect(window.room(room)).to_have_text(f"{room}2 people")
        await expect(window.room(other)).to_have_text(f"{other}1 person")

    await ada.room(other).click()
    await expect(ada.people).to_have_text(["CCarol"])
    await expect(ada.page).to_have_title(f"{other} · partyroom")
    await expect(bob.room(other)).to_have_text(f"{other}2 people")
    await expect(bob.room(room)).to_have_text(f"{room}1 person")
    await ada.page.go_back()
    await expect(ada.people).to_have_text(["BBob"])
    for window in ada, bob:
        window.is_clean()


async def test_markup_from_people_is_text_and_runs_nothing(open_window: OpenWindow, server: Server, room: str) -> None:
    hostile = f"{MARKUP} {room}"
    mallory, bob = await asyncio.gather(open_window(MARKUP[:40], hostile), open_window("Bob", hostile))
    await mallory.editor.focus()
    await mallory.page.keyboard.insert_text(MARKUP)
    await mallory.say(MARKUP)
    await say_by_hand(server, room=hostile, name=MARKUP[:40], color="#000;background:url(//x.example)", text=MARKUP)

    await expect(bob.lines).to_have_text([MARKUP])
    await expect(bob.messages).to_have_text([MARKUP, MARKUP])
    await expect(bob.people).to_have_attribute("title", MARKUP[:40])
    await expect(bob.page.locator(".caret")).to_have_attribute("data-name", MARKUP[:40])
    await expect(bob.page.locator("#room-name")).to_have_text(hostile)
    for window in mallory, bob:
        assert await window.page.evaluate("window.ran") is None
        assert await window.page.locator("main :is(script, iframe, object, img:not(.cm-widgetBuffer))").count() == 0
        window.is_clean()


async def say_by_hand(server: Server, *, room: str, **said: str) -> None:
    """Chat as a program that does not keep to what the page would send."""
    async with connect(f"ws://{server.host}/parties/chat/{quote(room, safe='')}") as socket:
        await socket.send(json.dumps({"type": "say", **said}))
        async with asyncio.timeout(10):
            while json.loads(await socket.recv())["type"] != "message":
                pass


async def test_the_policy_stops_a_script_that_got_in_all_the_same(open_window: OpenWindow, room: str) -> None:
    """Were there a hole in the page, the browser would not run what came through, nor tell another origin."""
    window = await open_window("Ada", room)
    await window.page.evaluate(
        """async () => {
            const frame = document.createElement("iframe");
            frame.src = "javascript:parent.ran = 'yes'";
            document.body.append(frame);
            await fetch("https://other.example/").catch(() => {});
        }"""
    )
    with pytest.raises(PlaywrightError, match="TrustedHTML"):
        await window.page.evaluate("""() => document.body.innerHTML = '<img src=x onerror="window.ran = 1">'""")
    assert await window.page.evaluate("window.ran") is None
    assert "https://other.example/" not in window.asked
    for directive in "script-src", "connect-src":
        assert any(f"'{directive}" in complaint or f'"{directive}' in complaint for complaint in window.complaints)


async def test_the_page_is_usable_by_keyboard_alone(open_window: OpenWindow, room: str) -> None:
    ada = await open_window("Ada", room)
    keyboard = ada.page.keyboard

    async def tab_to(test_id: str) -> None:
        for _ in range(30):
            await keyboard.press("Tab")
            if await ada.page.evaluate("document.activeElement.dataset.testid") == test_id:
                return
        pytest.fail(f"{test_id} is not reached by Tab")

    await ada.page.reload()
    await ada.live()
    await keyboard.press("Tab")
    skip = ada.page.get_by_role("link", name="Skip to the room")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await keyboard.press("Enter")
    await expect(ada.page.locator("#workspace")).to_be_focused()

    await tab_to("name-input")
    await keyboard.type("Grace")
    await tab_to("editor")
    await keyboard.type("typed, and left with Tab")
    await tab_to("chat-log")
    await tab_to("chat-input")
    await keyboard.type("said with Enter")
    await keyboard.press("Enter")
    await expect(ada.messages).to_have_text(["said with Enter"])
    await expect(ada.part("chat-log").locator(".name")).to_have_text(["Grace"])
    await expect(ada.lines).to_have_text(["typed, and left with Tab"])
    for _ in range(3):
        await keyboard.press("Shift+Tab")
        if await ada.page.evaluate("document.activeElement.dataset.testid") == "editor":
            break
    await expect(ada.editor).to_be_focused()
    ada.is_clean()


async def test_a_restart_loses_nothing_and_what_was_written_meanwhile_merges(
    open_window: OpenWindow, own_server: Server
) -> None:
    ada = await open_window("Ada", "a", own_server)
    bob = await open_window("Bob", "a", own_server)
    await ada.write("before")
    await ada.say("until later")
    await expect(bob.lines).to_have_text(["before"])
    await expect(bob.messages).to_have_text(["until later"])

    own_server.stop()
    await asyncio.gather(ada.offline(), bob.offline())
    await expect(ada.page.locator("#offline")).to_be_visible()
    await ada.write(", offline by Ada")
    await bob.editor.focus()
    await bob.page.keyboard.press("Control+Home")
    await bob.page.keyboard.type("offline by Bob, ")
    await bob.say("said while you were away")
    own_server.start()

    merged = ["offline by Bob, before, offline by Ada"]
    for window in ada, bob:
        await window.live()
        await expect(window.lines).to_have_text(merged)
        await expect(window.messages).to_have_text(["until later", "said while you were away"])
        await expect(window.people).to_have_count(1)
    carol = await open_window("Carol", "a", own_server)
    await expect(carol.lines).to_have_text(merged)
    await expect(carol.messages).to_have_text(["until later", "said while you were away"])
    for window in ada, bob:
        window.is_clean(server_was_gone=True)
    carol.is_clean()


async def test_the_name_and_the_theme_are_kept_for_the_next_visit(open_window: OpenWindow, room: str) -> None:
    ada = await open_window("Ada", room)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await ada.page.evaluate(ground)
    await ada.page.get_by_role("button", name="Switch between light and dark").click()
    dark = await ada.page.evaluate(ground)
    assert brightness(light) > 200 > 60 > brightness(dark)
    await ada.page.reload()
    await ada.live()
    assert await ada.page.evaluate(ground) == dark
    await expect(ada.part("name-input")).to_have_value("Ada")


def brightness(color: str) -> float:
    """Of ``rgb(r, g, b)``, from 0 to 255."""
    return sum(float(number) for number in re.findall(r"[\d.]+", color)[:3]) / 3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_it_fits_the_window_in_light_and_dark(open_window: OpenWindow, room: str, width: int, dark: bool) -> None:
    long = "x" * 30 + room + "y" * 60  # nothing in it may be broken into lines
    size = {"width": width, "height": 800}
    ada = await open_window(long[:40], long, size=size, dark=dark)
    bob = await open_window(long[:40], long, size=size, dark=dark)
    await ada.write(f"# {long}\n{long} {long}\n")
    await ada.say(long)
    await expect(bob.messages).to_have_text([long])
    await expect(bob.people).to_have_count(1)
    for window in ada, bob:
        page = window.page
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow == 0
        assert await outside(window, width) == []
        assert (brightness(await page.evaluate("getComputedStyle(document.body).backgroundColor")) < 60) is dark
        window.is_clean()


async def outside(window: Window, width: int) -> list[str]:
    """What one can act on and lies, in part, beyond the sides of the window."""
    found: list[str] = await window.page.evaluate(
        """width => [...document.querySelectorAll("button, input, [contenteditable], .status")]
            .filter(element => element.offsetParent !== null)
            .filter(element => {
                const { left, right } = element.getBoundingClientRect();
                return left < 0 || right > width;
            })
            .map(element => element.id || element.className)""",
        width,
    )
    return found
