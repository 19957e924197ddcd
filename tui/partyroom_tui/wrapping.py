"""Wrapping: which rows of the screen the lines of a document take, kept up with each edit.

Textual's ``WrappedDocument`` numbers all rows below an edit anew. This one counts the rows of each line, in sums.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from textual._wrap import compute_wrap_offsets
from textual.document._document import Location
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Offset

from .document import LinesDocument, Splice
from .graphemes import ceiling, cells, column_at, floor, tabs
from .sums import Sums

__all__ = ["Wrapping"]

_WHOLE: Final[list[int]] = []
"""The cuts of a line that is not cut; most lines share it."""


class _Rows(Sequence[tuple[int, int]]):
    """The line of each row of the screen, and which part of the line that is: what Textual's drawing looks up."""

    def __init__(self, heights: Sums) -> None:
        self._heights = heights

    def __len__(self) -> int:
        return self._heights.total

    def __getitem__(self, index: int) -> tuple[int, int]:  # type: ignore[override]  # nobody asks for slices
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"no row {index} of {len(self)}")
        return self._heights.find(index)


class Wrapping(WrappedDocument):
    """A document wrapped at a width of cells; at 0 it is not, and then the widest line counts."""

    document: LinesDocument

    def __init__(self, document: LinesDocument, width: int = 0, tab_width: int = 4) -> None:
        self._cuts: list[list[int]] = []
        self._heights = Sums()
        self._widths: list[int] = []
        self._counts: Counter[int] = Counter()
        super().__init__(document, width, tab_width)

    # -- in step with the document -----------------------------------------------------------------------------------

    def wrap(self, width: int, tab_width: int | None = None) -> None:
        """Wrap all lines anew."""
        self._width = width
        self._tab_width = tab_width or self._tab_width
        self._cuts = [self._wrapped(line) for line in self.document.lines]
        self._heights = Sums(len(cuts) + 1 for cuts in self._cuts)
        self._widths = [] if width else [cells(line, self._tab_width) for line in self.document.lines]
        self._counts = Counter(self._widths)
        self._offset_to_line_info = _Rows(self._heights)  # type: ignore[assignment]  # read like a list, never changed

    def splice(self, change: Splice) -> bool:
        """Wrap the lines that a change of the document has touched; returns whether anything below them moves."""
        first, last = change.row, change.row + len(change.gone)
        lines = self.document.lines[first : first + change.new]
        cuts = [self._wrapped(line) for line in lines]
        heights = [len(cut) + 1 for cut in cuts]
        before = self._heights.total
        self._cuts[first:last] = cuts
        self._heights.splice(first, last, heights)
        if not self._width:
            self._counts.subtract(self._widths[first:last])
            widths = [cells(line, self._tab_width) for line in lines]
            self._counts.update(widths)
            self._widths[first:last] = widths
        return self._heights.total != before or change.shift != 0

    def wrap_range(self, start: Location, old_end: Location, new_end: Location) -> None:
        """Wrap lines after an edit by locations."""
        first, last = sorted((start[0], old_end[0]))
        self.splice(Splice(first, [""] * (last + 1 - first), max(start[0], new_end[0]) + 1 - first))

    def _wrapped(self, line: str) -> list[int]:
        width = self._width
        if not width or (len(line) <= width and line.isascii() and "\t" not in line):
            return _WHOLE
        cuts = compute_wrap_offsets(line, width, self._tab_width)
        if not line.isascii():
            cuts = sorted({floor(line, cut) for cut in cuts} - {0})
        return cuts or _WHOLE

    # -- measures ----------------------------------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """How many rows all lines take."""
        return self._heights.total

    @property
    def widest(self) -> int:
        """The cells of the widest line, where lines are not wrapped."""
        if self._counts and not all(self._counts.values()):
            self._counts = +self._counts
        return max(self._counts, default=0)

    @property
    def wrapped(self) -> bool:
        """Whether any line takes more than a row."""
        return self.height > len(self._cuts)

    @property
    def lines(self) -> list[list[str]]:
        """All lines, each as its parts."""
        return [self.get_sections(row) for row in range(len(self._cuts))]

    def line_at(self, y: int) -> tuple[int, int]:
        """The line in a row of the screen, and which part of it; the last one below the end."""
        return self._heights.find(min(max(y, 0), self.height - 1))

    def cells(self, y: int) -> int:
        """How wide the part of a line is that is in a row of the screen."""
        row, number = self.line_at(y)
        start, stop = self.part(row, number)
        return self._between(row, start, stop)

    def _between(self, row: int, start: int, stop: int) -> int:
        line = self.document[row]
        if start and "\t" in line:
            return cells(line[:stop], self._tab_width) - cells(line[:start], self._tab_width)
        return cells(line[start:stop], self._tab_width)

    def rows(self, first: int, last: int) -> tuple[int, int]:
        """The rows of the screen that the lines from ``first`` to before ``last`` take: where they begin and end."""
        top = self._heights.before(first)
        return top, top + sum(len(cuts) + 1 for cuts in self._cuts[first:last])

    def get_offsets(self, line_index: int) -> list[int]:
        """Where a line is cut. Raises ``ValueError`` for a line that is not there."""
        if not 0 <= line_index < len(self._cuts):
            raise ValueError(f"no line {line_index} of {len(self._cuts)}")
        return self._cuts[line_index]

    def get_sections(self, line_index: int) -> list[str]:
        """The parts of a line, each of which takes a row."""
        line = self.document[line_index]
        cuts = [0, *self._cuts[line_index], len(line)]
        return [line[start:end] for start, end in pairwise(cuts)]

    def get_tab_widths(self, line_index: int) -> list[int]:
        """How wide each tab of a line is shown."""
        return tabs(self.document[line_index], self._tab_width)

    def part(self, line_index: int, number: int) -> tuple[int, int]:
        """The columns from which, and to which, a part of a line goes; -1 is the last."""
        cuts = [0, *self._cuts[line_index], len(self.document[line_index])]
        number %= len(cuts) - 1
        return cuts[number], cuts[number + 1]

    def window(self, line_index: int, number: int, left: int, width: int) -> tuple[int, int, int]:
        """What is seen of a part of a line from the cell ``left`` on: cells of a character that is cut, and columns."""
        start, stop = self.part(line_index, number)
        if self._width:
            return 0, start, stop
        line = self.document[line_index]
        first = column_at(line, start, stop, left, self._tab_width)
        last = column_at(line, start, stop, left + width, self._tab_width)
        at = self._between(line_index, start, first)
        if at >= left or first == stop:
            return 0, first, last
        first = ceiling(line, first + 1)
        return self._between(line_index, start, first) - left, first, max(first, last)

    def get_target_document_column(self, line_index: int, x_offset: int, y_offset: int) -> int:
        """The column at a place in a part of a line: within it, but after the last part also at its end."""
        start, end = self.part(line_index, y_offset)
        line = self.document[line_index]
        column = column_at(line, start, end, x_offset, self._tab_width)
        return column if end == len(line) or column < end else floor(line, end - 1)

    # -- locations and offsets on the screen -------------------------------------------------------------------------

    def location_to_offset(self, location: Location) -> Offset:
        """Where a location is on the screen: cells from the left, rows from the top of the document."""
        row = min(max(location[0], 0), len(self._cuts) - 1)
        cuts = self._cuts[row]
        part = bisect_right(cuts, location[1])
        start = cuts[part - 1] if part else 0
        return Offset(self._between(row, start, location[1]), self._heights.before(row) + part)

    def offset_to_location(self, offset: Offset) -> Location:
        """The location at, or nearest to, a place on the screen."""
        x, y = max(offset[0], 0), max(offset[1], 0)
        row, part = self.line_at(y)
        return row, self.get_target_document_column(row, x, part)
