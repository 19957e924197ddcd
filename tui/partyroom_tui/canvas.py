"""PixelCanvas: a board of pixels that several paint on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.color import Color
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from partyroom.client import Change, DocumentClient, KeyEdit

from .colours import colour_of, ink, name_of
from .pixels import halves, pixel_style, shade

__all__ = ["COLOURS", "PixelCanvas"]

COLOURS: Final = (
    "#f4f4f0",
    "#8b8b95",
    "#d6336c",
    "#e8590c",
    "#f2b807",
    "#2f9e44",
    "#22b8cf",
    "#1c7ed6",
    "#7950f2",
)
"""What the keys 1 to 9 paint with."""
PLACE: Final = re.compile(r"(\d{1,4}),(\d{1,4})")
HEX: Final = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
LEGEND: Final = 1
"""Rows below the board, for the colours."""


class PixelCanvas(ScrollView, can_focus=True):
    """The pixels in the map ``root`` of a ``client``'s document: ``"x,y"`` is a colour such as ``"#d6336c"``.

    A cell of the terminal is two pixels, one above the other. Drag to paint, with the right button to erase.
    """

    DEFAULT_CSS = """
    PixelCanvas { height: 1fr; background: $background; overflow: auto; scrollbar-size: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "move(0, -1)", ""),
        ("down", "move(0, 1)", ""),
        ("left", "move(-1, 0)", ""),
        ("right", "move(1, 0)", ""),
        ("space", "paint", "Paint"),
        ("0,backspace,delete", "pick(-1)", "Eraser"),
        *((str(number + 1), f"pick({number})", "") for number in range(len(COLOURS))),
    ]

    def __init__(
        self, client: DocumentClient, root: str = "board", *, width: int = 78, height: int = 44, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.client = client
        self.pixels = client.map(root)
        """The pixels themselves."""
        self.board = Size(width, height)
        """How many pixels there are, across and down."""
        self.at = Offset(width // 2, height // 2)
        """The pixel where the user is."""
        self.colour = 4
        """What is painted with, an index of ``COLOURS``; -1 is the eraser."""
        self._grid: dict[tuple[int, int], str] = {}
        self._others: dict[tuple[int, int], tuple[str, str]] = {}
        self._stroke = False
        self._unhear: list[Callable[[], None]] = []

    # -- the shared pixels -------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to look."""
        self.virtual_size = Size(self.board.width, (self.board.height + 1) // 2 + LEGEND)
        self._unhear = [
            self.pixels.on_change(lambda change: self.call_later(self._changed, change)),
            self.client.on_presence(lambda *changed: self.call_later(self._people_changed)),
        ]
        for key, value in self.pixels.copy().items():
            self._take(key, value)
        self._people_changed()

    def on_unmount(self) -> None:
        """Look no more."""
        for unhear in self._unhear:
            unhear()

    def paint(self, pixels: Iterable[Offset], colour: int | None = None) -> None:
        """Paint pixels with a colour, the chosen one unless given; those outside of the board are left out."""
        colour = self.colour if colour is None else colour
        inside = [
            f"{at.x},{at.y}" for at in pixels if at.x in range(self.board.width) and at.y in range(self.board.height)
        ]
        with self.client.batch():
            for key in inside:
                if colour < 0:
                    self.pixels.pop(key, None)
                elif self.pixels.get(key) != COLOURS[colour]:
                    self.pixels[key] = COLOURS[colour]

    def _changed(self, change: Change) -> None:
        rows = set()
        for edit in change.edits:
            if isinstance(edit, KeyEdit) and (at := self._take(edit.key, self.pixels.get(edit.key))) is not None:
                rows.add(at[1] // 2)
        self._repaint(rows)

    def _take(self, key: str, value: Any) -> tuple[int, int] | None:
        """Take in what a pixel is now; ``None`` for what is no pixel of this board."""
        found = PLACE.fullmatch(key)
        if found is None:
            return None
        at = int(found[1]), int(found[2])
        if isinstance(value, str) and HEX.fullmatch(value):
            self._grid[at] = value
        else:
            self._grid.pop(at, None)
        return at

    # -- people ------------------------------------------------------------------------------------------------------

    def _people_changed(self) -> None:
        before, self._others = self._others, {}
        for client, state in self.client.others.items():
            match state.get("board"):
                case [int(x), int(y)]:
                    self._others[(x, y)] = (colour_of(state, client).hex6, name_of(state))
        self._repaint({y // 2 for _, y in before.keys() ^ self._others.keys()})
        self._repaint({y // 2 for _, y in self._others})

    def _show(self) -> None:
        """Show the others where one is."""
        self.client.set_presence(board=[self.at.x, self.at.y] if self.has_focus else None)

    def watch_has_focus(self, focus: bool) -> None:
        """One is here, or elsewhere."""
        super().watch_has_focus(focus)
        self._show()
        self._repaint({self.at.y // 2, self._bottom})

    # -- keys and mouse ----------------------------------------------------------------------------------------------

    def go(self, at: Offset) -> None:
        """Be at a pixel, or at the one next to it on the board."""
        at = Offset(min(max(at.x, 0), self.board.width - 1), min(max(at.y, 0), self.board.height - 1))
        if at != self.at:
            before, self.at = self.at, at
            self._repaint({before.y // 2, at.y // 2})
            self.scroll_to_region(Region(at.x, at.y // 2, 1, 1), animate=False)
            self._show()

    def action_move(self, x: int, y: int) -> None:
        """Go to another pixel."""
        self.go(self.at + Offset(x, y))

    def action_paint(self) -> None:
        """Paint the pixel where one is, or erase it where it has that colour already."""
        same = self.colour >= 0 and self._grid.get((self.at.x, self.at.y)) == COLOURS[self.colour]
        self.paint([self.at], -1 if same else None)

    def action_pick(self, colour: int) -> None:
        """Choose what to paint with."""
        self.colour = colour
        self._repaint({self._bottom, self.at.y // 2})

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A stroke begins, or a colour is chosen."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y + self.scroll_offset.y >= self._bottom:
            chosen = (at.x + self.scroll_offset.x) // 3
            if chosen <= len(COLOURS):
                self.action_pick(chosen if chosen < len(COLOURS) else -1)
            return
        self.capture_mouse()
        self._stroke = True
        self.go(self._pixel(at))
        self.paint([self.at], -1 if event.button == 3 else None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The stroke goes on, without gaps where the mouse is fast."""
        if self._stroke and (at := event.get_content_offset(self) or event.offset) is not None:
            begin = self.at
            self.go(self._pixel(at))
            self.paint(_line(begin, self.at), -1 if event.button == 3 else None)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The stroke ends."""
        self._stroke = False
        self.release_mouse()

    def _pixel(self, at: Offset) -> Offset:
        """The pixel at a place on the screen: the upper one of its cell, unless one was in its lower one."""
        cell = at + self.scroll_offset
        return Offset(cell.x, cell.y * 2 + (self.at.y % 2 if self.at.y // 2 == cell.y else 0))

    # -- painting ----------------------------------------------------------------------------------------------------

    @property
    def _bottom(self) -> int:
        """The row of the colours."""
        return (self.board.height + 1) // 2

    def _repaint(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.refresh_lines(row, 1)

    def refresh_lines(self, y_start: int, line_count: int = 1) -> None:
        """Paint some rows anew."""
        self.refresh(Region(0, y_start - self.scroll_offset.y, self.size.width, line_count))

    def render_line(self, y: int) -> Strip:
        """Textual asks for a row of the screen."""
        row = y + self.scroll_offset.y
        left, right = self.scroll_offset.x, self.scroll_offset.x + self.size.width
        base = self.rich_style
        if row > self._bottom:
            return Strip.blank(self.size.width, base)
        strip = Strip(self._legend() if row == self._bottom else self._cells(row))
        return strip.crop_extend(left, right, base)

    def _cells(self, row: int) -> Iterator[Segment]:
        """The cells of a row: pixels, and where the people are."""
        ground = self.background_colors[1]
        blanks = shade(ground, 0.045), shade(ground, 0.07)
        pixels = []
        marks = {}
        for x in range(self.board.width):
            upper, lower, blank = (x, row * 2), (x, row * 2 + 1), blanks[(x // 2 + row) % 2]
            pixels.append((self._grid.get(upper, blank), self._grid.get(lower, blank)))
            if other := self._others.get(upper) or self._others.get(lower):
                marks[x] = _initial(*other)
        if self.has_focus and self.at.y // 2 == row:
            marks[self.at.x] = self._cursor(*pixels[self.at.x])
        begin = 0
        for x in sorted(marks):
            yield from halves(pixels[begin:x])
            yield marks[x]
            begin = x + 1
        yield from halves(pixels[begin:])

    def _cursor(self, upper: str, lower: str) -> Segment:
        """The pixel where the user is, blinking in the colour to paint with."""
        above = self.at.y % 2 == 0
        here, beside = (upper, lower) if above else (lower, upper)
        paint = COLOURS[self.colour] if self.colour >= 0 else here
        seen = paint if paint != here else ink(Color.parse(here)).hex6  # also where it is painted so already
        return Segment("▀" if above else "▄", pixel_style(seen, beside) + Style(blink=True, bold=True))

    def _legend(self) -> Iterator[Segment]:
        """The colours, each with its key."""
        for number, colour in enumerate((*COLOURS, "")):
            key = (number + 1) % 10
            chosen = number == (self.colour if self.colour >= 0 else len(COLOURS))
            mark = f"[{key}]" if chosen else f" {key} "
            if colour:
                dark = Color.parse(colour).brightness > 0.5
                yield Segment(mark, Style(color="#000000" if dark else "#ffffff", bgcolor=colour, bold=chosen))
            else:
                yield Segment(mark, self.rich_style + Style(bold=chosen))
        yield Segment(" eraser", self.rich_style + Style(dim=True))


def _initial(colour: str, name: str) -> Segment:
    """Where somebody is: the first letter of their name."""
    letter = name[:1] if cell_len(name[:1]) == 1 else "•"
    return Segment(letter, Style(color=Color.parse(colour).get_contrast_text(1.0).hex6, bgcolor=colour, bold=True))


def _line(begin: Offset, end: Offset) -> list[Offset]:
    """The pixels from one to another."""
    steps = max(abs(end.x - begin.x), abs(end.y - begin.y), 1)
    return [
        Offset(
            round(begin.x + (end.x - begin.x) * step / steps),
            round(begin.y + (end.y - begin.y) * step / steps),
        )
        for step in range(steps + 1)
    ]
