"""Talk: where the messages of a chat are: with the server's chat, which its home page shows as well, or in the room.

``partyroom serve`` and Jupyter with our extension have a party ``chat`` whose room of the same name everybody can be
in: on the home page, in a terminal, here. Where a server has none for us, they are a list in the room's document.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import partyroom
from partyroom.client import Change
from partyroom.client.values import SpanEdit

from .people import clean_color, clean_name

if TYPE_CHECKING:
    from .room import Room

__all__ = ["LONGEST", "ListTalk", "PartyTalk", "Talk", "Tell", "party_url"]

LONGEST: Final = 4000
"""Characters of a message, as the server's chat has it."""
MOST: Final = 200
"""How many messages are shown."""

Tell = Callable[[int, Sequence[dict[str, Any]], bool], object]
"""``tell(keep, messages, new)``: after the first ``keep`` messages come these, which are ``new`` or of the past."""


class Talk(Protocol):
    """Messages of the past, through ``tell``, and a way to say something."""

    def say(self, text: str) -> None:
        """Say it to all."""

    def close(self) -> None:
        """Hear no more."""


def message(value: Any) -> dict[str, Any] | None:
    """A message made fit to show; strangers wrote it."""
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    at = value.get("at")
    return {
        "id": str(value.get("id"))[:64],
        "name": clean_name(value.get("name")) or "Someone",
        "color": clean_color(value.get("color")),
        "text": value["text"][:LONGEST],
        "at": int(at) if isinstance(at, int | float) and 0 <= at < 2**53 else 0,
    }


def party_url(room: Room) -> str:
    """The chat that goes with a room."""
    base, _, rest = room.link.rpartition("/parties/")
    return f"{base}/parties/chat/{rest.partition('/')[2]}"


class PartyTalk:
    """The server's chat. ``refused()`` is called, in the network's thread, where it will not have us."""

    def __init__(self, room: Room, tell: Tell, refused: Callable[[], object]) -> None:
        self._room = room
        self._tell = tell
        self._shown = 0
        self._refused = refused
        self._socket = partyroom.connect(
            party_url(room), document=False, token=room.token(), post=lambda callback: callback(), wait=0
        )
        self._socket.on_message(self._heard)
        self._socket.on_status(self._stands)
        self._stands(self._socket.status)

    def say(self, text: str) -> None:
        """Say it to all; without a connection, when there is one."""
        me = self._room.me
        self._socket.send_json({"type": "say", "text": text, "name": me.name, "color": me.color})

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def _stands(self, status: str) -> None:
        if status == "closed":
            self._refused()

    def _heard(self, data: str | bytes) -> None:
        said = json.loads(data)
        if said.get("type") == "history":
            known = [one for each in said.get("messages", ()) if (one := message(each)) is not None][-MOST:]
            self._tell(0, known, False)
            self._shown = len(known)
        elif said.get("type") == "message" and (one := message(said)) is not None:
            self._tell(self._shown, [one], True)
            self._shown += 1


class ListTalk:
    """A list ``chat`` in the room's document."""

    def __init__(self, room: Room, tell: Tell) -> None:
        self._room = room
        self._tell = tell
        self._list = room.client.array("chat")
        self._shown = 0
        self._remove = self._list.on_change(self._changed)
        self._show()

    def say(self, text: str) -> None:
        """Say it to all; it is merged with what others say meanwhile, also without a connection."""
        me, at = self._room.me, int(time.time() * 1000)
        self._list.append({"id": uuid.uuid4().hex, "name": me.name, "color": me.color, "text": text, "at": at})

    def close(self) -> None:
        """Hear no more."""
        self._remove()

    def _changed(self, change: Change) -> None:
        match change.edits:
            case [SpanEdit(path=(), index=index, inserted=[*new], deleted=[])] if index + len(new) == len(self._list):
                added = [one for each in new if (one := message(each)) is not None]
                self._tell(self._shown, added, True)
                self._shown += len(added)
            case _:
                self._show()

    def _show(self) -> None:
        known = [one for each in self._list[-MOST:] if (one := message(each)) is not None]
        self._tell(0, known, False)
        self._shown = len(known)
