"""Pixels: two of them in each cell of the terminal, one above the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

__all__ = ["halves", "pixel_style", "shade"]


@lru_cache(4096)
def pixel_style(upper: str, lower: str) -> Style:
    """The style of a half block with these two colours (``#rrggbb``)."""
    return Style(color=upper, bgcolor=lower)


def halves(pixels: Iterable[tuple[str, str]]) -> Iterator[Segment]:
    """The segments of a row of cells, of which each is an upper and a lower colour; equal neighbours are one."""
    for (upper, lower), run in groupby(pixels):
        yield Segment(("▀" if upper != lower else " ") * sum(1 for _ in run), pixel_style(upper, lower))


@lru_cache(64)
def shade(ground: Color, light: float) -> str:
    """A colour a little lighter than a dark ground, or a little darker than a light one."""
    ink = Color(255, 255, 255) if ground.brightness < 0.5 else Color(0, 0, 0)
    return ground.blend(ink, light, alpha=1.0).hex6
