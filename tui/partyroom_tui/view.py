"""View: what must stay for the user while the text changes: the selection, and what is at the top of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.document._document import Selection

from partyroom.client import SpanEdit

from .document import LinesDocument, Splice
from .moves import moved

if TYPE_CHECKING:
    from .editor import Editor

__all__ = ["View"]


class View:
    """The view of a text area before some edits, which it then follows."""

    def __init__(self, area: Editor) -> None:
        document, wrapping = area.document, area.wrapped_document
        self._start, self._end = map(document.get_index_from_location, area.selection)
        self._scroll = area.scroll_offset.y
        row, number = wrapping.line_at(self._scroll)
        self._top = document.get_index_from_location((row, wrapping.part(row, number)[0]))
        height = area.scrollable_content_region.height
        self.saw_cursor = 0 <= wrapping.location_to_offset(area.selection.end).y - self._scroll < height
        """Whether the cursor was on the screen."""
        self.rows: set[int] = set()
        """The lines that look different."""
        self.top_row: int | None = None
        """The line from which on all do."""

    def follow(self, edit: SpanEdit, splice: Splice, *, moves: bool) -> None:
        """An edit has been made; ``moves`` is whether what is below it is elsewhere now."""
        is_caret = self._start == self._end
        forward = self._start < self._end
        self._start = moved(self._start, edit, right=forward and not is_caret)
        self._end = moved(self._end, edit, right=not forward and not is_caret)
        self._top = moved(self._top, edit, right=True)
        if moves:
            self.top_row = min(splice.row, splice.row if self.top_row is None else self.top_row)
        else:
            self.rows.update(range(splice.row, splice.row + splice.new))

    def shift(self, edit: SpanEdit) -> None:
        """An edit of the program's own, behind which the selection moves."""
        self._start, self._end = (moved(index, edit, right=True) for index in (self._start, self._end))

    def selection(self, document: LinesDocument) -> Selection:
        """The selection now, in the direction that it had."""
        return Selection(*map(document.get_location_from_index, (self._start, self._end)))

    def scroll(self, area: Editor) -> int:
        """The row that is at the top of the screen now."""
        if self._scroll == 0:
            return 0
        return area.wrapped_document.location_to_offset(area.document.get_location_from_index(self._top)).y
