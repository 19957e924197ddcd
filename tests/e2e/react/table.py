"""The room that the React page is in."""

from __future__ import annotations

from partyroom import Connection, Party, Request, Response


class Table(Party):
    """Says to all who came and what is said, and over HTTP who is here."""

    def on_connect(self, connection: Connection) -> None:
        self.room.broadcast(f"{connection.id} has come")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.room.broadcast(f"{connection.id}: {message!s}")

    def on_request(self, request: Request) -> Response:
        return Response(f"{request.text()} {' '.join(sorted(one.id for one in self.room.connections()))}")
