"""cursor: where everybody's mouse pointer is, with the name. It is presence: nothing of it is kept.

A place is in parts of the area's width and height, so it is the same for who has a wider page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from .pace import Pace
from .pages import with_text
from .people import Person
from .view import View, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["CursorView"]

_SOURCES = sources("cursor")


class CursorView(View):
    """Everybody's pointer. As a cell's last line it shows the widgets that it is over."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    pointers: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """Where the others are: ``id``, ``name``, ``color``, and ``x`` and ``y`` from 0 to 1."""

    def __init__(self, room: Room, widgets: Sequence[ipywidgets.Widget] = (), *, key: str = "cursor") -> None:
        self.key = key
        self._widgets = tuple(widgets)
        self._at: dict[str, Any] | None = None
        self._box: ipywidgets.VBox | None = None
        super().__init__(room, label="Pointers")
        self._out = Pace(lambda: room.show(pointer=self._at))
        self._in = Pace(self._show)
        self.watch(room.client.on_presence(lambda *clients: self._in.ask()))
        self.watch(self._leave)
        self._show()

    @property
    def view(self) -> ipywidgets.Widget:
        """The widgets with the pointers over them, to be put beside others."""
        if not self._widgets:
            return self
        if self._box is None:
            self._box = ipywidgets.VBox([*self._widgets, self])
            self._box.add_class("partyroom-pointed")
        return self._box

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self._widgets:
            return with_text(self.view._repr_mimebundle_(**kwargs), "Pointers: run this cell to join in.")
        return super()._repr_mimebundle_(**kwargs)

    def _show(self) -> None:
        if self.status == "closed":
            return
        pointers = [pointer for person in self._room.people if (pointer := self._pointer(person)) is not None]
        if pointers != self.pointers:
            self.pointers = pointers

    def _pointer(self, person: Person) -> dict[str, Any] | None:
        shown = person.shows.get("pointer")
        if person.me or not isinstance(shown, dict) or shown.get("area") != self.key:
            return None
        x, y = _part(shown.get("x")), _part(shown.get("y"))
        if x is None or y is None:
            return None
        return {"id": person.id, "name": person.name, "color": person.color, "x": x, "y": y}

    def _leave(self) -> None:
        self.pointers = []
        if self._at is not None:
            self._at = None
            self._out.ask()

    def heard_pointer(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's user points somewhere, or has left the area."""
        x, y = _part(content.get("x")), _part(content.get("y"))
        at = None if x is None or y is None else {"area": self.key, "x": x, "y": y}
        if at != self._at and self.status != "closed":
            self._at = at
            self._out.ask()


def _part(value: Any) -> float | None:
    """A part of a width or height, in ten thousandths; ``None`` for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(min(max(value, 0), 1), 4)
