"""Places: which room an address means, which rooms a server has, and where the user was before."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from platformdirs import user_state_path

from partyroom.client import fetch
from partyroom.client.address import find

__all__ = ["LiveRoom", "Place", "Recent", "live_rooms", "place_of"]

REMEMBERED: Final = 12
"""How many rooms are remembered."""
HERE: Final = "http://localhost:1999"


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and a room in it unless that is still to be chosen."""

    host: str
    room: str = ""
    party: str = "main"
    token: str | None = None

    def __str__(self) -> str:
        return self.room if self.party == "main" else f"{self.party}/{self.room}"


def place_of(address: str, server: str | None = None, environ: Mapping[str, str] = os.environ) -> Place:
    """The place that an address means: a room's name, ``party/room``, a room's URL, a link to the home page
    (``http://host/?room=today``), or a server alone.

    ``server`` is where rooms without one are, ``PARTYROOM_URL`` unless given. Raises ``ValueError``.
    """
    here = server or environ.get("PARTYROOM_URL") or HERE
    token = environ.get("PARTYROOM_TOKEN") or None
    if not address:
        return Place(here, token=None if server else token)
    parts = urlsplit(address)
    if "://" in address and "/parties/" not in parts.path:
        (room,) = parse_qs(parts.query).get("room", [""])[:1]
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        trusted = base.rstrip("/") == here.rstrip("/") and server is None
        return Place(base, room.strip(), token=token if trusted else None)
    found = find(address, server=server, environ=environ)
    given = found.query.get("token")
    return Place(found.host, found.room, found.party, given or (token if found.trusted else None))


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A document room that somebody is in, or was a moment ago."""

    party: str
    room: str
    people: int


async def live_rooms(host: str, timeout: float = 5.0) -> list[LiveRoom] | None:
    """The document rooms of a server that are live, fullest first; ``None`` where it does not tell.

    Raises ``Unreachable``.
    """
    response = await fetch(host, prefix="", party="", room=".partyroom", path="rooms", timeout=timeout)
    try:
        told = json.loads(response.body)
        if response.status != 200 or not told["listed"]:
            return None
        documents = {party["name"] for party in told["parties"] if party["kind"] == "document"}
        rooms = [LiveRoom(str(one["party"]), str(one["room"]), int(one["people"])) for one in told["rooms"]]
    except (ValueError, TypeError, KeyError):
        return None  # some other server
    return sorted((one for one in rooms if one.party in documents), key=lambda one: (-one.people, one.room))


class Recent:
    """The rooms that the user was in, latest first, in a file of the user's state folder.

    What cannot be read or written is forgotten: it is a convenience.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or user_state_path("partyroom") / "recent.json"

    def places(self) -> list[Place]:
        """Where the user was."""
        try:
            listed = json.loads(self._path.read_text(encoding="utf-8"))
            return [Place(str(one["host"]), str(one["room"]), str(one["party"])) for one in listed][:REMEMBERED]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def add(self, place: Place) -> None:
        """The user is there now. The token is not kept."""
        now = Place(place.host, place.room, place.party)
        places = [now, *(one for one in self.places() if one != now)][:REMEMBERED]
        listed = [{"host": one.host, "room": one.room, "party": one.party} for one in places]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(listed, indent=1), encoding="utf-8")
            fresh.replace(self._path)
        except OSError:
            pass
