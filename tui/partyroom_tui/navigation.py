"""Navigation: where the cursor goes; a grapheme at a time."""

from __future__ import annotations

from textual.document._document import Location
from textual.document._document_navigator import DocumentNavigator

from .graphemes import ceiling, floor

__all__ = ["GraphemeNavigator"]


class GraphemeNavigator(DocumentNavigator):
    """Textual's navigator, which would stop between an emoji and its skin tone."""

    def get_location_left(self, location: Location) -> Location:
        """One grapheme to the left."""
        row, column = super().get_location_left(location)
        return row, floor(self._document[row], column)

    def get_location_right(self, location: Location) -> Location:
        """One grapheme to the right."""
        row, column = super().get_location_right(location)
        return row, ceiling(self._document[row], column)

    def get_location_end(self, location: Location) -> Location:
        """The end of the line, or of the part of it that takes a row."""
        row, column = super().get_location_end(location)
        return row, floor(self._document[row], column)
