"""Editor: a text area whose text is a ``LinesDocument``, which paints what has changed and no more.

Textual's ``TextArea`` does, at every key, some things of which the cost grows with the document: it numbers the rows of
the screen anew, asks for the highlights of the whole text, joins it to see whether it is empty, and paints all that is
on the screen. This one keeps its keys, its mouse, its actions and its themes, and does those things otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, TypedDict, Unpack

from textual._text_area_theme import TextAreaTheme
from textual._tree_sitter import TREE_SITTER, get_language
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.content import Content
from textual.document._document import Location, Selection
from textual.geometry import Region, Size
from textual.reactive import Reactive, reactive
from textual.strip import Strip
from textual.timer import Timer
from textual.widgets import TextArea
from textual.widgets.text_area import LanguageDoesNotExist

from partyroom.client import SpanEdit

from .brackets import matching
from .cursors import Cursor
from .document import LinesDocument
from .labels import Label
from .navigation import GraphemeNavigator
from .painting import Painter
from .syntax import LONGEST, Syntax
from .view import View
from .wrapping import Wrapping

__all__ = ["Editor", "TextAreaOptions"]

COLOUR_AFTER: Final = 0.15
"""Seconds from a key to the colours of what it has changed, where finding them takes long."""
WIDENS: Final = 32
"""Cells by which what can be scrolled to grows with a line that becomes the widest, so that not each key moves it."""


class TextAreaOptions(TypedDict, total=False):
    """Options that are Textual's own, as ``TextArea`` takes them."""

    language: str | None
    theme: str
    soft_wrap: bool
    tab_behavior: Any
    read_only: bool
    show_cursor: bool
    show_line_numbers: bool
    line_number_start: int
    name: str | None
    id: str | None
    classes: str | None
    disabled: bool
    tooltip: Any
    compact: bool
    highlight_cursor_line: bool
    placeholder: str | Content


