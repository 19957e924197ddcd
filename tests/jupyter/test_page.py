"""The status page in a real browser: who is where, live, for those who are logged in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from partyroom.client import DocumentClient
from tests.e2e.browser import chromium
from tests.jupyter.browser import Window, window
from tests.jupyter.identity import MARKUP
from tests.jupyter.server import TOKEN, JupyterServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def status(browser: Browser, shared: JupyterServer) -> AsyncIterator[Window]:
    async with window(browser, shared.url(f"partyroom/?token={TOKEN}")) as opened:
        await expect(opened.page.get_by_test_id("status")).to_have_attribute("data-state", "live")
        yield opened


def joining(server: JupyterServer, room: str, name: str) -> DocumentClient:
    return DocumentClient(server.url("").rstrip("/"), room=room, token=TOKEN, query={"as": name})


async def test_it_shows_who_is_where_as_they_come_and_go(status: Window, shared: JupyterServer) -> None:
    live = status.page.get_by_test_id("live")
    await expect(live).to_have_text("No room is live right now.")
    async with joining(shared, "today", "bob") as bob, joining(shared, "today", "bob") as again:
        await bob.synced()
        await again.synced()
        await expect(live.locator(".where")).to_have_text(["main/today"])
        await expect(live.locator(".person")).to_have_text(["bob\N{MULTIPLICATION SIGN}2"])
        assert await live.locator(".mark").evaluate("dot => dot.style.background") == "rebeccapurple"
        bob.text("body").insert(0, "hello")
        await bob.saved()
    await expect(live.locator(".nobody")).to_have_text(["nobody just now"])
    async with status.page.expect_popup() as opening:
        await live.get_by_text("JSON").click()
    popup = await opening.value
    assert json.loads(await popup.locator("pre").inner_text()) == {"body": "hello"}
    assert status.complaints == []


async def test_names_and_rooms_are_text_whatever_people_call_them(status: Window, shared: JupyterServer) -> None:
    name = f"{MARKUP}/?#&"
    async with joining(shared, name, "eve") as eve:
        await eve.synced()
        room = status.page.get_by_test_id("live").locator("li.room").filter(has_text="onerror")
        await expect(room.locator(".room-name")).to_have_text(name)
        await expect(room.locator(".person .name")).to_have_text(MARKUP)
        link = await room.get_by_text("JSON").get_attribute("href")
        assert link == "/user/j%C3%B6/parties/main/" + quote(name, safe="'") + "/doc.json"
    assert await status.page.evaluate("window.ran") is None
    assert status.complaints == []


async def test_who_is_not_logged_in_is_sent_to_log_in(browser: Browser, shared: JupyterServer) -> None:
    async with window(browser, shared.url("partyroom/")) as stranger:
        assert "/login" in stranger.page.url
        assert (await stranger.page.request.get(shared.url("partyroom/status"))).status == 403
