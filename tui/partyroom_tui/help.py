"""HelpScreen: keys, and what there is."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown

__all__ = ["HelpScreen"]

TEXT: Final = """\
# A room in the terminal

Whoever is in this room sees what you do while you do it, here, in a browser or in a program.

| Key | What it does |
| --- | --- |
| **F1** | this page |
| **F2** | people and chat: show them, or fold them away |
| **F3** | links that bring others in |
| **F4** | leave the room |
| **Ctrl+PgUp / PgDn** | the tab before, the next tab |
| **Tab / Shift+Tab** | the next part of the screen, the one before |
| **Ctrl+P** | all commands, themes included |
| **Ctrl+Q** | quit |

- **Notes.** The text of the home page's editor. Ctrl+Z takes back your own edits only, Ctrl+Y does them again.
- **Board.** Drag to paint, with the right button to erase; or arrows and Space. 1 to 9 choose a colour, 0 the eraser.
- **Table.** Enter edits a cell, Ctrl+N adds a row, Ctrl+T a column, F6 renames a column, Del empties a cell,
  Ctrl+D removes the row.
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
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape,f1,q", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """The text."""
        with VerticalScroll():
            yield Markdown(TEXT)
