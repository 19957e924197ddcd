"""Documents for Hocuspocus' providers: ``partyroom serve tests/interop/hocuspocus_parties.py``."""

from __future__ import annotations

from partyroom import Connection, DocumentParty, HocuspocusParty, Request, Response


class Notes(DocumentParty):
    """Documents that all may edit but those with the token ``reader``; a secret one asks for a token."""

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        token = request.query.get("token")
        return Response("who are you?", 401) if request.room.startswith("secret") and not token else None

    def can_write(self, connection: Connection) -> bool:
        return connection.request.query.get("token") != "reader"

    def on_custom_message(self, connection: Connection, message: str) -> None:
        if message == "close me":
            connection.close(4403, "as you wish")
        else:
            self.broadcast_custom_message(f"all heard: {message}")


class Hub(HocuspocusParty):
    """The same documents, many on a socket."""

    documents = "notes"

    def on_request(self, request: Request) -> Response:
        for connection in self.room.connections():
            self.request_token(connection, request.query["document"])
        return Response("asked")
