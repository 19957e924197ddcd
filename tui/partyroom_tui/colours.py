"""Colours: what people's names, carets and selections look like, readable on any theme.

``user`` in an awareness state is ``{"name", "color", "colorLight"}``, as y-codemirror.next and others have it. It comes
from strangers, so it is read with care. The palette is Okabe and Ito's, which people with any colour vision can tell
apart, without the black and the yellow, which not all themes can show; and nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

from rich.cells import cell_len, set_cell_size
from textual.color import Color, ColorParseError

__all__ = [
    "ANONYMOUS",
    "CONTRAST",
    "PALETTE",
    "apart",
    "colour_of",
    "contrast",
    "free",
    "ink",
    "name_of",
    "readable",
    "user",
]

PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f3c8d")
ANONYMOUS: Final = "Anonymous"
"""Whoever gives no name, as in y-codemirror.next."""
LONGEST: Final = 20
"""Cells of a name that is shown."""
CONTRAST: Final = 3.0
"""What WCAG 2.1 (1.4.11) asks of parts of a user interface beside what is around them."""


def user(name: str, color: str | None = None) -> dict[str, str]:
    """What to show the others: ``DocumentClient(..., user=user("Ada"))``. The same name has the same colour."""
    color = color or PALETTE[crc32(name.encode("utf-8", "replace")) % len(PALETTE)]
    return {"name": name, "color": color, "colorLight": color + "33"}


def free(taken: Iterable[Color]) -> str | None:
    """The first colour of the palette that is not ``taken``; ``None`` where all are."""
    taken = set(taken)
    return next((color for color in PALETTE if Color.parse(color) not in taken), None)


def name_of(state: dict[str, Any]) -> str:
    """The name in an awareness state, as it can be shown: in one line, without control characters, not too long."""
    shown = state.get("user")
    name = shown.get("name") if isinstance(shown, dict) else None
    clean = "".join(char if char.isprintable() else " " for char in name[:200]) if isinstance(name, str) else ""
    clean = " ".join(clean.split()) or ANONYMOUS
    return clean if cell_len(clean) <= LONGEST else set_cell_size(clean, LONGEST - 1).rstrip() + "…"


def colour_of(state: dict[str, Any], client: int) -> Color:
    """The colour in an awareness state; one of the palette for those who show none that is one."""
    shown = state.get("user")
    color = shown.get("color") if isinstance(shown, dict) else None
    if isinstance(color, str) and len(color) < 40:
        try:
            found = Color.parse(color)
        except ColorParseError:
            pass
        else:
            if found.ansi is None and found.a > 0:
                return found.with_alpha(1.0)
    return Color.parse(PALETTE[client % len(PALETTE)])


def readable(colour: Color, background: Color, least: float = CONTRAST) -> Color:
    """A colour moved towards white or black until it stands out from a background, with ``least`` contrast."""
    target = ink(background)
    for step in range(11):
        found = colour.blend(target, step / 10, alpha=1.0)
        if contrast(found, background) >= least:
            return found
    return target


def apart(colours: Iterable[Color]) -> list[Color]:
    """Colours that can be told from each other: instead of one that is like one before it, another of the palette."""
    found: list[Color] = []
    for colour in colours:
        free = (one for one in map(Color.parse, PALETTE) if not _is_like(one, found))
        found.append(next(free, ink(colour)) if _is_like(colour, found) else colour)
    return found


def _is_like(colour: Color, others: Iterable[Color]) -> bool:
    return any(sum(abs(one - two) for one, two in zip(colour.rgb, other.rgb, strict=True)) < 80 for other in others)


def ink(paper: Color) -> Color:
    """Black or white, whichever can be read on a colour."""
    return max(Color(0, 0, 0), Color(255, 255, 255), key=lambda colour: contrast(colour, paper))


def contrast(one: Color, other: Color) -> float:
    """WCAG's contrast ratio, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
