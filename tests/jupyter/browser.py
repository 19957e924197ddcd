"""Windows of a Chromium on a Jupyter Server, which remember what the page complained about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, ConsoleMessage, Page

from tests.e2e.browser import PATIENCE

__all__ = ["Window", "window"]


class Window:
    """A page in a browser profile of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        """What the console showed as errors or warnings, with where it came from, and what scripts threw."""
        self.asked: list[str] = []
        """The URL of each request and WebSocket that the page has begun."""
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")


@asynccontextmanager
async def window(browser: Browser, url: str) -> AsyncIterator[Window]:
    """A window at ``url`` that closes with the block."""
    context = await browser.new_context()
    opened = Window(await context.new_page())
    await opened.page.goto(url)
    yield opened
    await context.close()
