"""LinesDocument: the text of a ``SharedTextArea``, with line ends of all kinds kept as they are.

Textual's own ``Document`` writes one kind of line end for all, and takes U+2028 and form feeds for line ends too, so
that its text is not the shared one. This one gives every text back as it was, finds the index of a location and the
location of an index without a walk over all lines, and changes as many lines as an edit touches.

Locations are Textual's: a row, and a column in code points. What Textual draws and measures (``lines``, ``[row]``) is
what can be shown of a line, character by character; ``text`` and ``get_text_range`` are exact.
"""

from __future__ import annotations

from typing import NamedTuple, overload

from textual.document._document import DocumentBase, EditResult, Location, Newline
from textual.geometry import Size

from .graphemes import cells
from .lines import ending, shown, split
from .sums import Sums

__all__ = ["LinesDocument", "Splice"]


class Splice(NamedTuple):
    """From ``row`` on, the lines ``gone`` (as they were shown) were replaced by so many that are ``new``."""

    row: int
    gone: list[str]
    new: int

    @property
    def shift(self) -> int:
        """How many rows further down is what comes after them."""
        return self.new - len(self.gone)


class LinesDocument(DocumentBase):
    """A text in lines. It changes through ``splice``, by indices, or ``replace_range``, by locations."""

    def __init__(self, text: str) -> None:
        self._full = split(text)
        self._shown = [shown(line) for line in self._full]
        self._lengths = Sums(map(len, self._full))
        self._text: str | None = text

    def __len__(self) -> int:
        """How many code points the text has."""
        return self._lengths.total

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The text, exactly. It is put together when it is asked for: not something to do at every key."""
        if self._text is None:
            self._text = "".join(self._full)
        return self._text

    @property
    def lines(self) -> list[str]:
        """The lines as they are shown, without their ends. Not to be changed."""
        return self._shown

    @property
    def newline(self) -> Newline:
        """The line end of the first line, which a new text has as ``\\n``."""
        return self.newline_at(0)

    def newline_at(self, row: int) -> Newline:
        """The line end that a new line at this row should have: as this line's, or as the one's above it."""
        for line in self._full[row], self._full[row - 1] if row else "":
            match ending(line):
                case "\n" | "\r\n" | "\r" as found:
                    return found
        return "\n"

    @property
    def line_count(self) -> int:
        """How many lines there are, at least one."""
        return len(self._full)

    @property
    def start(self) -> Location:
        """The first location."""
        return 0, 0

    @property
    def end(self) -> Location:
        """The last location."""
        return len(self._full) - 1, len(self._shown[-1])

    @overload
    def __getitem__(self, line_index: int) -> str: ...

    @overload
    def __getitem__(self, line_index: slice) -> list[str]: ...

    def __getitem__(self, line_index: int | slice) -> str | list[str]:
        """A line, or some, as shown."""
        return self._shown[line_index]

    def get_line(self, index: int) -> str:
        """A line as shown."""
        return self._shown[index]

    def get_text_range(self, start: Location, end: Location) -> str:
        """The exact text between two locations, in either order."""
        first, last = sorted((self.get_index_from_location(start), self.get_index_from_location(end)))
        return self.slice(first, last)

    def slice(self, start: int, stop: int) -> str:
        """The exact text between two indices."""
        if start >= stop:
            return ""
        first, offset = self._lengths.find(start)
        last, _ = self._lengths.find(stop)
        return "".join(self._full[first : last + 1])[offset : offset + stop - start]

    def get_size(self, indent_width: int) -> Size:
        """The widest line's cells, and the number of lines. It looks at all of them: ``Wrapping`` keeps count."""
        return Size(max(cells(line, indent_width) for line in self._shown), len(self._shown))

    # -- indices and locations ---------------------------------------------------------------------------------------

    def get_index_from_location(self, location: Location) -> int:
        """The index in the text, in code points, of a location; of one that is nowhere, that of the nearest."""
        row, column = location
        if row < 0:
            return 0
        if row >= len(self._full):
            return len(self)
        return self._lengths.before(row) + min(max(column, 0), len(self._shown[row]))

    def get_location_from_index(self, index: int) -> Location:
        """The location of an index, which within ``\\r\\n`` is before it. Raises ``ValueError`` beyond the text."""
        if not 0 <= index <= len(self):
            raise ValueError(f"no index {index} in a text of {len(self)}")
        row, column = self._lengths.find(index)
        return row, min(column, len(self._shown[row]))

    # -- changing ----------------------------------------------------------------------------------------------------

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        """Put a text between two locations."""
        first, last = sorted((self.get_index_from_location(start), self.get_index_from_location(end)))
        gone = self.slice(first, last)
        self.splice(first, last, text)
        return EditResult(self.get_location_from_index(first + len(text)), gone)

    def splice(self, start: int, stop: int, text: str) -> Splice:
        """Put a text between two indices; returns which lines that changed."""
        first, before = self._lengths.find(start)
        last, after = self._lengths.find(stop)
        new = self._full[first][:before] + text + self._full[last][after:]
        if new[:1] == "\n" and first and self._full[first - 1].endswith("\r"):  # these two are one line end now
            first -= 1
            new = self._full[first] + new
        lines = split(new)
        if last < len(self._full) - 1:
            lines.pop()  # the empty one: a line follows
        gone = self._shown[first : last + 1]
        self._full[first : last + 1] = lines
        self._shown[first : last + 1] = [shown(line) for line in lines]
        self._lengths.splice(first, last + 1, list(map(len, lines)))
        self._text = None
        return Splice(first, gone, len(lines))
