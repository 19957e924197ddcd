"""board: a drawing that many make at once. Strokes are a list in the room's document; one being drawn is presence."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import traitlets

from partyroom.client import Change
from partyroom.client.values import SpanEdit

from .people import Person, clean_color
from .view import ListView, Refused, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["HEIGHT", "WIDTH", "BoardView"]

WIDTH, HEIGHT = 1600, 700
"""Of the drawing, in its own units; pages scale it to what room they have."""
MOST_POINTS: Final = 2000
MOST_DRAFTED: Final = 400
"""Points of a stroke that is being drawn, which goes to everybody again with every move; the last are shown."""
WIDEST: Final = 60
_SOURCES = sources("board")


class BoardView(ListView):
    """A shared drawing. ``items`` are its strokes: ``by``, ``color``, ``width`` and ``points`` (x, y, x, y...)."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    size: traitlets.List[int] = traitlets.List([WIDTH, HEIGHT]).tag(sync=True)
    drafts: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """What the others are drawing now."""

    def __init__(self, room: Room, name: str = "board") -> None:
        self.name = name
        self._strokes = room.client.array(f"board.{name}")
        super().__init__(room, label=name)
        self.watch(self._strokes.on_change(self._changed))
        self.watch(room.client.on_presence(lambda *clients: self._show_drafts()))
        self._show()
        self._show_drafts()

    def draw(self, points: Sequence[tuple[float, float]], *, color: str = "", width: float = 4) -> None:
        """Draw a line through points (x from 0 to 1600, y from 0 to 700), in your own colour unless one is given.

        Raises ``ValueError`` for what is no line.
        """
        flat = [coordinate for point in points for coordinate in point]
        drawn = stroke({"points": flat, "color": color or self._room.me.color, "width": width})
        if drawn is None:
            raise ValueError(f"a line has 1 to {MOST_POINTS} points, a colour #rrggbb and a width up to {WIDEST}")
        self._strokes.append({**drawn, "id": uuid.uuid4().hex[:12], "by": self._room.me.id})

    def undo(self) -> None:
        """Take your last stroke away, wherever the others have drawn since."""
        for index, one in reversed(list(enumerate(self._strokes))):
            if isinstance(one, dict) and one.get("by") == self._room.me.id:
                del self._strokes[index]
                return

    def clear(self) -> None:
        """Take all strokes away."""
        self._strokes.clear()

    # -- what is drawn -----------------------------------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        match change.edits:
            case [SpanEdit(path=(), index=index, inserted=[*new], deleted=[*old])]:
                self.splice(index, len(old), [_shown(one) for one in new])
            case _:
                self._show()

    def _show(self) -> None:
        self.splice(0, len(self.items), [_shown(one) for one in self._strokes])

    def _show_drafts(self) -> None:
        drafts = [draft for person in self._room.people if (draft := self._draft(person)) is not None]
        if drafts != self.drafts:
            self.drafts = drafts

    def _draft(self, person: Person) -> dict[str, Any] | None:
        shown = person.shows.get("drawing")
        if person.me or not isinstance(shown, dict) or shown.get("board") != self.name:
            return None
        drawn = stroke(shown)
        return None if drawn is None else {**drawn, "name": person.name, "who": person.color}

    # -- what the page's user does -----------------------------------------------------------------------------------

    def heard_draft(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A stroke has come so far, or is no more."""
        drawn = stroke(content, MOST_DRAFTED)
        self._room.show(drawing=None if drawn is None else {**drawn, "board": self.name})

    def heard_stroke(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A stroke is done."""
        drawn = stroke(content)
        if drawn is None or self._room.client.read_only:
            raise Refused("That could not be drawn.")
        self._strokes.append({**drawn, "id": uuid.uuid4().hex[:12], "by": self._room.me.id})
        self._room.show(drawing=None)

    def heard_undo(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The last stroke was none."""
        self.undo()

    def heard_clear(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """Begin anew."""
        self.clear()


def stroke(value: Any, most: int = MOST_POINTS) -> dict[str, Any] | None:
    """What a stroke looks like, made fit to draw: the last of too many points; ``None`` for what is none."""
    points = value.get("points") if isinstance(value, dict) else None
    if not isinstance(points, list) or len(points) < 2 or len(points) % 2:
        return None
    points = points[-2 * most :]
    width = value.get("width", 4)
    if not all(isinstance(one, int | float) and abs(one) < 1e5 for one in (*points, width)):
        return None
    return {
        "points": [round(one) for one in points],
        "color": clean_color(value.get("color")),
        "width": min(max(width, 1), WIDEST),
    }


def _shown(value: Any) -> dict[str, Any]:
    """One item of the list, which others wrote; what is no stroke takes its place, and is not drawn."""
    drawn = stroke(value)
    return {} if drawn is None else {**drawn, "by": str(value.get("by"))[:64]}
