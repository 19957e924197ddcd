"""In JupyterLab 4 and Notebook 7: two people see each other, and neither application minds us."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.e2e.browser import chromium
from tests.interop.server import ROOT
from tests.jupyter.browser import Window, window
from tests.jupyter.conftest import ESBUILD, INTEROP, StartServer
from tests.jupyter.identity import NAMED
from tests.jupyter.server import TOKEN, JupyterServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> JupyterServer:
    return start_server(NAMED, base="/user/ada/", with_lab=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script that a page loads."""
    bundle = tmp_path_factory.mktemp("bundle") / "client.js"
    command = [str(ESBUILD), str(Path(__file__).parent / "lab_client.js"), "--bundle", f"--outfile={bundle}"]
    environ = {**os.environ, "NODE_PATH": str(INTEROP / "node_modules")}
    subprocess.run([*command, "--log-level=error"], check=True, env=environ, cwd=ROOT)
    return bundle.read_text()


async def joined(opened: Window, client: str, room: str, name: str, ready: str) -> None:
    """Wait until the application is there, and join a room from its page."""
    await opened.page.locator(ready).first.wait_for(timeout=40_000)
    await opened.page.add_script_tag(content=client)
    base = opened.page.url.partition("/user/ada/")[0].replace("http", "ws", 1) + "/user/ada/"
    await opened.page.evaluate("([base, room, name]) => join(base, room, name)", [base, room, name])


async def test_two_people_see_each_other_from_lab_and_notebook(
    browser: Browser, server: JupyterServer, client: str, room: str
) -> None:
    async with (
        window(browser, server.url(f"lab?token={TOKEN}&as=ada")) as ada,
        window(browser, server.url(f"tree?token={TOKEN}&as=bob")) as bob,
        window(browser, server.url(f"partyroom?token={TOKEN}&as=carol")) as carol,
    ):
        await asyncio.gather(
            joined(ada, client, room, "Ada", "#jp-main-dock-panel"),
            joined(bob, client, room, "Bob", "#jp-main-content-panel, #main-panel"),
        )
        for one in ada, bob:
            await one.page.wait_for_function("room.here().join() === 'Ada,Bob'")
        await ada.page.evaluate("room.write('from Lab')")
        await bob.page.wait_for_function("room.read() === 'from Lab'")
        people = carol.page.get_by_test_id("live").locator("li.room").filter(has_text=room).locator(".name")
        await expect(people).to_have_text(["Ada Lovelace", "bob"])
        for one in ada, bob, carol:
            assert [said for said in one.complaints if "partyroom" in said or "parties" in said] == []
