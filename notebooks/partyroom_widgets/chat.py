"""chat: what people in the room say to each other; see ``talk`` for where it is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets

from partyroom.client.callbacks import Callbacks

from .talk import LONGEST, ListTalk, PartyTalk, Talk
from .view import ListView, Refused, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["ChatView"]

_SOURCES = sources("chat")


class ChatView(ListView):
    """The chat of a room."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    typing: traitlets.List[str] = traitlets.List().tag(sync=True)
    """The names of the others who are writing something."""

    def __init__(self, room: Room, label: str = "Chat") -> None:
        self._on_message = Callbacks[[dict[str, Any]]]("on_message")
        self._talk: Talk | None = None
        self._changing = threading.Lock()
        super().__init__(room, label=label)
        self.watch(room.client.on_presence(lambda *clients: self._show_typing()))
        self.watch(self._hang_up)
        self._show_typing()
        party = PartyTalk(room, self._told, self._without_party)
        with self._changing:
            if self._talk is None:  # it may have been refused already
                self._talk = party

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The last messages: ``id``, ``name``, ``color``, ``text`` and ``at``, in milliseconds since the epoch."""
        return list(self.items)

    def say(self, text: str) -> None:
        """Say something. Raises ``ValueError`` for an empty text, and one of more than 4,000 characters."""
        if not text.strip() or len(text) > LONGEST:
            raise ValueError(f"a message has 1 to {LONGEST} characters")
        if self._talk is not None:
            self._talk.say(text)

    def on_message(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call ``callback(message)`` in the kernel's thread for each that comes. Returns a function that ends it."""
        return self._on_message.add(callback)

    def _without_party(self) -> None:
        """The server has no chat for us, or we have left."""
        if self.status == "closed":
            return
        talk = ListTalk(self._room, self._told)
        with self._changing:
            self._talk = talk

    def _hang_up(self) -> None:
        if self._talk is not None:
            self._talk.close()

    def _told(self, keep: int, messages: Sequence[dict[str, Any]], new: bool) -> None:
        self.splice(keep, len(self.items) - keep, messages)
        for one in messages if new else ():
            self._room.turns.post(partial(self._on_message, one))

    def _show_typing(self) -> None:
        typing = [person.name for person in self._room.people if person.typing and not person.me]
        if typing != self.typing:
            self.typing = typing

    def heard_say(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's user says something."""
        try:
            self.say(str(content.get("text", "")))
        except ValueError as error:
            raise Refused(f"Not sent: {error}.") from None

    def heard_typing(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's user is writing something, or not any more."""
        self._room.show(typing=True if content.get("on") else None)