class Editor(TextArea):
    """An editor of a text that is elsewhere: ``take_in`` follows what becomes of that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+home", "document_start", show=False),
        Binding("ctrl+end", "document_end", show=False),
        Binding("ctrl+shift+home", "document_start(True)", show=False),
        Binding("ctrl+shift+end", "document_end(True)", show=False),
    ]

    selection: Reactive[Selection] = reactive(Selection(), init=False, always_update=True, repaint=False)
    virtual_size: Reactive[Size] = reactive(Size(0, 0), repaint=False)  # lays out the screen only where it must

    document: LinesDocument
    wrapped_document: Wrapping

    def __init__(self, **options: Unpack[TextAreaOptions]) -> None:
        self.syntax: Syntax | None = None
        """The highlights, where there is a language."""
        self._painter = Painter(self)
        self._colouring: Timer | None = None
        self._styled: TextAreaTheme | None = None
        super().__init__("", **options)

    def action_document_start(self, select: bool = False) -> None:
        """Go to the beginning of the text, which Textual has no key for."""
        self.move_cursor(self.document.start, select=select)

    def action_document_end(self, select: bool = False) -> None:
        """Go to the end of the text."""
        self.move_cursor(self.document.end, select=select)

    # -- the text ----------------------------------------------------------------------------------------------------

    def _set_document(self, text: str, language: str | None) -> None:
        self.document = LinesDocument(text)
        self.wrapped_document = Wrapping(self.document, self.wrap_width, self.indent_width)
        self.navigator = GraphemeNavigator(self.wrapped_document)
        self.syntax = self._parsed(language)
        self.set_reactive(Editor.selection, self._validate_selection(self.selection))
        self._refresh_size()
        self.refresh()

    def _watch_language(self, language: str | None) -> None:
        self.syntax = self._parsed(language)
        self.refresh()

    def _parsed(self, language: str | None) -> Syntax | None:
        if not language or len(self.document) > LONGEST or not TREE_SITTER:
            return None
        own = self._languages.get(language)
        grammar = (own and own.language) or get_language(language)
        if grammar is None:
            raise LanguageDoesNotExist(f"no tree-sitter grammar for {language!r}: install tree-sitter-{language}")
        query = own.highlight_query if own else self._get_builtin_highlight_query(language)
        return Syntax(self.document, grammar, query)

    @property
    def is_syntax_aware(self) -> bool:
        """Whether code is coloured."""
        return self.syntax is not None

    def take_in(self, edits: Sequence[SpanEdit]) -> None:
        """Show the text after these edits. What is in view stays there, and the selection moves with its ends."""
        view, gutter = View(self), self.gutter_width
        for edit in edits:
            splice = self.document.splice(edit.index, edit.index + len(edit.deleted), edit.inserted)
            view.follow(edit, splice, moves=self.wrapped_document.splice(splice))
            if self.syntax is not None:
                self.syntax.splice(splice)
        if gutter != self.gutter_width:
            self.wrapped_document.wrap(self.wrap_width, self.indent_width)
            view.top_row = 0
        self._refresh_size()
        if self.syntax is not None:
            if self.syntax.is_quick:
                view.rows.update(self.syntax.catch_up())
            elif self._colouring is None:
                self._colouring = self.set_timer(COLOUR_AFTER, self._colour)
        self._settle(view)
        self.post_message(self.Changed(self))

    def _colour(self) -> None:
        self._colouring = None
        if self.syntax is not None:
            self.refresh_rows(*(range(row, row + 1) for row in self.syntax.catch_up()))

    def _settle(self, view: View) -> None:
        """Put selection and scroll position where they belong after a change, and paint what it has touched."""
        before, selection = self.selection, view.selection(self.document)
        self.set_reactive(Editor.selection, selection)
        if (y := view.scroll(self)) != self.scroll_offset.y:
            self.scroll_to(y=y, animate=False, force=True)
        self._cursor_offset = self.wrapped_document.location_to_offset(selection.end)
        if view.saw_cursor and not self.sees(self._cursor_offset[1]):
            self.scroll_cursor_visible()
        self._find_bracket()
        if view.top_row is not None:
            y = self.wrapped_document.rows(view.top_row, view.top_row)[0]
            self.refresh_lines(max(y, self.scroll_offset.y), self.size.height)
        self.refresh_rows(*(range(row, row + 1) for row in view.rows), _rows(before), _rows(selection))
        self.app.cursor_position = self.cursor_screen_offset
        if before != selection:
            self.post_message(self.SelectionChanged(selection, self))

    # -- the cursor --------------------------------------------------------------------------------------------------

    def _watch_selection(self, previous_selection: Selection, selection: Selection) -> None:
        """The user has moved the cursor or selected something."""
        if not self.is_mounted:
            return
        self.app.clear_selection()
        self.scroll_cursor_visible()
        self._find_bracket()
        self.refresh_rows(*_changed_rows(previous_selection, selection))
        self.app.cursor_position = self.cursor_screen_offset
        if previous_selection != selection:
            self.post_message(self.SelectionChanged(selection, self))

    def _find_bracket(self) -> None:
        before = self._matching_bracket_location
        at = self.selection.end
        after = matching(self.document.lines, at) if self.selection.is_empty and self.match_cursor_bracket else None
        self._matching_bracket_location = after
        self.refresh_rows(
            *(range(place[0], place[0] + 1) for place in (before, after, at) if place and before != after)
        )

    def find_matching_bracket(self, bracket: str, search_from: Location) -> Location | None:
        """The partner of the bracket at a location, if it is within some hundred lines."""
        return matching(self.document.lines, search_from)

    # -- what others may add -----------------------------------------------------------------------------------------

    def cursors_on(self, row: int) -> list[Cursor]:
        """Whose cursors and selections are painted in a line."""
        return []

    def labels(self, y: int) -> tuple[Label, ...]:
        """The names that stand in a row of the document."""
        return ()

    # -- painting ----------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual asks for some rows."""
        if self._styled is not self._theme:
            self._styled = self._theme
            self._theme.apply_css(self)
        return super(TextArea, self).render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Textual asks for a row."""
        return super().render_line(y) if self.placeholder and not len(self.document) else self._painter.strip(y)

    def notify_style_update(self) -> None:
        """Textual has other styles."""
        self._styled = None
        self._painter.clear()
        super().notify_style_update()

    def _rewrap_and_refresh_virtual_size(self) -> None:
        """Wrap all lines anew: the width that they have has changed, or that of their tabs."""
        self.wrapped_document.wrap(self.wrap_width, self.indent_width)
        self._refresh_size()
        self.refresh()

    def _refresh_size(self) -> None:
        """Tell Textual how large the text is, if that has changed."""
        width = 0 if self.soft_wrap else self.wrapped_document.widest + self.gutter_width + 1
        width = 0 if width <= self.container_size.width else -(-width // WIDENS) * WIDENS
        size = Size(width, self.wrapped_document.height)
        if size == self.virtual_size:
            return
        self.virtual_size = size
        self._refresh_scrollbars()
        self._scroll_update(size)
        if self.styles.auto_dimensions:
            self.refresh(layout=True)

    def refresh_rows(self, *rows: range) -> None:
        """Paint these lines anew, as far as they are seen."""
        first = self.wrapped_document.line_at(self.scroll_offset.y)[0]
        for some in rows:
            lines = range(max(some.start, first), min(some.stop, first + self.size.height, self.document.line_count))
            if lines:
                top, bottom = self.wrapped_document.rows(lines.start, lines.stop)
                self.refresh_lines(top, bottom - top)

    def sees(self, y: int) -> bool:
        """Whether a row of the document is on the screen."""
        return 0 <= y - self.scroll_offset.y < self.scrollable_content_region.height

    @property
    def text_width(self) -> int:
        """How many cells of a line are seen."""
        return max(self.scrollable_content_region.width - self.gutter_width, 0)

    @property
    def text_theme(self) -> TextAreaTheme:
        """The styles in use."""
        return self._theme

    @property
    def text_background(self) -> Color:
        """What is behind the text."""
        base = self._theme.base_style
        if base is None or base.bgcolor is None or base.bgcolor.is_default:
            return Color.parse("#000000" if self.app.current_theme.dark else "#ffffff")
        return Color.from_rich_color(base.bgcolor, self.app.ansi_theme)

    @property
    def has_cursor(self) -> bool:
        """Whether there is a cursor of the user's."""
        return self._has_cursor

    @property
    def draws_cursor(self) -> bool:
        """Whether it is seen in this moment of its blinking."""
        return self._draw_cursor

    def brackets(self, row: int) -> list[int]:
        """The columns of a line in which the bracket at the cursor is, and its partner."""
        partner = self._matching_bracket_location
        if partner is None or not self.has_cursor:
            return []
        return [column for line, column in (partner, self.selection.end) if line == row]


def _rows(selection: Selection) -> range:
    first, last = sorted(selection)
    return range(first[0], last[0] + 1)


def _changed_rows(before: Selection, after: Selection) -> list[range]:
    """The lines that look different when one selection becomes the other."""
    if before.start == after.start:
        return [_rows(Selection(before.end, after.end))]
    return [_rows(before), _rows(after)]
