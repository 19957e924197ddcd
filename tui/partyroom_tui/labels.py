"""Labels: the names of the others, beside their carets, where they cover no text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from textual.color import Color
from textual.geometry import Offset

__all__ = ["Caret", "Label", "placed"]


@dataclass(frozen=True, slots=True)
class Caret:
    """A caret at a place on the screen: cells from the left of the text, rows from the top of it."""

    at: Offset
    name: str
    colour: Color


@dataclass(frozen=True, slots=True)
class Label:
    """A name to be drawn from ``x`` on in some row."""

    x: int
    name: str
    colour: Color

    @property
    def end(self) -> int:
        """The cell after it."""
        return self.x + width(self.name)


def width(name: str) -> int:
    """How many cells the label of a name takes."""
    return cell_len(name) + 2


def placed(
    carets: Iterable[Caret], extent: Callable[[int], int | None], left: int, right: int
) -> dict[int, list[Label]]:
    """A label for each caret that has room for one, by row: at the end of its line, or else above it, or below.

    ``extent`` says how many cells of a row are taken, ``None`` for what is no row; ``left`` and ``right`` are the cells
    between which something is seen.
    """
    rows: dict[int, list[Label]] = {}
    for caret in sorted(carets, key=lambda caret: (caret.at.y, caret.at.x, caret.name)):
        for y, x in ((caret.at.y, 0), (caret.at.y - 1, caret.at.x), (caret.at.y + 1, caret.at.x)):
            taken = extent(y)
            if taken is None:
                continue
            others = rows.setdefault(y, [])
            at_end = y == caret.at.y
            start = max([taken + 1, left, *(label.end + 1 for label in others)] if at_end else [x])
            label = Label(start, caret.name, caret.colour)
            free = start > taken and all(label.end < other.x or other.end < start for other in others)
            if free and left <= start and label.end <= right:
                others.append(label)
                break
    return rows
