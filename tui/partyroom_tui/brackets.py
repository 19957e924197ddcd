"""Brackets: which one belongs to the one at the cursor, looked for in some lines and not in a whole file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from textual.document._document import Location

__all__ = ["matching"]

PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
FARTHEST: Final = 300
"""Lines to look through, in either direction."""
_BRACKET: Final = re.compile(r"[()\[\]{}]")


def matching(lines: Sequence[str], at: Location) -> Location | None:
    """Where the partner of the bracket at a location is; ``None`` where there is none, or none of the same kind."""
    row, column = at
    bracket = lines[row][column : column + 1]
    opens = bracket in PAIRS
    if not bracket or not (opens or bracket in PAIRS.values()):
        return None
    opening = PAIRS.keys() if opens else PAIRS.values()
    partners = PAIRS if opens else {close: open for open, close in PAIRS.items()}
    stack: list[str] = []
    for char, location in _after(lines, at) if opens else _before(lines, at):
        if char in opening:
            stack.append(char)
        elif partners[stack.pop()] != char:
            return None
        elif not stack:
            return location
    return None


def _after(lines: Sequence[str], at: Location) -> Iterator[tuple[str, Location]]:
    for row in range(at[0], min(at[0] + FARTHEST, len(lines))):
        for found in _BRACKET.finditer(lines[row], at[1] if row == at[0] else 0):
            yield found[0], (row, found.start())


def _before(lines: Sequence[str], at: Location) -> Iterator[tuple[str, Location]]:
    for row in range(at[0], max(at[0] - FARTHEST, -1), -1):
        line = lines[row][: at[1] + 1] if row == at[0] else lines[row]
        for found in reversed(list(_BRACKET.finditer(line))):
            yield found[0], (row, found.start())
