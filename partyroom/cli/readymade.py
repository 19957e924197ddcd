"""What ``partyroom serve`` serves without a target: documents (for Hocuspocus' clients too), chat, relay, game."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from ..connection import Connection
from ..documents.multiplex import HocuspocusParty
from ..documents.party import DocumentParty
from ..http import Request, Response
from ..party import Party
from ..protocols import asking
from ..readymade.game import Game

__all__ = ["PARTIES", "Chat", "Document", "Hocuspocus", "Relay"]

HISTORY = 200
"""How many messages a chat room remembers."""
TEXT, NAME, COLOR = 4000, 60, 32
"""The most characters of a message, a name and a colour."""


class Document(DocumentParty):
    """Yjs documents that anybody may edit, and whose clients may ask each other (``protocols.asking``).

    What nobody edits leaves memory, also while it is open somewhere.
    """

    hibernate = True

    def on_custom_message(self, connection: Connection, message: str) -> None:
        """Pass asks on to all others, and answers to who asked."""
        match asking.parse(message):
            case asking.Ask() as ask:
                self.broadcast_custom_message(ask._replace(asker=connection.id).text(), without=(connection,))
            case asking.Answer(asker=str(asker)) as answer if (to := self.room.connection(asker)) is not None:
                self.send_custom_message(to, answer.text())


class Hocuspocus(HocuspocusParty):
    """The same documents for Hocuspocus' providers, whatever the room that they connect to."""


class Relay(Party):
    """Whatever one sends, all others get."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Pass it on."""
        self.room.broadcast(message, without=[connection])


class Chat(Party):
    """A chat with history, in JSON texts.

    A client sends ``{"type": "say", "text", "name", "color"}``. It gets ``{"type": "history", "messages": [...]}``
    once, ``{"type": "message", "id", "name", "color", "text", "at"}`` for each (``at`` in milliseconds since the
    epoch), ``{"type": "people", "count"}`` as people come and go, and ``{"type": "error", "message"}`` for what it
    should not send.
    """

    async def on_start(self) -> None:
        """Load the history."""
        self.messages: dict[str, dict[str, Any]] = await self.room.storage.list("message/")
        self._last = max((int(key.split("/")[1]) for key in self.messages), default=0)

    def on_connect(self, connection: Connection) -> None:
        """Tell the newcomer what was said, and all how many they are."""
        connection.send_json({"type": "history", "messages": self._history()})
        self._count()

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Tell those who stay how many they are."""
        self._count()

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Remember it, and say it to all: what is seen outlives the server."""
        try:
            said = _said(message)
        except ValueError as error:
            connection.send_json({"type": "error", "message": str(error)})
            return
        key = self._next_key(said["at"])
        await self.room.storage.put(key, said)
        self.messages[key] = said
        for old in list(self.messages)[:-HISTORY]:
            del self.messages[old]
            self.room.storage.delete(old)
        self.room.broadcast_json({"type": "message", **said})

    def on_request(self, request: Request) -> Response:
        """What was said, and how many are here."""
        return Response.json({"people": len(self.room.connections()), "messages": self._history()})

    def _history(self) -> list[dict[str, Any]]:
        return list(self.messages.values())

    def _next_key(self, at: int) -> str:
        """After all others, also where two messages share a millisecond or the clock was set back."""
        self._last = max(at, self._last + 1)
        return f"message/{self._last:014}"

    def _count(self) -> None:
        self.room.broadcast_json({"type": "people", "count": len(self.room.connections())})


def _said(message: str | bytes) -> dict[str, Any]:
    """A message as it is kept. Raises ``ValueError`` with what is wrong, for the one who sent it."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        raise ValueError('send JSON: {"type": "say", "text": "hello", "name": "Ada"}') from None
    if not isinstance(value, dict) or value.get("type") != "say":
        raise ValueError("the only type of message is 'say'")
    said = {"id": str(uuid4()), "at": int(time.time() * 1000)}
    for field, most, default in (("text", TEXT, None), ("name", NAME, "Somebody"), ("color", COLOR, "")):
        text = value.get(field, default)
        if not isinstance(text, str) or len(text) > most:
            raise ValueError(f"{field!r} is a text of at most {most} characters")
        said[field] = text
    if not str(said["text"]).strip():
        raise ValueError("'text' is empty")
    return said


PARTIES: dict[str, type[Party]] = {
    "main": Document,
    "chat": Chat,
    "relay": Relay,
    "hocuspocus": Hocuspocus,
    "game": Game,
}
