"""What the bench serves: the shortest relay, and a document room as it comes."""

from __future__ import annotations

from partyroom import Connection, DocumentParty, Party, Request, Response


class Relay(Party):
    """Passes every message to everybody else in the room, as ``ws_relay.mjs`` does."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.room.broadcast(message, without=[connection])

    def on_request(self, request: Request) -> Response:
        return Response("here")


class Notes(DocumentParty):
    """A Yjs document with the defaults: journalled to SQLite, which ``@y/websocket-server`` does not do."""

    def on_request(self, request: Request) -> Response:
        return Response("here")
