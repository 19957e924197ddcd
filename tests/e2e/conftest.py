"""Fixtures of the tests in a browser: a server as ``partyroom serve`` starts it, and windows of a Chromium."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from partyroom.web import DIST
from tests.e2e.browser import Window, chromium, find_chromium
from tests.interop.server import Server

HERE = Path(__file__).parent


class OpenWindow(Protocol):
    """Opens a window named ``name`` at ``room``; ``options`` are those of ``Window.opened``."""

    async def __call__(self, name: str, room: str, own: Server | None = None, **options: Any) -> Window: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, and skip it where it cannot run (never in continuous integration)."""
    missing = None
    if find_chromium() is None:
        missing = "needs Chromium: `make browser` installs it on Debian; elsewhere your system's package manager does"
    elif not (DIST / "index.html").exists():
        missing = "needs the built page: `python -m partyroom.web.build`, or `make test`"
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"tests/e2e {missing}")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("e2e")
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``partyroom serve`` without a target, for all tests that leave it running; each uses rooms of its own."""
    shared = Server(tmp_path_factory.mktemp("server") / "data", target=None)
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """The same for one test, which may stop and start it."""
    own = Server(tmp_path / "data", target=None)
    own.start()
    yield own
    if own.running:
        own.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for a module."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def open_window(browser: Browser, server: Server) -> AsyncIterator[OpenWindow]:
    """Opens windows (``open_window("Ada", "some-room")``), each in a profile of its own, that close with the test."""
    windows: list[Window] = []

    async def open(name: str, room: str, own: Server | None = None, **options: Any) -> Window:
        url = f"http://{(own or server).host}"
        windows.append(await Window.opened(browser, url, name=name, room=room, **options))
        return windows[-1]

    yield open
    for window in windows:
        await window.close()
