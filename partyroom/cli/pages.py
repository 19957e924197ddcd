"""What ``partyroom serve`` answers outside rooms: the home page, and a list of the live rooms for it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..documents.party import DocumentParty
from ..http import Request, Response
from ..web import answer
from .readymade import Chat

if TYPE_CHECKING:
    from ..lobby import Lobby

__all__ = ["LOOPBACK", "Pages"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Pages:
    """The home page. The list of rooms is for whoever sits at this machine: a room's id may be all that protects it.

    So it is given only when the server listens on loopback and was asked by a loopback name (a page elsewhere that has
    its own name resolve to 127.0.0.1 is not: DNS rebinding).
    """

    def __init__(self, *, listed: bool) -> None:
        self.lobby: Lobby | None = None
        self._listed = listed

    def __call__(self, request: Request) -> Response | None:
        """Answer ``request``, or leave it."""
        if request.path == "/.partyroom/rooms" and request.method in ("GET", "HEAD"):
            return self._rooms(request)
        return answer(request)

    def _rooms(self, request: Request) -> Response:
        listed = self._listed and request.hostname in LOOPBACK
        lobby = self.lobby
        assert lobby is not None
        rooms: list[dict[str, Any]] = []
        if listed:
            rooms = [
                {"party": room.party, "room": room.id, "people": len(room)}
                for room in lobby.rooms()
                if not room.party.startswith(".")
            ]
        return Response.json(
            {
                "version": version("partyroom"),
                "parties": [
                    {"name": name, "kind": _kind(party)}
                    for name, party in lobby.party_classes.items()
                    if not name.startswith(".")
                ],
                "listed": listed,
                "rooms": rooms,
                "connections": lobby.connected if listed else None,
            },
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
        )


def _kind(party: type) -> str:
    """What the page can open in it: a Chat of a user's own may speak anything, ours it knows."""
    if issubclass(party, DocumentParty):
        return "document"
    return "chat" if issubclass(party, Chat) else "plain"
