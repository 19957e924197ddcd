"""The status page at ``base_url/partyroom/``: who is where, which rooms are kept, and links to them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web

from partyroom import Connection, DocumentParty, Lobby, PartyroomError, Room

from .handler import RESOURCE
from .kernels import shown
from .visit import Visit

if TYPE_CHECKING:
    from .extension import PartyroomExtension

__all__ = ["StatusData", "StatusPage"]

PAGE: Final = (Path(__file__).parent / "page.html").read_text("utf-8")
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
"""As the home page's (``partyroom.web``); who may frame it is Jupyter's to say."""
MOST: Final = 200
"""How many rooms that nobody is in are listed."""


class StatusPage(JupyterHandler):
    """The page. Who is not logged in is sent to log in first."""

    auth_resource = RESOURCE

    def initialize(self, extension: PartyroomExtension) -> None:
        """Tornado calls this with the rule's arguments."""
        self.extension = extension

    @property
    def content_security_policy(self) -> str:
        """The page loads from and talks to this server only."""
        return f"{super().content_security_policy}; {POLICY}"

    @web.authenticated
    @authorized("read")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer with the page."""
        paths = {"{base}": self.base_url, "{static}": self.extension.static_url_prefix.rstrip("/") + "/"}
        page = PAGE
        for name, path in paths.items():
            page = page.replace(name, html.escape(path))
        self.xsrf_token  # noqa: B018  # sets the cookie that the page's script shows again, as JupyterHub wants it to
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(page)


class StatusData(APIHandler):
    """What the page shows, as JSON. Who is not logged in gets 403."""

    auth_resource = RESOURCE
    _track_activity = False  # the page asks again and again, which is no activity of a person's

    def initialize(self, extension: PartyroomExtension) -> None:
        """Tornado calls this with the rule's arguments."""
        self.extension = extension

    @web.authenticated
    @authorized("read")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer with the rooms in memory, and with ``?stored=1`` with those that are kept as well."""
        told = overview(self.extension)
        lobby = self.extension.lobby
        if lobby is not None and self.get_query_argument("stored", ""):
            try:
                told["stored"] = await _stored(lobby)
            except PartyroomError as error:
                told["problem"] = str(error)
        self.set_header("Cache-Control", "no-store")
        self.finish(told)


def overview(extension: PartyroomExtension) -> dict[str, Any]:
    """What is going on: rooms, and who is in them."""
    lobby = extension.lobby
    rooms = [] if lobby is None else [room for room in lobby.rooms() if not room.life.over and _is_shown(room.party)]
    return {
        "version": version("partyroom"),
        "problem": "" if rooms else extension.problem,  # a store that could not be opened is tried again
        "remote": shown(extension.remote_url),
        "parties": [] if lobby is None else [name for name in lobby.party_classes if _is_shown(name)],
        "connections": 0 if lobby is None else lobby.connected,
        "rooms": [_room(lobby, room) for room in rooms if lobby is not None],
    }


def _room(lobby: Lobby, room: Room) -> dict[str, Any]:
    return {
        "party": room.party,
        "room": room.id,
        "document": _is_document(lobby, room.party),
        "people": _people(room.connections()),
    }


def _people(connections: Iterable[Connection]) -> list[dict[str, Any]]:
    """Each of those present once, with how many connections they have."""
    people: dict[str, dict[str, Any]] = {}
    for connection in connections:
        user = connection.request.user
        known: Mapping[str, Any] = user if isinstance(user, Mapping) else {}
        name = next((str(known[key]) for key in ("display_name", "name", "sub") if known.get(key)), "Somebody")
        person = people.setdefault(
            str(known.get("sub") or connection.id),
            {
                "name": name[:80],
                "color": str(known.get("color") or "")[:80],
                "kernel": isinstance(connection.request, Visit) and connection.request.by_kernel,
                "connections": 0,
            },
        )
        person["connections"] += 1
    return list(people.values())


async def _stored(lobby: Lobby) -> list[dict[str, Any]]:
    """The rooms that have something stored and are not in memory."""
    stored = [
        {"party": address.party, "room": address.room, "document": _is_document(lobby, address.party)}
        for address in await lobby.store.rooms()
        if _is_shown(address.party) and lobby.peek(address) is None
    ]
    return stored[:MOST]


def _is_document(lobby: Lobby, party: str) -> bool:
    return issubclass(lobby.party_classes.get(party, object), DocumentParty)


def _is_shown(party: str) -> bool:
    return not party.startswith(".")
