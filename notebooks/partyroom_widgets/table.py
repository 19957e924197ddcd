"""table: a DataFrame that many edit at once: cells merge, and everybody sees where the others are.

In the room's document, ``table.KEY`` has what whoever came first had (``columns``, ``index``, ``data``, ``kinds``) and
``table.KEY.cells`` what has been edited since, by ``ROW:COLUMN``, so two who edit different cells never disturb each
other; of two who edit one at the same time, all get the same one. Rows and columns are what they were at first.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import traitlets

from partyroom.client import Change
from partyroom.client.values import ABSENT, KeyEdit

from .people import Person
from .view import Refused, View, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["MOST_CELLS", "TableView"]

MOST_CELLS: Final = 50_000
LONGEST: Final = 2000
KINDS: Final = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "date"}
"""What a column is, by the ``kind`` of its dtype; all others are texts."""
_SOURCES = sources("table")


class TableView(View):
    """A shared table. ``df`` is what it holds now, as pandas has it."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    columns: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    index: traitlets.List[str] = traitlets.List().tag(sync=True)
    rows: traitlets.List[list[Any]] = traitlets.List().tag(sync=True)
    places: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """Which cells the others are in."""

    def __init__(self, room: Room, df: Any = None, *, key: str = "table") -> None:
        self.key = key
        self._quiet = False
        self._frame = room.client.map(f"table.{key}")
        self._cells = room.client.map(f"table.{key}.cells")
        if df is not None:
            frame = _frame(df)
            if "data" not in self._frame:
                self._frame.update(frame)
        elif "data" not in self._frame:
            raise ValueError(f"there is no table {key!r} in this room: give the DataFrame that it begins with")
        super().__init__(room, label=key)
        self.watch(self._cells.on_change(self._changed))
        self.watch(self._frame.on_change(lambda change: self._show()))
        self.watch(room.client.on_presence(lambda *clients: self._show_places()))
        self._show()
        self._show_places()

    @property
    def df(self) -> Any:
        """What the table holds now, as a new ``pandas.DataFrame`` with the columns' kinds of the first one."""
        pandas: Any = importlib.import_module("pandas")
        frame = _read(self._frame)
        values = self._values()
        made = pandas.DataFrame(values, columns=frame["columns"], index=frame["index"], dtype=object)
        for column, kind in zip(frame["columns"], frame["kinds"], strict=True):
            made[column] = _typed(pandas, made[column], kind)
        return made

    def set(self, row: int, column: str, value: Any) -> None:
        """Edit a cell: ``row`` counts from 0.

        Raises ``IndexError``, ``KeyError``, and ``ValueError`` for what the column cannot hold.
        """
        frame = _read(self._frame)
        if not 0 <= row < len(frame["index"]):
            raise IndexError(f"{self.key} has {len(frame['index'])} rows, and no row {row}")
        if column not in frame["columns"]:
            raise KeyError(f"{self.key} has no column {column!r}")
        at = frame["columns"].index(column)
        self._cells[f"{row}:{at}"] = _value(value, frame["kinds"][at])

    def on_change(self, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``callback(df)`` in the kernel's thread after edits. Returns a function that ends it."""
        turns = self._room.turns
        return self._cells.on_change(lambda change: turns.post(lambda: callback(self.df)))

    # -- what it shows -----------------------------------------------------------------------------------------------

    def _values(self) -> list[list[Any]]:
        frame = _read(self._frame)
        rows = [list(row) for row in frame["data"]]
        for place, value in self._cells.items():
            if (at := _place(place, len(rows), len(frame["columns"]))) is not None:
                rows[at[0]][at[1]] = value
        return rows

    def _show(self) -> None:
        frame = _read(self._frame)
        with self.hold_sync():
            named = zip(frame["columns"], frame["kinds"], strict=True)
            self.columns = [{"name": column, "kind": kind} for column, kind in named]
            self.index = frame["index"]
            self.rows = [[_shown(value) for value in row] for row in self._values()]

    def _changed(self, change: Change) -> None:
        edits = [edit for edit in change.edits if isinstance(edit, KeyEdit) and not edit.path]
        places = [_place(edit.key, len(self.rows), len(self.columns)) for edit in edits]
        if any(edit.new is ABSENT for edit in edits) or None in places:
            self._show()
            return
        rows = [list(row) for row in self.rows]
        for place, edit in zip(places, edits, strict=True):
            assert place is not None
            rows[place[0]][place[1]] = _shown(edit.new)
            self.send({"type": "cell", "row": place[0], "column": place[1], "value": _shown(edit.new)})
        self._quietly(rows)

    def _quietly(self, rows: list[list[Any]]) -> None:
        """Have pages that come later get this; those that are there have been told."""
        self._quiet = True
        try:
            self.rows = rows
        finally:
            self._quiet = False

    def _should_send_property(self, key: str, value: Any) -> bool:
        return not (key == "rows" and self._quiet) and bool(super()._should_send_property(key, value))

    def _show_places(self) -> None:
        places = [place for person in self._room.people if (place := self._where(person)) is not None]
        if places != self.places:
            self.places = places

    def _where(self, person: Person) -> dict[str, Any] | None:
        shown = person.shows.get("cell")
        if person.me or not isinstance(shown, dict) or shown.get("table") != self.key:
            return None
        row, column = shown.get("row"), shown.get("column")
        if not isinstance(row, int) or not isinstance(column, int):
            return None
        return {"row": row, "column": column, "name": person.name, "color": person.color}

    # -- what the page's user does -----------------------------------------------------------------------------------

    def heard_edit(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A cell has been written."""
        if self._room.client.read_only:
            raise Refused("You may only look at this room.")
        row, column = content.get("row"), content.get("column")
        if not isinstance(row, int) or not isinstance(column, int) or not 0 <= column < len(self.columns):
            return
        try:
            self.set(row, self.columns[column]["name"], content.get("value"))
        except (ValueError, IndexError) as error:
            raise Refused(f"Not kept: {error}.") from None

    def heard_place(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's user is in a cell, or in none."""
        row, column = content.get("row"), content.get("column")
        here = isinstance(row, int) and isinstance(column, int)
        self._room.show(cell={"table": self.key, "row": row, "column": column} if here else None)


def _frame(df: Any) -> dict[str, Any]:
    """A DataFrame as the document has it. Raises ``TypeError`` and ``ValueError``."""
    if not hasattr(df, "dtypes") or not hasattr(df, "itertuples"):
        raise TypeError(f"a table begins with a pandas DataFrame, not {type(df).__name__}")
    if df.size > MOST_CELLS:
        raise ValueError(f"a shared table has at most {MOST_CELLS:,} cells; this has {df.size:,}: share a part of it")
    columns = [str(column) for column in df.columns]
    if len(set(columns)) < len(columns):
        raise ValueError("two columns have one name")
    kinds = [KINDS.get(getattr(dtype, "kind", "O"), "text") for dtype in df.dtypes]
    data = [[_value(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in df.itertuples(index=False)]
    return {"columns": columns, "kinds": kinds, "index": [str(one) for one in df.index], "data": data}


def _read(stored: Any) -> dict[str, list[Any]]:
    """The frame of the document, which others may have written: a table in any case."""
    columns, kinds, index, data = (stored.get(name) for name in ("columns", "kinds", "index", "data"))
    if not all(isinstance(one, list) for one in (columns, kinds, index, data)):
        return {"columns": [], "kinds": [], "index": [], "data": []}
    columns = list(dict.fromkeys(str(column) for column in columns))
    wide = len(columns)
    return {
        "columns": columns,
        "kinds": [str(kind) for kind in [*kinds, *["text"] * wide][:wide]],
        "index": [str(one) for one in [*index, *[""] * len(data)][: len(data)]],
        "data": [[*(row if isinstance(row, list) else []), *[None] * wide][:wide] for row in data],
    }


def _place(key: str, height: int, width: int) -> tuple[int, int] | None:
    row, _, column = key.partition(":")
    if not (row.isdecimal() and column.isdecimal() and len(key) < 20):
        return None
    return (int(row), int(column)) if int(row) < height and int(column) < width else None


def _value(value: Any, kind: str) -> Any:
    """A value for a column, from Python or as it was typed; ``None`` is none. Raises ``ValueError``."""
    if hasattr(value, "item"):
        value = value.item()  # numpy's
    if value is None or value == "" or value != value or str(value) in ("NaT", "<NA>"):
        return None
    if kind == "boolean":
        if isinstance(value, bool) or str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ValueError(f"{value!r} is not true or false")
    if kind in ("integer", "number"):
        return _number(value, kind)
    if kind == "date":
        return _date(value)
    said = value if isinstance(value, str) else str(value)
    if len(said) > LONGEST:
        raise ValueError(f"a cell has at most {LONGEST} characters")
    return said


def _number(value: Any, kind: str) -> int | float:
    try:
        number = int(value) if kind == "integer" else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no {'whole number' if kind == 'integer' else 'number'}") from None
    if not math.isfinite(number) or abs(number) > 1e300:
        raise ValueError(f"{value!r} is no number that can be shared")
    return number


def _date(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    try:
        return datetime.fromisoformat(str(value)).isoformat().removesuffix("T00:00:00")
    except ValueError:
        raise ValueError(f"{value!r} is no date: write it as 2026-05-01") from None


def _shown(value: Any) -> Any:
    """A value for the page."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, default=str)[:LONGEST]


def _typed(pandas: Any, column: Any, kind: str) -> Any:
    """A column as the first DataFrame had it; as objects where others have stored what does not fit."""
    try:
        if kind == "date":
            return pandas.to_datetime(column, format="ISO8601")
        if kind in ("integer", "number"):
            return pandas.to_numeric(column)
        if kind == "boolean" and not column.isna().any():
            return column.astype(bool)
    except (TypeError, ValueError):
        return column
    return column.infer_objects()
