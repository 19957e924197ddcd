"""View: what the widgets that a room shows have in common: how it stands, messages with the page, lists kept in step.

Like the strip they are set from the network's thread too (see ``turns``), so what others do is on the page also while
a cell runs. What the page sends may come in whatever thread ipykernel hears it in; a view does with it only what is
safe in any: edits of the document, presence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import pages
from .pages import with_text

if TYPE_CHECKING:
    from .room import Room

__all__ = ["ListView", "Refused", "View", "sources"]

log = logging.getLogger("partyroom.widgets")


def sources(name: str) -> dict[str, str]:
    """The script and the style sheet of a view, each after what all views have in common, as anywidget takes them."""
    return pages.sources("view", name)


class Refused(Exception):
    """What the page asked for cannot be; the text says why, to whoever asked."""


class View(anywidget.AnyWidget):
    """Something of a room in a notebook. A subclass has ``heard_TYPE(content, buffers)`` for each type of message."""

    room = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    """What it is, for people."""
    status = traitlets.Unicode("connecting").tag(sync=True)
    notice = traitlets.Unicode().tag(sync=True)
    why = traitlets.Unicode().tag(sync=True)
    """What the notice does not say, for who asks."""
    read_only = traitlets.Bool().tag(sync=True)
    me: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    _removes: list[Callable[[], None]] | tuple[()] = ()  # also of one whose making failed, which is closed all the same

    def __init__(self, room: Room, **more: Any) -> None:
        self._room = room
        self._removes = []
        super().__init__(room=room.name, **more)
        self.on_msg(self._heard)
        self.watch(room.client.on_status(lambda status: self._stand()))
        room.close_with(self.stop)
        self._stand()

    def watch(self, remove: Callable[[], None]) -> None:
        """Have ``remove()`` called at the end."""
        self._removes = [*self._removes, remove]

    def stop(self) -> None:
        """Follow the room no more; what is shown stays. Stopping twice is fine."""
        self.status, self.notice = "closed", "Left"
        removes, self._removes = self._removes, []
        for remove in removes:
            remove()

    def close(self) -> None:
        """Take it off the page."""
        self.stop()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_text(super()._repr_mimebundle_(**kwargs), f"{self.label} (shared): run this cell to join in.")

    def _stand(self) -> None:
        room = self._room
        self.status, self.notice, self.why = room.status, room.notice, room.why
        self.read_only = room.client.read_only
        self.me = {"id": room.me.id, "name": room.me.name, "color": room.me.color}

    def _heard(self, widget: object, content: Any, buffers: Sequence[memoryview]) -> None:
        """A message of the page, which anything that runs in it may have sent."""
        kind = content.get("type") if isinstance(content, dict) else None
        handler = getattr(self, f"heard_{kind}", None) if isinstance(kind, str) else None
        if handler is None:
            return
        try:
            handler(content, buffers)
        except Refused as refused:
            self.send({"type": "refused", "why": str(refused)})
        except Exception:
            log.exception("%s: a message of the page failed", self.label)
            self.send({"type": "refused", "why": "That did not work."})


class ListView(View):
    """A view of a list, of which only what changes is sent: a page keeps its own copy in step."""

    items: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def _should_send_property(self, key: str, value: Any) -> bool:
        """A page that comes later gets all of it with the rest of the state; see ``splice``."""
        return key != "items" and bool(super()._should_send_property(key, value))

    def splice(self, index: int, deleted: int, inserted: Sequence[Any]) -> None:
        """Replace some items, here and on the pages."""
        items = list(self.items)
        items[index : index + deleted] = inserted
        self.items = items
        self.send({"type": "splice", "index": index, "deleted": deleted, "inserted": [*inserted], "length": len(items)})

    def heard_all(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page has lost step."""
        self.send({"type": "all", "items": self.items})
