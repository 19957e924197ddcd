"""SharedTable: columns and rows that several fill in at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.containers import Vertical
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Input

from partyroom.client import DocumentClient

from .colours import colour_of, name_of
from .entry import Entry
from .ordered import Ordered

__all__ = ["SharedTable"]

WIDEST: Final = 40
"""The most characters of a value that are shown."""
NARROWEST: Final = 8


class Grid(DataTable[Text]):
    """The cells."""

    def on_key(self, event: events.Key) -> None:
        """What is typed here is what the cell is to have."""
        if event.is_printable and event.character:
            event.stop()
            assert isinstance(self.parent, SharedTable)
            self.parent.type(event.character)


class SharedTable(Vertical):
    """The table in the maps ``root-columns`` and ``root-rows`` of a ``client``'s document.

    Values of cells are shared texts, so that edits of one cell by two merge as well. Others' cells are in their colour.
    """

    DEFAULT_CSS = """
    SharedTable { height: 1fr; }
    SharedTable > DataTable { height: 1fr; background: transparent; scrollbar-size: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("ctrl+n", "add_row", "Row"),
        ("ctrl+t", "add_column", "Column"),
        ("ctrl+d", "remove_row", "Remove"),
        Binding("f6", "rename", "Rename", show=False),
        Binding("delete", "empty", "Empty", show=False),
        ("shift+up", "move_row(-1)", ""),
        ("shift+down", "move_row(1)", ""),
        ("escape", "stop", ""),
    ]

    def __init__(self, client: DocumentClient, root: str = "table", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.client = client
        self.columns = Ordered(client.map(f"{root}-columns"))
        """The columns: each has a shared text ``name``."""
        self.rows = Ordered(client.map(f"{root}-rows"))
        """The rows: each has a shared text for each column's id."""
        self._column_ids: list[str] = []
        self._row_ids: list[str] = []
        self._write: Callable[[str], object] | None = None
        self._shown: object = None
        self._cell_shown: object = None
        self._drawing = False
        self._unhear: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """The table, and a field for the cell that is edited."""
        yield Grid(zebra_stripes=True, cursor_type="cell")
        yield Entry(
            placeholder="Ctrl+T adds a column, Ctrl+N a row; type or press Enter to fill a cell",
            disabled=True,
            max_length=1000,
            select_on_focus=False,
        )

    def on_mount(self) -> None:
        """Begin to look."""
        self._unhear = [
            self.columns.items.on_change(lambda change: self.call_later(self._draw)),
            self.rows.items.on_change(lambda change: self.call_later(self._draw)),
            self.client.on_presence(lambda *changed: self.call_later(self._draw)),
        ]
        self._draw()

    def on_unmount(self) -> None:
        """Look no more."""
        for unhear in self._unhear:
            unhear()

    # -- where one is ------------------------------------------------------------------------------------------------

    @property
    def grid(self) -> DataTable[Text]:
        """What is shown."""
        return self.query_one(Grid)

    @property
    def chosen(self) -> tuple[str | None, str | None]:
        """The ids of row and column where the cursor is, as far as there are any."""
        row, column = self.grid.cursor_coordinate
        return (
            self._row_ids[row] if row < len(self._row_ids) else None,
            self._column_ids[column] if column < len(self._column_ids) else None,
        )

    def on_data_table_cell_highlighted(self, event: DataTable.CellHighlighted) -> None:
        """The cursor is elsewhere."""
        event.stop()
        if not self._drawing:
            self._show()

    def on_descendant_focus(self) -> None:
        """The user is here."""
        self.call_after_refresh(self._show)

    def on_descendant_blur(self) -> None:
        """The user is elsewhere, perhaps."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        """Show the others where the user is."""
        row, column = self.chosen
        here = self.is_mounted and self.has_focus_within and row is not None and column is not None
        cell = {"row": row, "column": column} if here else None
        if cell != self._cell_shown:
            self._cell_shown = cell
            self.client.set_presence(cell=cell)

    # -- edits -------------------------------------------------------------------------------------------------------

    def on_data_table_cell_selected(self, event: DataTable.CellSelected) -> None:
        """Enter, or a click on the cell with the cursor: edit it."""
        event.stop()
        row, column = self.chosen
        if row is not None and column is not None:
            value = _value(self.rows.read()[row], column)
            self._ask("Cell", value, lambda text: self.set_cell(row, column, text))

    def type(self, character: str) -> None:
        """Write a cell anew, beginning with a character; those that follow go on with it."""
        row, column = self.chosen
        if self._write is None and row is not None and column is not None:
            self._ask("Cell", "", lambda text: self.set_cell(row, column, text))
        if self._write is not None:
            self.query_one(Entry).insert_text_at_cursor(character)

    def set_cell(self, row: str, column: str, value: str) -> None:
        """Put a value into a cell, if its row is still there; what it has in common with the old one stays."""
        self.rows.write(row, column, value)

    def action_add_row(self) -> None:
        """Add a row below the one with the cursor."""
        after, _ = self.chosen
        with self.client.batch():
            new = self.rows.add({}, after=after)
        self._draw()
        if new in self._row_ids:
            self.grid.move_cursor(row=self._row_ids.index(new))

    def action_add_column(self) -> None:
        """Add a column at the end; its name is asked for."""

        def add(name: str) -> None:
            with self.client.batch():
                self.columns.add({}, {"name": name or "Column"})
                if not self.rows.read():
                    self.rows.add({})

        self._ask("New column", "", add)

    def action_rename(self) -> None:
        """Give the column with the cursor another name."""
        _, column = self.chosen
        if column is not None:
            old = _value(self.columns.read()[column], "name")

            def rename(name: str) -> None:
                if name:
                    self.columns.write(column, "name", name)

            self._ask("Name of the column", old, rename)

    def action_empty(self) -> None:
        """Empty the cell with the cursor."""
        row, column = self.chosen
        if row is not None and column is not None:
            self.set_cell(row, column, "")

    def action_remove_row(self) -> None:
        """Remove the row with the cursor."""
        row, _ = self.chosen
        if row is not None:
            self.rows.remove(row)

    def action_move_row(self, by: int) -> None:
        """Move the row with the cursor, and the cursor with it."""
        row, _ = self.chosen
        if row is not None:
            self.rows.move(row, by)

    def action_stop(self) -> None:
        """Edit no more."""
        self._write = None
        field = self.query_one(Entry)
        field.clear()
        field.border_title = ""
        field.disabled = True
        self.grid.focus()

    def _ask(self, what: str, value: str, write: Callable[[str], object]) -> None:
        self._write = write
        field = self.query_one(Entry)
        field.disabled = False
        field.border_title = what
        field.value = value
        field.cursor_position = len(value)
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A value was typed."""
        event.stop()
        write = self._write
        self.action_stop()
        if write is not None:
            write(event.value)

    # -- painting ----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Show the table as it is now, with the cursor on the same cell."""
        columns, rows = self.columns.read(), self.rows.read()
        others = self._others()
        shown = (columns, rows, others, self.app.theme)
        if shown == self._shown or not self.is_mounted:
            return
        self._shown = shown
        (chosen_row, chosen_column), grid = self.chosen, self.grid
        scroll = grid.scroll_offset
        self._column_ids, self._row_ids = list(columns), list(rows)
        self._drawing = True
        grid.clear(columns=True)
        cells = {
            id: [self._cell(_value(one, id), others.get((row, id))) for row, one in rows.items()] for id in columns
        }
        for id in columns:
            name = Text(_value(columns[id], "name"))
            width = max(cell_len(text.plain) for text in (name, *cells[id]))
            grid.add_column(name, key=id, width=max(width, NARROWEST))
        for number, id in enumerate(rows if columns else ()):
            grid.add_row(*(column[number] for column in cells.values()), key=id)
        grid.cursor_coordinate = Coordinate(
            self._row_ids.index(chosen_row) if chosen_row in rows else min(grid.cursor_row, max(len(rows) - 1, 0)),
            self._column_ids.index(chosen_column) if chosen_column in columns else 0,
        )
        grid.scroll_to(scroll.x, scroll.y, animate=False)
        self._drawing = False
        self._show()

    def _others(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Who is in which cell: the colour and the name."""
        found = {}
        for client, state in self.client.others.items():
            match state.get("cell"):
                case {"row": str(row), "column": str(column)}:
                    found[row, column] = (colour_of(state, client).hex6, name_of(state))
        return found

    def _cell(self, value: str, other: tuple[str, str] | None) -> Text:
        text = Text(value if len(value) <= WIDEST else value[: WIDEST - 1] + "…", no_wrap=True)
        if _is_number(value):
            text.justify = "right"
        if other is not None:
            colour, name = other
            style = Style(bgcolor=colour, color=Color.parse(colour).get_contrast_text(1.0).hex6)
            text.stylize(style)
            text.append(f" {name} ", style + Style(bold=True))
        return text


def _value(item: dict[str, Any], key: str) -> str:
    """A text of an item in one line, as it can be shown."""
    value = item.get(key)
    return "".join(char if char.isprintable() else " " for char in value) if isinstance(value, str) else ""


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
