"""Painting: a row of an ``Editor`` as a strip of the screen.

A row is a part of a line with spans of style over it, those that come later on top: syntax, what the others have
selected, what the user has, brackets, the others' carets and the user's own. Rows that look the same are painted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style
from textual._text_area_theme import TextAreaTheme
from textual.cache import LRUCache
from textual.color import Color
from textual.strip import Strip

from .colours import CONTRAST, contrast, ink, readable
from .graphemes import ceiling, floor, tabs
from .labels import Label

if TYPE_CHECKING:
    from .editor import Editor

__all__ = ["Painter"]

Span = tuple[int, int, Style]
"""From one column of the row to another."""
LEGIBLE: Final = 4.5
"""The contrast that WCAG 2.1 (1.4.3) asks of text, for what has less than ``CONTRAST``."""
TINT: Final = 0.3
"""How much of somebody's colour is behind what they have selected."""


class Painter:
    """Paints the rows of a text area."""

    def __init__(self, area: Editor) -> None:
        self._area = area
        self._strips: LRUCache[object, Strip] = LRUCache(1024)

    def clear(self) -> None:
        """Forget what has been painted: the styles have changed."""
        self._strips.clear()

    def strip(self, y: int) -> Strip:
        """The row ``y`` of the widget."""
        area = self._area
        wrapping, scroll = area.wrapped_document, area.scroll_offset
        theme = area.text_theme
        base = theme.base_style or area.rich_style
        if scroll.y + y >= wrapping.height:
            blank = Strip.blank(area.text_width, base)
            strip = _labelled(blank, area.labels(scroll.y + y), scroll.x, area.text_background)
            return Strip.join([Strip.blank(area.gutter_width, base), strip]).apply_style(base)
        row, number = wrapping.line_at(scroll.y + y)
        line = area.document[row]
        left, start, stop = wrapping.window(row, number, scroll.x, area.text_width)
        on_cursor_row = area.highlight_cursor_line and area.has_cursor and area.selection.end[0] == row
        fill = (theme.cursor_line_style if on_cursor_row else None) or Style()
        spans = tuple(self._spans(row, line, start, stop, theme))
        labels = area.labels(scroll.y + y)
        gutter = self._gutter(row, number, theme, on_cursor_row)
        widths = tuple(tabs(line, area.indent_width)[line.count("\t", 0, start) :]) if "\t" in line else ()
        text = " " * left + line[start:stop] + " " * (stop == len(line))
        key = (text, left, widths, spans, labels, fill, gutter, scroll.x, area.text_width, base)
        known = self._strips.get(key)
        if known is not None:
            return known
        strip = Strip(_segments(text, left, spans, fill, iter(widths))).adjust_cell_length(area.text_width, fill)
        strip = _labelled(strip, labels, scroll.x, area.text_background)
        if gutter is not None:
            strip = Strip.join([Strip([gutter]), strip])
        self._strips[key] = strip = strip.apply_style(base)
        return strip

    def _gutter(self, row: int, number: int, theme: TextAreaTheme, on_cursor_row: bool) -> Segment | None:
        area = self._area
        if not area.show_line_numbers:
            return None
        style = theme.cursor_line_gutter_style if on_cursor_row else theme.gutter_style
        text = str(row + area.line_number_start) if number == 0 else ""
        return Segment(f"{text:>{area.gutter_width - 2}}  ", style)

    def _spans(self, row: int, line: str, start: int, stop: int, theme: TextAreaTheme) -> Iterator[Span]:
        """What is in the columns from ``start`` to ``stop`` of a line, counted from ``start``; one more is its end."""
        last = stop == len(line)
        for first, end, style in self._layers(row, line, theme):
            first, end = (
                max(floor(line, first), start),
                min(ceiling(line, end) if end <= len(line) else end, stop + last),
            )
            if first < end:
                yield first - start, end - start, style

    def _layers(self, row: int, line: str, theme: TextAreaTheme) -> Iterator[Span]:
        area = self._area
        background = area.text_background
        if area.syntax is not None:
            for begin, end, name in area.syntax.row(row):
                if (style := theme.syntax_styles.get(name)) is not None:
                    style = _legible(style, background)
                    yield _column(line, begin), len(line) if end is None else _column(line, end), style
        cursors = area.cursors_on(row)
        for cursor in cursors:
            if cursor.anchor != cursor.head:
                yield *_within(row, line, *cursor.span), _tint(cursor.colour, background)
        if not area.selection.is_empty and theme.selection_style is not None:
            (top, bottom) = sorted(area.selection)
            if top[0] <= row <= bottom[0]:
                yield *_within(row, line, top, bottom), theme.selection_style
        if theme.bracket_matching_style is not None:
            for column in area.brackets(row):
                yield column, column + 1, theme.bracket_matching_style
        for cursor in cursors:
            if cursor.head[0] == row:
                yield cursor.head[1], _next(line, cursor.head[1]), _caret(cursor.colour, background)
        if area.selection.end[0] == row and area.draws_cursor and theme.cursor_style is not None:
            column = area.selection.end[1]
            yield column, _next(line, column), theme.cursor_style


