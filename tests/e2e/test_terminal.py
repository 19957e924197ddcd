"""A terminal app in one room with editors in a browser: the home page's, and y-codemirror.next as it comes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from partyroom_tui import user
from playwright.async_api import Browser, expect

from partyroom.client import DocumentClient
from partyroom.web.build import HERE as WEB
from partyroom.web.build import find_node
from tests.e2e.conftest import OpenWindow
from tests.interop.server import Server
from tests.tui.apps import eventually
from tests.tui.pair import Seat, seated

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = Path(__file__).with_name("ycodemirror.js")


def places(seat: Seat) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Who is where on a terminal, from anchor to head."""
    return [(cursor.name, cursor.anchor, cursor.head) for cursor in seat.area.cursors.found.values()]


async def test_a_terminal_and_the_home_page_see_each_others_text_carets_and_selections(
    server: Server, open_window: OpenWindow, room: str
) -> None:
    client = DocumentClient(server.host, room=room, user=user("Tess Terminal"))
    window = await open_window("Bea Browser", room)
    async with client, seated(client) as tess:
        await client.synced()
        await tess.type("漢字 and 😀 from a terminal\nlast")
        await expect(window.lines).to_have_text(["漢字 and 😀 from a terminal", "last"])
        await expect(window.caret("Tess Terminal")).to_have_count(1)

        await window.editor.focus()
        await window.page.keyboard.press("Control+Home")
        for _ in range(len("漢字 and 😀 from")):
            await window.page.keyboard.press("ArrowRight")
        for _ in range(len("😀 from")):
            await window.page.keyboard.press("Shift+ArrowLeft")
        await eventually(lambda: places(tess) == [("Bea Browser", (0, 13), (0, 7))])
        assert "Bea Browser" in tess.area.render_line(0).text

        await tess.select(3, 6)
        await expect(window.page.locator(".selected")).to_have_text(["and"])
        await tess.select(0)
        await expect(window.page.locator(".selected")).to_have_count(0)

        await tess.type("é")
        await window.page.keyboard.type("🎉")
        await expect(window.lines).to_have_text(["é漢字 and 🎉 a terminal", "last"])
        await eventually(lambda: tess.area.text == "é漢字 and 🎉 a terminal\nlast")
        await eventually(lambda: places(tess) == [("Bea Browser", (0, 9), (0, 9))])
        await window.close()
        await eventually(lambda: not places(tess))
    window.is_clean()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page's script, with the packages of the home page."""
    modules = WEB / "node_modules"
    if not modules.is_dir():
        pytest.skip("the home page's npm packages are not installed: `make web` does that, unless it has nothing to do")
    out = tmp_path_factory.mktemp("bundle") / "ycodemirror.js"
    command = [*find_node().node, str(modules / "esbuild" / "bin" / "esbuild"), str(SOURCE)]
    options = ["--bundle", "--format=iife", f"--outfile={out}", "--log-level=error"]
    subprocess.run([*command, *options], env=os.environ | {"NODE_PATH": str(modules)}, check=True, timeout=60)
    return out.read_text()


async def test_y_codemirror_next_shows_the_terminals_cursor_and_the_terminal_its(
    server: Server, browser: Browser, room: str, bundle: str
) -> None:
    page = await browser.new_page()
    await page.goto(f"http://{server.host}/nothing-here")  # of the server's origin, and empty
    await page.set_content("<body></body>")
    await page.add_script_tag(content=bundle)
    client = DocumentClient(server.host, room=room, user=user("Tess"))
    async with client, seated(client) as tess:
        await client.synced()
        await tess.type("one 😀 two\nthree 漢字\n")
        await page.evaluate(f"join('ws://{server.host}/parties/main', '{room}', 'Cody')")
        await expect(page.locator(".cm-line")).to_have_count(3)
        await expect(page.locator(".cm-ySelectionInfo")).to_have_text(["Tess"])

        await tess.select(12, 4)  # from "ree" back to the emoji, over a line end
        await expect(page.locator(".cm-ySelection")).to_have_text(["😀 two", "th"])
        await tess.select(4, 5)
        await expect(page.locator(".cm-ySelection")).to_have_text(["😀"])
        colour = await page.locator(".cm-ySelectionCaret").evaluate("caret => caret.style.backgroundColor")
        assert colour == f"rgb{tuple(bytes.fromhex(user('Tess')['color'][1:]))}"

        await page.evaluate("select(7, 4)")  # JavaScript counts the emoji as two
        await eventually(lambda: places(tess) == [("Cody", (0, 6), (0, 4))])
        await page.keyboard.type("🎉")
        await eventually(lambda: tess.area.text == "one 🎉two\nthree 漢字\n")
        await eventually(lambda: places(tess) == [("Cody", (0, 5), (0, 5))])
        await tess.do(tess.area.blur)
        await expect(page.locator(".cm-ySelectionCaret")).to_have_count(0)
    await page.close()
