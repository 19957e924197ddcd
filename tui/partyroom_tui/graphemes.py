"""Graphemes: what people see as one character (a letter with its accents, an emoji made of several), never to be cut.

A cursor within one, or a style that begins there, would tear it apart on the screen. What belongs together is what
``rich`` measures together, so that widths add up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache

from rich.cells import cell_len, split_graphemes

__all__ = ["ceiling", "cells", "column_at", "floor", "tabs"]


@lru_cache(512)
def _spans(line: str) -> list[tuple[int, int, int]]:
    """Where each grapheme begins and ends, and how wide it is; a tab is one, of no width of its own."""
    spans: list[tuple[int, int, int]] = []
    at = 0
    for number, part in enumerate(line.split("\t")):
        if number:
            spans.append((at - 1, at, 0))
        spans += [(at + start, at + end, width) for start, end, width in split_graphemes(part)[0]]
        at += len(part) + 1
    return spans


@lru_cache(512)
def _cuts(line: str) -> list[int]:
    return [start for start, _, _ in _spans(line)] + [len(line)]


def floor(line: str, column: int) -> int:
    """The nearest column at or before this one that is not within a grapheme."""
    if column <= 0 or column >= len(line) or line.isascii():
        return max(0, min(column, len(line)))
    cuts = _cuts(line)
    return cuts[bisect_right(cuts, column) - 1]


def ceiling(line: str, column: int) -> int:
    """The nearest column at or after this one that is not within a grapheme."""
    if column <= 0 or column >= len(line) or line.isascii():
        return max(0, min(column, len(line)))
    cuts = _cuts(line)
    return cuts[bisect_left(cuts, column)]


def cells(line: str, tab_width: int) -> int:
    """How wide a line is shown."""
    if "\t" not in line:
        return len(line) if line.isascii() else cell_len(line)
    return sum(len(part) if part.isascii() else cell_len(part) for part in line.split("\t")) + sum(
        tabs(line, tab_width)
    )


def tabs(line: str, tab_width: int) -> list[int]:
    """How wide each tab of a line is shown."""
    found, at = [], 0
    for part in line.split("\t")[:-1]:
        at += cell_len(part)
        found.append(tab_width - at % tab_width)
        at += found[-1]
    return found


def column_at(line: str, start: int, stop: int, offset: int, tab_width: int) -> int:
    """The column of the grapheme that is shown ``offset`` cells from column ``start``; beyond ``stop``, that."""
    part = line[start:stop]
    if part.isascii() and "\t" not in part:
        return min(start + max(offset, 0), stop)
    widths = iter(tabs(line, tab_width)[line.count("\t", 0, start) :])
    at = 0
    for first, _, width in _spans(part):
        at += next(widths) if part[first] == "\t" else width
        if at > offset:
            return start + first
    return stop
