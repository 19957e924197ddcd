"""Cursors: where the others are in a text, and telling them where this user is, as y-codemirror.next does.

An awareness state has ``cursor: {"anchor", "head"}``, Yjs' relative positions as JSON, and ``user`` (``colours``). A
selection goes from its anchor to its head, which is where the caret is, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.color import Color
from textual.document._document import Location

from partyroom.client import DocumentClient, PartyroomError, Position, SharedText

from .colours import colour_of, name_of

__all__ = ["Cursor", "Cursors", "shown_cursor"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Somebody's cursor, and what they have selected."""

    client: int
    name: str
    colour: Color
    anchor: Location
    head: Location

    @property
    def span(self) -> tuple[Location, Location]:
        """What is selected, from the top."""
        return min(self.anchor, self.head), max(self.anchor, self.head)

    @property
    def rows(self) -> range:
        """The lines that it touches."""
        (first, _), (last, _) = self.span
        return range(first, last + 1)


class Cursors:
    """The others' cursors in one text; ``locate`` gives the location of an index."""

    def __init__(self, client: DocumentClient, text: SharedText, locate: Callable[[int], Location]) -> None:
        self._client = client
        self._text = text
        self._locate = locate
        self._positions: dict[int, tuple[str, Color, Position, Position]] = {}
        self.found: dict[int, Cursor] = {}
        """Whose cursors can be placed now, by client id."""

    def read(self) -> None:
        """Look at what the others show now."""
        self._positions = {}
        for client, state in self._client.others.items():
            cursor = state.get("cursor")
            if not isinstance(cursor, dict):
                continue
            try:
                positions = Position.from_json(cursor.get("anchor")), Position.from_json(cursor.get("head"))
            except PartyroomError:
                continue  # a stranger shows something else
            self._positions[client] = (name_of(state), colour_of(state, client), *positions)

    def place(self) -> list[range]:
        """Find out where they are in the text as it is now; returns the lines that look different by that."""
        before, self.found = self.found, {}
        for client, (name, colour, anchor, head) in self._positions.items():
            at, to = self._text.locate(anchor), self._text.locate(head)
            if at is not None and to is not None:
                self.found[client] = Cursor(client, name, colour, self._locate(at), self._locate(to))
        changed = set(before.values()) ^ set(self.found.values())
        return [cursor.rows for cursor in changed]

    def on(self, row: int) -> list[Cursor]:
        """Whose cursors or selections touch a line."""
        return [cursor for cursor in self.found.values() if row in cursor.rows]


def shown_cursor(text: SharedText, anchor: int, head: int) -> dict[str, Any]:
    """What to show of one's own selection, from one index to another.

    A caret clings to what is on its left and a selection to what is in it, so that text which others put beside them
    does not move them for anybody.
    """
    if anchor == head:
        return {"anchor": (caret := text.position(head, -1).to_json()), "head": caret}
    return {
        "anchor": text.position(anchor, 0 if anchor < head else -1).to_json(),
        "head": text.position(head, 0 if head < anchor else -1).to_json(),
    }
