"""ShareScreen: how others come into a room: by a browser, a terminal, a program, or SSH."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from shlex import quote
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from .seat import Seat

__all__ = ["ShareScreen", "ways_in"]

PYTHON = """\
import partyroom

room = partyroom.connect(
    {address})
print(room.text("body"))"""


def ways_in(seat: Seat, ssh: str = "") -> Iterator[tuple[str, str]]:
    """What to do, and where, to come into the room of ``seat``; ``ssh`` is ``HOST -p PORT`` where that is served.

    Where it is not known to be, the way is the command that serves it.
    """
    yield "In a browser", seat.page
    yield "In a terminal", f"partyroom join {quote(seat.address)}"
    if ssh:
        yield "Over SSH, with nothing installed", f"ssh {quote(f'NAME+{seat.room}')}@{ssh}"
    else:
        yield "Over SSH, with nothing installed, once this runs", f"partyroom ssh {quote(seat.address)}"
    yield "In Python", PYTHON.format(address=dumps(seat.address))


class ShareScreen(ModalScreen[None]):
    """The ways in, each to be copied."""

    DEFAULT_CSS = """
    ShareScreen { align: center middle; background: $background 60%; }
    ShareScreen > VerticalScroll {
        width: 84; max-width: 96%; height: auto; max-height: 90%;
        padding: 1 2; background: $surface; border: round $primary;
    }
    ShareScreen .share--title { text-style: bold; color: $primary; margin-bottom: 1; }
    ShareScreen Horizontal { height: auto; margin-bottom: 1; }
    ShareScreen .share--way { width: 1fr; background: $panel; padding: 0 1; }
    ShareScreen Button { width: 8; min-width: 8; margin-left: 1; }
    ShareScreen.-narrow > VerticalScroll { padding: 0 1; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-wide")]  # noqa: RUF012  # as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [("escape,f3", "dismiss", "Close")]

    def __init__(self, seat: Seat, ssh: str = "") -> None:
        super().__init__()
        self._seat = seat
        self._ways = list(ways_in(seat, ssh))

    def compose(self) -> ComposeResult:
        """A block for each way."""
        with VerticalScroll():
            yield Label(Text(f"Bring others into {self._seat.room}"), classes="share--title")
            for number, (title, way) in enumerate(self._ways):
                yield Label(title)
                with Horizontal():
                    yield Static(Text(way, overflow="fold"), classes="share--way")
                    yield Button("Copy", id=f"copy-{number}", compact=True)
            yield Label(Text("Esc closes.", style="dim"))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Copy one, by the terminal (OSC 52), which works over SSH as well."""
        title, way = self._ways[int((event.button.id or "-0").rpartition("-")[2])]
        self.app.copy_to_clipboard(way)
        self.notify(f"{title}: copied", timeout=2, markup=False)
