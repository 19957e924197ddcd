"""Windows of a Chromium on a JupyterLab: notebooks that are opened, run and looked at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, expect

from tests.jupyter.browser import Window
from tests.jupyter.server import TOKEN, JupyterServer

__all__ = ["CONFIG", "Notebook", "settle", "until", "write_notebook"]

CONFIG = """
c.LabApp.expose_app_in_browser = True
c.JupyterNotebookApp.expose_app_in_browser = True
"""
"""What a server's configuration needs, for its pages to be told what to do."""

START = 60_000  # ms; Lab and a kernel, on a machine that does much else


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{at}",
            "metadata": {},
            "source": cell,
            "outputs": [],
            "execution_count": None,
        }
        for at, cell in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": made}))


def settle(folder: Path) -> None:
    """Have the Lab of a server with this folder ask its user nothing."""
    config = folder / "config" / "labconfig"
    config.mkdir(parents=True, exist_ok=True)
    asking = {"@jupyterlab/apputils-extension:announcements": True}
    (config / "page_config.json").write_text(json.dumps({"disabledExtensions": asking}))


async def until(so: Callable[[], bool]) -> None:
    """Wait until a room of this process has it so."""
    async with asyncio.timeout(20):
        while not so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Notebook(Window):
    """Somebody's notebook, in Lab or another of Jupyter's pages, in a browser profile of its own."""

    @classmethod
    async def opened(
        cls,
        browser: Browser,
        server: JupyterServer,
        name: str,
        *,
        app: str = "doc/tree",
        dark: bool = False,
        **size: int,
    ) -> Notebook:
        """Open a notebook of the server's root, and wait for its kernel."""
        viewport: Any = {"width": size.get("width", 900), "height": size.get("height", 1000)}
        context = await browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light")
        window = cls(await context.new_page())
        await window.page.goto(server.url(f"{app}/{name}?token={TOKEN}"), wait_until="domcontentloaded")
        await window.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=START)
        return window

    async def close(self) -> None:
        """Close it, profile and all."""
        await self.page.context.close()

    async def bring_up(self, name: str) -> None:
        """Show another notebook of the server's root, which is opened where it is not yet."""
        await self.page.evaluate("(path) => void jupyterapp.commands.execute('docmanager:open', { path })", name)
        shown = "(path) => jupyterapp.shell.currentWidget?.context?.path === path"
        await self.page.wait_for_function(shown, arg=name, timeout=START)

    async def run_all(self) -> None:
        """Have all cells run, when there is a kernel, and do not wait for them."""
        await self._kernel()
        await self.page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")

    async def ran_all(self) -> bool:
        """Run all cells to their end; returns whether none has failed."""
        await self._kernel()
        return bool(await self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')"))

    async def _kernel(self) -> None:
        idle = "globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        await self.page.wait_for_function(idle, timeout=START)

    async def execute(self, code: str) -> None:
        """Have the kernel run something, without a cell, and do not wait for it."""
        run = "(code) => void jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code})"
        await self.page.evaluate(run, code)

    def cell(self, at: int) -> Locator:
        """A cell, by its place."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(at)

    def view(self, kind: str) -> Locator:
        """A widget of ours, such as ``chat``."""
        return self.page.locator(f".partyroom-{kind}").first

    async def ready(self, *kinds: str) -> None:
        """Wait until widgets are there and live."""
        for kind in kinds:
            await expect(self.view(kind)).to_have_attribute("data-status", "synced", timeout=START)

    # -- texts, tables, drawings -------------------------------------------------------------------------------------

    @property
    def lines(self) -> Locator:
        """The lines of the text, without the carets of others (whose names are never part of it)."""
        return self.view("text").locator(".cm-line")

    async def write(self, text: str) -> None:
        """Type at the end of the text."""
        await self.view("text").locator(".cm-content").click()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(text)

    def grid_cell(self, row: int, column: int) -> Locator:
        """A cell of the table."""
        return self.view("table").locator(f'td[data-row="{row}"][data-column="{column}"]')

    async def fill_cell(self, row: int, column: int, text: str) -> None:
        """Write into a cell of the table, and go on to the one below."""
        await self.grid_cell(row, column).click()
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")

    @property
    def strokes(self) -> Locator:
        """The strokes of the drawing that are done."""
        return self.view("board").locator(".partyroom-sheet > g:first-child > path")

    async def draw(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw a line through points, in parts of the sheet's width and height."""
        sheet = self.view("board").locator(".partyroom-sheet")
        await sheet.scroll_into_view_if_needed()
        box = await sheet.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        await self.page.mouse.move(*places[0])
        await self.page.mouse.down()
        for place in places[1:]:
            await self.page.mouse.move(*place, steps=3)
        await self.page.mouse.up()
