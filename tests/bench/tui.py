"""``python -m tests.bench.tui``: what it costs until a key is on the screen, beside Textual's own widgets.

One letter after the other is typed into the middle of a Python file. Measured is processor time from the key event
until the terminal has been written to: what a user waits for beyond the 1/60 s for which Textual gathers what to paint.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

from partyroom_tui import SharedTextArea
from rich.console import Console
from rich.table import Table
from textual import events
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.widget import Widget
from textual.widgets import Input, TextArea

from partyroom.testing import settle
from tests.unit.client.inside import Inside

__all__ = ["LINES", "Cost", "code", "cost", "shared", "stock"]

LINES = (1_000, 10_000, 50_000)
SIZE = (120, 40)


class NotingDriver(HeadlessDriver):
    """A terminal that notes when it is written to; Textual paints for it as for a real one."""

    written: asyncio.Event

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written.set()


class OneWidget(App[None]):
    """An app with a widget on all of its screen."""

    CSS = "TextArea, SharedTextArea { border: none; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__(driver_class=NotingDriver)
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


@dataclass(frozen=True)
class Cost:
    """Of one key, in milliseconds of processor time: the median, and the slowest in twenty."""

    median: float
    slow: float


def code(lines: int) -> str:
    """A Python file: classes of a hundred lines."""

    def line(at: int) -> str:
        if at % 100 == 0:
            return f"class Part{at}:\n"
        if at % 2:
            return f"    def method_{at}(self, value: int = {at}) -> str:  # comment {at}\n"
        return f"        return f'{{value}} {at}' + str([x for x in range({at})])\n"

    return "".join(map(line, range(lines)))


async def cost(widget: Widget, keys: int = 40) -> Cost:
    """Type into the middle of a widget."""
    NotingDriver.written = asyncio.Event()
    app = OneWidget(widget)
    async with app.run_test(headless=False, size=SIZE) as pilot:
        widget.focus()
        if isinstance(widget, TextArea):
            widget.cursor_blink = False
            widget.move_cursor((widget.document.line_count // 2 + 2, 16), center=True)
        await pilot.pause()
        took = [await _one_key(app) for _ in range(keys)]
    return Cost(median(took), sorted(took)[-1 - keys // 20])


async def _one_key(app: App[None]) -> float:
    await asyncio.sleep(0.02)  # whatever follows the key before
    NotingDriver.written.clear()
    before = time.process_time()
    app.post_message(events.Key("x", "x"))
    await NotingDriver.written.wait()
    return (time.process_time() - before) * 1000


async def stock(text: str, *, python: bool, wrap: bool, keys: int = 5) -> Cost:
    """Textual's own text area."""
    language = "python" if python else None
    return await cost(TextArea(text, language=language, soft_wrap=wrap, show_line_numbers=True), keys)


@asynccontextmanager
async def _joined(text: str) -> AsyncIterator[Callable[..., SharedTextArea]]:
    async with Inside.running() as inside, inside.joined() as client:
        client.text("notes").append(text)
        await settle()
        yield lambda **options: SharedTextArea(client, show_line_numbers=True, **options)


async def shared(text: str, *, python: bool, wrap: bool, keys: int = 40) -> Cost:
    """Ours, in a room of a lobby in this process."""
    async with _joined(text) as area:
        return await cost(area(language="python" if python else None, soft_wrap=wrap), keys)


async def main() -> None:
    """Measure and print the table."""
    console = Console()
    plain = await cost(Input())
    table = Table(title=f"A key until it is painted: processor time in ms. An Input: {plain.median:.1f}")
    for head in ("lines", "", "ours", "1 in 20", "of Input's", "Textual's", "of Input's"):
        table.add_column(head, justify="left" if head == "" else "right")
    with console.status("") as status:
        for lines in LINES:
            text = code(lines)
            for name, python, wrap in (("plain", False, False), ("wrapped", False, True), ("Python", True, False)):
                status.update(f"{lines} lines, {name}")
                ours = await shared(text, python=python, wrap=wrap)
                theirs = await stock(text, python=python, wrap=wrap)
                table.add_row(
                    f"{lines:,}",
                    name,
                    f"{ours.median:.1f}",
                    f"{ours.slow:.1f}",
                    f"{ours.median / plain.median:.1f}x",
                    f"{theirs.median:.1f}",
                    f"{theirs.median / plain.median:.0f}x",
                )
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
