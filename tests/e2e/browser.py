"""A real Chromium, and windows of it that remember what the page asked for and complained about."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What ``install-browser.sh`` looks for as well."""
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15_000  # ms
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
LOST_SERVER = re.compile(r"ERR_CONNECTION_(REFUSED|RESET|CLOSED)|WebSocket connection to .* failed|ERR_EMPTY_RESPONSE")

expect.set_options(timeout=PATIENCE)


def find_chromium() -> str | None:
    """The system's Chromium; ``None`` without one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium that ends with the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        await browser.close()


class Window:
    """The home page in a browser profile of its own, at the room that it opened."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        """What the console showed as errors, and what scripts threw."""
        self.asked: list[str] = []
        """The URL of each request and WebSocket that the page has begun."""
        self._url = url
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    @classmethod
    async def opened(
        cls,
        browser: Browser,
        url: str,
        *,
        name: str = "",
        room: str = "",
        color: str = "",
        size: ViewportSize = DESKTOP,
        dark: bool = False,
    ) -> Window:
        """A new profile with the page open at ``room``, and in step with the server; a colour is given by chance."""
        context = await browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            timezone_id="UTC",
        )
        if color:
            await context.add_init_script(f"sessionStorage.setItem('partyroom.color', '{color}')")
        window = cls(await context.new_page(), url)
        await window.page.goto(f"{url}/?room={quote(room)}" if room else url)
        await window.live()
        if name:
            await window.rename(name)
        return window

    async def close(self) -> None:
        """Close it, profile and all."""
        await self.page.context.close()

    # -- its parts ---------------------------------------------------------------------------------------------------

    def part(self, name: str) -> Locator:
        """The element that the page marks with ``data-testid``."""
        return self.page.get_by_test_id(name)

    @property
    def editor(self) -> Locator:
        return self.part("editor")

    @property
    def lines(self) -> Locator:
        """The lines of the document, without the carets of others (whose names are never part of the text)."""
        return self.page.locator(".cm-line")

    @property
    def people(self) -> Locator:
        """Everybody else."""
        return self.part("people").locator("li")

    def caret(self, name: str) -> Locator:
        """Where ``name`` is in the document."""
        return self.page.locator(f'.caret[data-name="{name}"]')

    def room(self, name: str) -> Locator:
        """A line of the list of rooms, which reads ``name`` and how many people are in it."""
        return self.part("rooms").locator(f'a[data-room="{name}"]')

    @property
    def messages(self) -> Locator:
        return self.part("chat-log").locator(".words")

    # -- what people do ----------------------------------------------------------------------------------------------

    async def rename(self, name: str) -> None:
        await self.part("name-input").fill(name)
        await self.part("name-input").press("Enter")

    async def write(self, text: str) -> None:
        """Type at the end of the document."""
        await self.editor.focus()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(text)

    async def say(self, text: str) -> None:
        await self.part("chat-input").fill(text)
        await self.part("chat-input").press("Enter")

    # -- what it shows -----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        await expect(self.part("status")).to_have_attribute("data-state", "live")

    async def offline(self) -> None:
        await expect(self.part("status")).to_have_attribute("data-state", "offline")

    async def text(self) -> str:
        """The document as this window shows it."""
        return "\n".join(await self.lines.all_inner_texts())

    # -- its manners -------------------------------------------------------------------------------------------------

    def is_clean(self, *, server_was_gone: bool = False) -> None:
        """Assert that nothing failed in it, and that it has spoken to nobody but the server."""
        excused = LOST_SERVER.search if server_was_gone else lambda _: None
        assert [complaint for complaint in self.complaints if not excused(complaint)] == []
        assert self.asked
        assert {urlsplit(url).netloc for url in self.asked} == {urlsplit(self._url).netloc}

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
