"""``partysocket/react`` in a browser: the hook of a React page, which ``partyroom serve`` serves beside the room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import LOST_SERVER
from tests.interop.server import Server

HERE = Path(__file__).parent
SOURCES = HERE / "react"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and not (HERE / "node_modules").exists(),
        reason="needs React: `npm ci` in tests/e2e, or `make test`",
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, bundled as its authors would."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(SOURCES / "index.html", folder)
    options = ["--bundle", "--jsx=automatic", '--define:process.env.NODE_ENV="development"', "--log-level=warning"]
    command = ["node", "node_modules/esbuild/bin/esbuild", "react/page.jsx", *options, f"--outfile={folder}/page.js"]
    subprocess.run(command, cwd=HERE, check=True, timeout=60)
    return folder


@pytest.fixture
def table(pages: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of the room and the page."""
    server = Server(tmp_path / "data", str(SOURCES / "table.py"), ["--serve", str(pages)])
    server.start()
    yield server
    if server.running:
        server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


@pytest.mark.must_work(item=7)
async def test_a_hook_connects_sends_hears_asks_and_comes_back_with_its_id(table: Server, page: Page) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    part = page.get_by_test_id
    await page.goto(f"http://{table.host}/")
    await expect(part("state")).to_have_text("open")
    id = await part("id").inner_text()
    said = part("said").locator("li")
    await expect(said.last).to_have_text(f"{id} has come")

    await part("line").fill("hello 🎉")
    await part("line").press("Enter")
    await expect(said.last).to_have_text(f"{id}: hello 🎉")
    await part("ask").click()
    await expect(part("people")).to_have_text(f"who? {id}")
    strangers = [
        text for text in complaints if not LOST_SERVER.search(text)
    ]  # StrictMode closes its first socket early
    assert strangers == []

    table.stop()
    await expect(part("state")).to_have_text("closed")
    await part("line").fill("while it is away")  # waits in the socket
    await part("line").press("Enter")
    table.start()
    await expect(part("state")).to_have_text("open")
    await expect(said.last).to_have_text(f"{id}: while it is away")
    assert await part("id").inner_text() == id
    await part("ask").click()
    await expect(part("people")).to_have_text(f"who? {id}")
    assert [text for text in complaints if not LOST_SERVER.search(text)] == []