def _next(line: str, column: int) -> int:
    return column + 1 if column >= len(line) else ceiling(line, column + 1)


def _within(row: int, line: str, top: tuple[int, int], bottom: tuple[int, int]) -> tuple[int, int]:
    """The columns of a line that lie between two locations; the line end is one more."""
    return top[1] if row == top[0] else 0, bottom[1] if row == bottom[0] else len(line) + 1


def _column(line: str, at: int) -> int:
    return at if line.isascii() else len(line.encode()[:at].decode(errors="ignore"))


def _segments(text: str, left: int, spans: tuple[Span, ...], fill: Style, widths: Iterator[int]) -> Iterator[Segment]:
    """The text cut where styles change, with tabs as wide as they are; spans count from the character ``left``."""
    ends = {left + at for span in spans for at in span[:2]}
    for start, end in pairwise(sorted({0, len(text)} | {at for at in ends if at < len(text)})):
        style = fill
        for first, last, over in spans:
            if first <= start - left < last:
                style += over
        part = text[start:end]
        if "\t" in part:
            part = "".join(" " * next(widths) if char == "\t" else char for char in part)
        yield Segment(part, style)


def _labelled(strip: Strip, labels: tuple[Label, ...], left: int, background: Color) -> Strip:
    """Names over a strip that begins at the cell ``left``."""
    for label in labels:
        start, end = label.x - left, label.end - left
        if start < 0 or end > strip.cell_length:
            continue  # it has just been scrolled there, and is about to be placed elsewhere
        name = Segment(f" {label.name} ", _flag(label.colour, background))
        strip = Strip.join([strip.crop(0, start), Strip([name], end - start), strip.crop(end)])
    return strip


@lru_cache(512)
def _legible(style: Style, background: Color) -> Style:
    """A theme's style for code, which was made for dark screens or for light ones, on either."""
    if style.color is None or style.bgcolor is not None:
        return style
    colour = Color.from_rich_color(style.color)
    if contrast(colour, background) >= CONTRAST:
        return style
    return style + Style(color=readable(colour, background, LEGIBLE).rich_color)


@lru_cache(256)
def _caret(colour: Color, background: Color) -> Style:
    """Underlined as well as coloured: the user's own cursor is not."""
    shown = readable(colour, background)
    return Style(color=ink(shown).rich_color, bgcolor=shown.rich_color, bold=True, underline=True)


@lru_cache(256)
def _tint(colour: Color, background: Color) -> Style:
    return Style(bgcolor=background.blend(colour, TINT, alpha=1.0).rich_color, underline=True)


@lru_cache(256)
def _flag(colour: Color, background: Color) -> Style:
    shown = readable(colour, background)
    return Style(color=ink(shown).rich_color, bgcolor=shown.rich_color, bold=True)
