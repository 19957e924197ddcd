"""text: a text that many write at once, in CodeMirror, with everybody's named cursor and selection.

The text is a root of the room's document, as home pages, terminals and programs have it. A page talks to the server
itself where it can reach it, so writing goes on while a cell runs, and while the kernel restarts. Where it cannot, its
WebSocket is led through the kernel. Which it is, the page finds out: see ``partyroom/web/src/widgets/socket.ts``.

What opens the room is given to the page in a message, and only where that is safe: a token that the notebook's author
has passed to ``join``, over TLS or on this machine. A token of the environment stays in the kernel; inside Jupyter the
page has its own login, and uses that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import traitlets

from partyroom.client import SharedText

from .people import Person
from .tunnel import Tunnels
from .view import Refused, View, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Language", "TextView"]

Language = Literal["", "markdown", "python", "javascript", "json", "sql"]
LONGEST_CURSOR: Final = 1000
"""Characters of JSON of a cursor, which are two relative positions."""
_SOURCES = sources("text")


class TextView(View):
    """A shared text. A page that has reached the server goes on with it also without the kernel."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    name = traitlets.Unicode().tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)
    carets: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """Where the others are in the text."""

    def __init__(self, room: Room, name: str, *, language: Language = "", label: str = "", height: str = "") -> None:
        self.text: SharedText = room.client.text(name)
        """The text for Python: it reads like a ``str``, and is edited in place."""
        self._tunnels = Tunnels(room, lambda message, buffers=None: self.send(message, buffers))
        super().__init__(room, name=name, language=language, label=label or name, layout={"height": height or None})
        self.watch(room.client.on_presence(lambda *clients: self._show_carets()))
        self.watch(self._tunnels.close)
        self._show_carets()

    @property
    def value(self) -> str:
        """The text as it is now. Setting it edits what differs, and leaves alone what others write meanwhile."""
        return str(self.text)

    @value.setter
    def value(self, value: str) -> None:
        self.text.set(value)

    def on_change(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call ``callback(value)`` in the kernel's thread after edits. Returns a function that ends it."""
        turns = self._room.turns
        return self.text.on_change(lambda change: turns.post(lambda: callback(self.value)))

    # -- who is where ------------------------------------------------------------------------------------------------

    def _show_carets(self) -> None:
        carets = [caret for person in self._room.people if (caret := _caret(person)) is not None]
        if carets != self.carets:
            self.carets = carets

    def heard_cursor(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's cursor has moved, or has left the text."""
        cursor = content.get("cursor")
        if cursor is not None and (not isinstance(cursor, dict) or len(json.dumps(cursor)) > LONGEST_CURSOR):
            return
        self._room.show(cursor=cursor)

    # -- how the page gets to the text -------------------------------------------------------------------------------

    def heard_bundle(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page does not have the editor yet."""
        self.send({"type": "bundle"}, [_bundle()])

    def heard_where(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page wants to go to the server itself."""
        self.send({"type": "where", "id": self._room.me.id, **where(self._room)})

    def heard_open(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page cannot: open a WebSocket for it."""
        self._tunnels.open(str(content.get("socket")))

    def heard_frame(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page says something to the server."""
        if buffers:
            self._tunnels.say(str(content.get("socket")), bytes(buffers[0]))

    def heard_close(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """A page needs its WebSocket no more."""
        self._tunnels.shut(str(content.get("socket")))


def where(room: Room) -> dict[str, str]:
    """Where a page finds the room: ``url`` and ``token``, and the ``path`` below the page's own Jupyter server, where
    the room may be that one's. Empty what it should not try."""
    token = room.token()
    ours = bool(token) and token == os.environ.get("PARTYROOM_TOKEN")
    said = token if isinstance(token, str) and not ours else ""
    parts = urlsplit(room.link)
    hidden = bool(token) and not said  # the server wants one, and this is none for pages
    exposed = bool(said) and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    path = f"parties/{parts.path.rpartition('/parties/')[2]}" if ours else ""
    return {"path": path, **({"url": "", "token": ""} if hidden or exposed else {"url": room.link, "token": said})}


def _caret(person: Person) -> dict[str, Any] | None:
    cursor = person.shows.get("cursor")
    if person.me or not isinstance(cursor, dict):
        return None
    return {"client": person.client, "user": {"name": person.name, "color": person.color}, "cursor": cursor}


@cache
def _bundle() -> bytes:
    file = files("partyroom") / "web" / "dist" / "widgets" / "editor.js"
    if not file.is_file():
        raise Refused(
            "The editor is not built: run `python -m partyroom.web.build` in the checkout, and this cell again."
        )
    return file.read_bytes()
