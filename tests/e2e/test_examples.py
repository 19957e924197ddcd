"""The example notebooks as people meet them: opened in JupyterLab and run, and one as a page of Voila.

The rooms are those of the Jupyter Server itself. A picture of each goes to pytest's temporary folder (``--basetemp``).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

import partyroom
from partyroom.client import DocumentRoom
from tests.e2e.lab import CONFIG, Notebook, settle, until
from tests.interop.server import ROOT
from tests.jupyter.browser import window as visited
from tests.jupyter.server import TOKEN, JupyterServer

EXAMPLES = ROOT / "notebooks" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))
Join: TypeAlias = Callable[[str], Awaitable[DocumentRoom]]
WIDGETS = """() => jupyterapp.shell.currentWidget.content.widgets
    .flatMap(({ outputArea }) => outputArea?.model.toJSON() ?? [])
    .filter(({ data }) => data?.["application/vnd.jupyter.widget-view+json"]).length"""
"""How many widgets the cells of a notebook have answered with."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("lab")
    settle(folder)
    voila = ["--ServerApp.jpserver_extensions=voila=True"]
    server = JupyterServer(folder, CONFIG, with_lab=True, arguments=voila)
    shutil.copytree(EXAMPLES, server.root)
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(browser: Browser, lab: JupyterServer) -> AsyncIterator[Notebook]:
    """A Lab, at the first of the notebooks."""
    opened = await Notebook.opened(browser, lab, f"{NAMES[0]}.ipynb", app="lab/tree", width=1000, height=1900)
    for name in NAMES[1:]:  # whose kernels start while others are looked at
        await opened.bring_up(f"{name}.ipynb")
    await opened.page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def join(lab: JupyterServer) -> AsyncIterator[Join]:
    """Joins a room as a program does that knows no widgets."""
    joined: list[DocumentRoom] = []

    async def join(room: str) -> DocumentRoom:
        joined.append(await asyncio.to_thread(partyroom.connect, room, server=lab.url(""), token=TOKEN))
        return joined[-1]

    yield join
    for room in joined:
        await asyncio.to_thread(room.close)


def hosts(asked: Iterable[str]) -> set[str]:
    """Whom a page has asked for something."""
    return {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}


@pytest.mark.parametrize("name", NAMES)
async def test_a_notebook_runs_in_lab_and_shows_its_widgets(
    window: Notebook, lab: JupyterServer, join: Join, tmp_path: Path, name: str
) -> None:
    page = window.page
    await window.bring_up(f"{name}.ipynb")
    running = asyncio.create_task(window.ran_all())
    if name == "training_run":  # which somebody else ends before its time
        state = (await join("training-run")).map("widgets")
        await until(lambda: state.get("progress", 0) >= 5)
        state["stop"] = True
    assert await running
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    promised = await page.evaluate(WIDGETS)
    assert promised >= 2
    await expect(panel.locator(".jp-OutputArea-output.lm-Panel > *")).to_have_count(promised)
    for one in await panel.locator(".partyroom-strip, .partyroom-view").all():
        await expect(one).to_have_attribute("data-status", "synced")
    for text in await panel.locator(".partyroom-text").all():
        await expect(text).to_have_attribute("data-standing", "live")
    await expect(panel.get_by_text("Error displaying widget")).to_have_count(0)
    await page.screenshot(path=tmp_path / f"{name}.png")
    # Jupyter Server answers its own list of kernels with 500 where one starts at that moment.
    assert [said for said in window.complaints if f"{lab.host}/api/kernels?" not in said] == []
    assert hosts(window.asked) == {lab.host}


async def test_a_page_of_voila_is_live(browser: Browser, lab: JupyterServer, join: Join, tmp_path: Path) -> None:
    async with visited(browser, lab.url(f"voila/render/pair_editing.ipynb?token={TOKEN}")) as window:
        text = window.page.locator(".partyroom-text")
        await expect(text).to_have_attribute("data-standing", "live", timeout=60_000)
        await expect(text).to_have_attribute("data-transport", "direct")
        await expect(window.page.locator(".partyroom-strip")).to_have_attribute("data-status", "synced")
        shared = (await join("pair-editing")).text("mean.py")
        shared.append("\n# from a program")
        await expect(text.locator(".cm-content")).to_contain_text("# from a program")
        await text.locator(".cm-content").click()
        await window.page.keyboard.press("Control+End")
        await window.page.keyboard.type(", from a page")
        await until(lambda: str(shared).endswith("# from a program, from a page"))
        await window.page.screenshot(path=tmp_path / "voila.png")
        # Voila's own page asks other sites for fonts, and has modules of another Lab than is installed.
        assert [said for said in window.complaints if "partyroom" in said or "Yjs" in said] == []
        assert hosts(url for url in window.asked if url.startswith("ws")) == {lab.host}
