"""Lines: a text cut at its line ends as they are, and what of a line can be shown in a terminal.

A line ends with ``\\n``, ``\\r\\n`` or ``\\r``, as in browsers' editors; other separators (U+2028, form feeds) are
characters within a line. Nothing is converted: the lines with their ends are the text.
"""

from __future__ import annotations

import re
from typing import Final

from rich.cells import get_character_cell_size

__all__ = ["body", "ending", "shown", "split"]

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_VISIBLE: Final = {
    **{code: 0x2400 + code for code in range(0x20) if code != 0x09},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys(map(ord, _BIDI), 0xFFFD),
    0x2028: 0x2424,
    0x2029: 0x2424,
}
"""One visible character for each that would move the cursor, command the terminal, or turn the text around."""
_UNJOINED: Final = re.compile(r"(?<!\S)\u200d|\u200d(?![^\x00-\x7f])")
"""Joiners with nothing to join, which ``rich`` measures together with what comes next."""


def split(text: str) -> list[str]:
    """The lines with their ends; after a line end at the end of the text, an empty one."""
    lines = _LINE.findall(text) if "\r" in text else text.splitlines(keepends=True) if _plain(text) else _split(text)
    if not lines or lines[-1][-1:] in ("\n", "\r"):
        lines.append("")
    return lines


def _plain(text: str) -> bool:
    """Whether ``str.splitlines``, which is quick, finds the same line ends."""
    return text.isascii() and not any(other in text for other in "\v\f\x1c\x1d\x1e")


def _split(text: str) -> list[str]:
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def ending(line: str) -> str:
    """The line end of a line; empty for the last one of a text."""
    return "\r\n" if line.endswith("\r\n") else line[-1:] if line[-1:] in ("\n", "\r") else ""


def body(line: str) -> str:
    """A line without its end."""
    return line[: len(line) - len(ending(line))]


def shown(line: str) -> str:
    """A line's body as a terminal can show it, one character for one.

    What would harm is replaced by a symbol, and so is an accent at the beginning or after a tab, where it has nothing
    to stand on.
    """
    text = body(line)
    if text.isprintable() and (not text or get_character_cell_size(text[0])):
        return text
    text = _UNJOINED.sub("\u200c", text.translate(_VISIBLE))
    return "\t".join(map(_standing, text.split("\t")))


def _standing(part: str) -> str:
    return part if not part or get_character_cell_size(part[0]) else f"\u25cc{part[1:]}"
