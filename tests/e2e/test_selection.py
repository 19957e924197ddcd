"""Two people, two notebooks, two kernels: what one selects on a plot, the other's plot shows, and where he points."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

import partyroom
from tests.e2e.lab import CONFIG, Notebook, settle, write_notebook
from tests.interop.server import Server
from tests.jupyter.server import JupyterServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

CELLS = """\
import partyroom_widgets
from plotly import graph_objects
room = partyroom_widgets.join("plots", name={name!r}, url={url!r})
points = graph_objects.Scatter(x=[1, 2, 3, 4, 5], y=[2, 4, 1, 5, 3], mode="markers", marker_size=14)
selection = room.select(graph_objects.FigureWidget([points], {{"height": 400}}))
room.cursor(selection.view)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("lab")
    settle(folder)
    server = JupyterServer(folder, CONFIG, with_lab=True)
    server.start()
    yield server
    server.stop()


async def drag(plot: Locator, *corners: tuple[float, float]) -> None:
    """Over a part of the plot, in parts of its width and height."""
    box = await plot.bounding_box()
    assert box is not None
    (first, *more) = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    mouse = plot.page.mouse
    await mouse.move(*first)
    await mouse.down()
    for corner in more:
        await mouse.move(*corner, steps=4)
    await mouse.up()
    await mouse.move(*first, steps=2)


@pytest.mark.prove  # a JupyterLab of its own: a third of a minute
async def test_what_one_selects_the_other_has_in_the_colour_of_who_did(
    browser: Browser, lab: JupyterServer, server: Server, tmp_path: Path
) -> None:
    for name in ("Ada", "Bob"):
        write_notebook(lab.root / f"{name}.ipynb", [CELLS.format(name=name, url=f"http://{server.host}")])
    ada, bob = await asyncio.gather(*(Notebook.opened(browser, lab, f"{name}.ipynb") for name in ("Ada", "Bob")))
    await asyncio.gather(ada.run_all(), bob.run_all())
    plots = [one.page.locator(".js-plotly-plot .nsewdrag") for one in (ada, bob)]
    for plot in plots:
        await expect(plot).to_have_count(1, timeout=60_000)
    script = await asyncio.to_thread(partyroom.connect, "plots", server=f"http://{server.host}")
    for here, there, plot, name, corners in (
        (ada, bob, plots[0], "Ada", [(0.2, 0.05), (0.6, 0.95)]),
        (bob, ada, plots[1], "Bob", [(0.65, 0.05), (0.95, 0.95)]),
    ):
        await drag(plot, *corners)
        for one in (here, there):
            tag = one.page.locator(".partyroom-tag", has_text=f"selected by {name}")
            await expect(tag).to_have_count(1)
            color = await tag.evaluate("(tag) => tag.style.getPropertyValue('--partyroom-who')")
            drawn = one.page.locator(".js-plotly-plot .selectionlayer path").last
            await expect(drawn).to_have_count(1)
            red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
            await expect(drawn).to_have_css("stroke", f"rgb({red}, {green}, {blue})")
        stored = script.map("widgets")["selection"]
        assert (stored["by"], stored["color"]) == (name, color)
        pointer = there.page.locator(".partyroom-pointer-name")
        await expect(pointer).to_have_text(name)
        await expect(pointer).to_have_css("pointer-events", "none")
        await expect(there.page.locator(".partyroom-cursor")).to_have_attribute("aria-hidden", "true")
        if here is ada:
            await there.page.screenshot(path=tmp_path / "selection.png")
        await here.page.mouse.move(2, 2)
        await expect(pointer).to_have_count(0)
    assert stored["points"] == [[3, 4]]
    assert [said for one in (ada, bob) for said in one.complaints if "partyroom" in said or "plotly" in said] == []
    await asyncio.to_thread(script.close)
    for one in (ada, bob):
        await one.close()
