"""HelpScreen: keys, and what there is."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

__all__ = ["HelpScreen"]

OPENING: Final = """\
# A room in the terminal

Whoever is in this room sees what you do while you do it, here, in a browser or in a program.
"""
KEYS: Final = {
    "F1": "this page",
    "F2": "to the chat; from there, fold people and chat away",
    "F3": "links that bring others in",
    "F4": "leave the room",
    "Ctrl+PgUp / PgDn": "the tab before, the next tab",
    "Tab / Shift+Tab": "the next part of the screen, the one before",
    "Ctrl+P": "all commands, themes included",
    "Ctrl+Q": "quit",
}
PARTS: Final = """\
- **Notes.** The text of the home page's editor. Ctrl+Z takes back your own edits only, Ctrl+Y does them again.
- **Board.** Drag to paint, with the right button to erase; or arrows and Space. 1 to 9 choose a colour, 0 the eraser.
- **Table.** Type or press Enter to fill a cell. Ctrl+N adds a row, Ctrl+T a column; F6 renames a column, Del empties a
  cell, Ctrl+D removes the row.
- **Todo.** Type and press Enter to add. Space checks, Enter edits, Shift+Up and Shift+Down move, Del removes.
- **Game.** Arrows or WASD steer: leave a trail, run into none. Space begins a round.
- **People.** Choose somebody to follow them; whatever you do yourself ends it.

Without a connection you may go on: what you write waits here and is merged when the server is back. Esc closes this.
"""


class HelpScreen(ModalScreen[None]):
    """Keys, and what there is."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 84; max-width: 96%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    HelpScreen #help-keys { margin: 0 2 1 2; }
    HelpScreen MarkdownH1 { margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape,f1,q", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """The text."""
        with VerticalScroll():
            yield Markdown(OPENING)
            yield Static(self._keys(), id="help-keys")
            yield Markdown(PARTS)

    def _keys(self) -> Table:
        keys = Table.grid(padding=(0, 3, 0, 0))
        for key, what in KEYS.items():
            keys.add_row(Text(key, style=f"bold {self.app.theme_variables['primary']}"), what)
        return keys
