"""Strip: what a room looks like in a notebook: who is here and what they do, how it stands, and a link to copy."""

from __future__ import annotations

import threading
from typing import Any, Final

import anywidget
import traitlets

from .pages import sources
from .people import Person

__all__ = ["Strip"]

_SOURCES: Final = sources("strip")


class Strip(anywidget.AnyWidget):
    """Only shows. It is set by its room, from the network's thread too (see ``turns``)."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    room = traitlets.Unicode().tag(sync=True)
    people: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    status = traitlets.Unicode("connecting").tag(sync=True)
    notice = traitlets.Unicode().tag(sync=True)
    """How it stands, in a sentence."""
    why = traitlets.Unicode().tag(sync=True)
    """What the sentence does not say, for who asks."""
    link = traitlets.Unicode().tag(sync=True)
    """The room's address, without any secret: notebooks are saved with their widgets' state."""

    def __init__(self, **traits: Any) -> None:
        self._showing = threading.Lock()
        super().__init__(**traits)

    def show(self, people: list[Person], status: str, notice: str, why: str = "") -> None:
        """Show who is here and how it stands; only what has changed is sent."""
        shown = [
            {
                "id": person.id,
                "name": person.name,
                "color": person.color,
                "initials": person.initials,
                "me": person.me,
                "doing": "typing" if person.typing else "moving" if person.moving else "",
            }
            for person in people
        ]
        with self._showing, self.hold_sync():  # in one message, whichever thread it is
            self.people = shown
            self.status = status
            self.notice = notice
            self.why = why
