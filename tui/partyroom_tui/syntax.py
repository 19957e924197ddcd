"""Syntax: the colours of code, for the lines that are on the screen.

Textual's text area asks the whole syntax tree for all highlights after every key. Here the tree is asked for some lines
when they are drawn, and tree-sitter says which others an edit has changed. Where parsing takes long, as in a file of
50,000 lines, it is done when the key has been painted, in the colours that it met.

The tree is of what is *shown*: each line followed by ``\\n``, whatever its line end is, so that rows are the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from .document import LinesDocument, Splice
from .sums import Sums

if TYPE_CHECKING:
    from tree_sitter import Language, Query

__all__ = ["Highlight", "Syntax"]

Highlight = tuple[int, int | None, str]
"""A start and an end in bytes of the line, ``None`` for all of the rest, and the name that a theme has a style for."""

QUICK: Final = 0.002
"""Seconds."""
AHEAD: Final = 32
"""Lines that are asked for together."""
LONGEST: Final = 5_000_000
"""Code points up to which a text is parsed: some seconds for a file that is opened, of which none is typed by hand."""


class Syntax:
    """The highlights of a document in a ``language``, as ``query`` names them."""

    def __init__(self, document: LinesDocument, language: Language, query: str) -> None:
        from tree_sitter import Parser, Query

        self._document = document
        self._query: Query = Query(language, query)
        self._parser = Parser(language)
        self._bytes = Sums(_size(line) for line in document.lines)
        self._rows: dict[int, tuple[Highlight, ...]] = {}
        self._guessed: set[int] = set()
        self.behind = False
        """Whether there is something to catch up with."""
        self.is_quick = True
        """Whether catching up took so little, the last time, that it need not wait until something has been painted."""
        whole = "\n".join([*document.lines, ""]).encode()
        self._tree: Any = self._parser.parse(whole)

    def splice(self, change: Splice) -> None:
        """Move the highlights with a change of the document. What they are in it, ``catch_up`` finds out."""
        first, lines = change.row, self._document.lines[change.row : change.row + change.new]
        begin = self._bytes.before(first)
        start, old, new = _difference(change.gone, lines)
        self._bytes.splice(first, first + len(change.gone), [_size(line) for line in lines])
        self._tree.edit(
            start_byte=begin + start[1],
            old_end_byte=begin + old[1],
            new_end_byte=begin + new[1],
            start_point=(first + start[0], start[2]),
            old_end_point=(first + old[0], old[2]),
            new_end_point=(first + new[0], new[2]),
        )
        self.behind = True
        if change.shift:
            self._rows = {row: found for row, found in self._rows.items() if row < first}
        for row in range(first, first + change.new):
            self._rows.pop(row, None)

    def catch_up(self) -> set[int]:
        """Parse what has changed; returns the lines that look different by that, of those that were drawn."""
        if not self.behind:
            return set()
        began = perf_counter()
        tree = self._parser.parse(_reader(self._document), self._tree)
        changed = self._tree.changed_ranges(tree)
        self._tree, self.behind = tree, False
        self.is_quick = perf_counter() - began < QUICK
        seen = {row for part in changed for row in self._rows if part.start_point[0] <= row <= part.end_point[0]}
        seen |= self._guessed
        for row in seen:
            self._rows.pop(row, None)
        self._guessed = set()
        return seen

    def row(self, row: int) -> tuple[Highlight, ...]:
        """The highlights of a line: the inner over the outer, and later patterns of the query over earlier ones."""
        if row not in self._rows:
            self._ask(row, min(row + AHEAD, self._document.line_count))
        return self._rows[row]

    def forget(self) -> None:
        """Ask the tree again, for all lines."""
        self._rows.clear()

    def _ask(self, first: int, last: int) -> None:
        """Ask the tree for the lines from ``first`` to before ``last``, or to the first that is known."""
        from tree_sitter import QueryCursor

        last = next((row for row in range(first + 1, last) if row in self._rows), last)
        rows: dict[int, dict[Highlight, None]] = {row: {} for row in range(first, last)}
        cursor = QueryCursor(self._query)
        cursor.set_point_range((first, 0), (last, 0))
        found = {
            (node.start_byte, -node.end_byte, pattern, name): (node.start_point, node.end_point)
            for pattern, captured in cursor.matches(self._tree.root_node)
            for name, nodes in captured.items()
            for node in nodes
        }
        for (*_, name), ((top, left), (bottom, right)) in sorted(found.items()):
            for row in range(max(top, first), min(bottom, last - 1) + 1):
                start, end = left if row == top else 0, right if row == bottom else None
                if start != end:
                    rows[row][start, end, name] = None
        if len(self._rows) > 64 * AHEAD:
            self.forget()
        if self.behind:
            self._guessed.update(rows)
        self._rows.update((row, tuple(found)) for row, found in rows.items())


def _reader(document: LinesDocument) -> Callable[[int, tuple[int, int]], bytes]:
    """What tree-sitter asks for the rest of a line; a tree holds it, where no garbage is collected."""

    def read(offset: int, point: tuple[int, int]) -> bytes:
        row, column = point
        return document.lines[row].encode()[column:] + b"\n" if row < document.line_count else b""

    return read


def _size(line: str) -> int:
    return (len(line) if line.isascii() else len(line.encode())) + 1


def _difference(before: Sequence[str], after: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Where lines begin to differ, and where what differs ends in either: each as a row, a byte, a byte of the row."""
    old = "".join(line + "\n" for line in before).encode()
    new = "".join(line + "\n" for line in after).encode()
    shorter = min(len(old), len(new))
    start = _common(old, new, shorter)
    end = _common(old[::-1], new[::-1], shorter - start)
    return _point(old, start), _point(old, len(old) - end), _point(new, len(new) - end)


def _common(one: bytes, other: bytes, most: int) -> int:
    """How many of the first ``most`` bytes are the same."""
    return bisect_left(range(1, most + 1), True, key=lambda length: one[:length] != other[:length])


def _point(text: bytes, at: int) -> tuple[int, int, int]:
    head = text[:at]
    return head.count(b"\n"), at, at - (head.rfind(b"\n") + 1)
