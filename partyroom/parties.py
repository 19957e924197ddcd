"""Parties: which a lobby serves and by what names, and visits to their rooms from within the process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .errors import Refused
from .http import Address, Pairs, Request, Response, split_path
from .local import LocalSocket
from .party import Party, settled

if TYPE_CHECKING:
    from .lobby import Admission, Lobby

__all__ = ["LiveRoom", "Parties", "Person", "RoomStub", "Rooms", "named_parties", "party_name"]


def party_name(name: str) -> str:
    """The kebab-case of a class name: ``ChatRoom`` is ``chat-room`` and ``CHAT_ROOM`` too."""
    if name == name.upper():
        return name.lower().replace("_", "-")
    kebab = re.sub(r"[A-Z]", lambda letter: "-" + letter[0].lower(), name)
    return kebab.removeprefix("-").replace("_", "-").removesuffix("-")


def named_parties(
    parties: Mapping[str, type[Party]] | type[Party] | ModuleType,
) -> tuple[dict[str, type[Party]], str | None]:
    """The classes by name, and the name that ``main`` is short for (where no class is called so)."""
    if isinstance(parties, Mapping):
        named, main = dict(parties), None
    else:
        if isinstance(parties, ModuleType):
            members = [value for value in vars(parties).values() if isinstance(value, type)]
            classes = [one for one in members if issubclass(one, Party) and one.__module__ == parties.__name__]
        else:
            classes = [parties]
        named = {party_name(party.__name__): party for party in classes}
        main = next(iter(named), None) if "main" not in named else None
    if not named:
        raise ValueError("a lobby needs at least one Party class")
    for name, party in named.items():
        if not issubclass(party, Party):
            raise TypeError(f"the party {name!r} is {party!r}, not a subclass of Party")
        if not name or "/" in name:
            raise ValueError(f"{name!r} cannot be a party's name: it is one segment of a path")
    return named, main


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A room that is in memory, as it was when it was asked for."""

    id: str
    connections: int
    """How many are in it."""
    since: float
    """When it came into memory, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Person:
    """A connection of a room, as it was when it was asked for."""

    id: str
    tags: tuple[str, ...]
    state: Any
    user: Any
    """Whoever authenticated the request says who it is: its ``request.user``."""


class Parties:
    """``room.parties["chat"]["lobby"]``: the rooms of the same lobby, past the before-hooks."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby

    @property
    def origins(self) -> tuple[str, ...]:
        """The pages of other hosts that may talk to the lobby's rooms."""
        return self._lobby.origins

    def __getitem__(self, party: str) -> Rooms:
        if party == "main" and self._lobby.main is not None:
            party = self._lobby.main
        if party not in self._lobby.party_classes:
            raise KeyError(f"there is no party {party!r} here, only {', '.join(self._lobby.party_classes)}")
        return Rooms(self._lobby, party)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lobby.party_classes)


class Rooms:
    """The rooms of one party: any of them by its id, and those that are in memory."""

    def __init__(self, lobby: Lobby, party: str) -> None:
        self._lobby = lobby
        self._party = party

    def __getitem__(self, room: str) -> RoomStub:
        return RoomStub(self._lobby, Address(self._party, room))

    def rooms(self) -> list[LiveRoom]:
        """The rooms that are in memory, the oldest first. Asking wakes none of them."""
        return [
            LiveRoom(room.id, len(room.connections()), room.since)
            for room in self._lobby.rooms()
            if room.party == self._party and not room.life.over
        ]


class RoomStub:
    """Another room, to be fetched from or connected to in process. A room that awaits itself waits for ever."""

    def __init__(self, lobby: Lobby, address: Address) -> None:
        self._lobby = lobby
        self.address = address

    def people(self) -> list[Person]:
        """Who is in the room, the longest there first; nobody where it is not in memory, and it is not woken."""
        room = self._lobby.peek(self.address)
        here = [] if room is None else room.connections()
        return [Person(one.id, one.tags, one.state, one.request.user) for one in here]

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Run a method of the room's party, once that has started: what it returns or raises is handed on.

        Raises ``Refused`` and ``RoomStopped`` too.
        """
        room = await self._lobby.room(self.address)
        with room.life.work():
            return await settled(getattr(await room.life.ready(), method)(*arguments, **named))

    async def fetch(
        self, path: str = "", method: str = "GET", *, headers: Pairs = (), body: bytes = b"", user: Any = None
    ) -> Response:
        """What the room's ``on_request`` answers; ``path`` follows the room in the address. Raises ``Refused``."""
        room = await self._lobby.room(self.address)
        return await room.fetch(self._request(path, method, headers, body, user))

    async def socket(self, path: str = "", *, headers: Pairs = (), user: Any = None) -> LocalSocket:
        """A connection to the room, open: ``send``, ``receive``, ``async for``, ``close``. Raises ``Refused``."""
        room = await self._lobby.room(self.address)
        return await LocalSocket(room, self._request(path, "GET", headers, b"", user)).open()

    async def admit(self, request: Request, *, again: bool = False) -> Admission:
        """Let in a visitor from outside, as a gateway does: before-hook, origins and caps included. Raises ``Refused``.

        The path of ``request`` is replaced by this room's; all else in it is the visitor's. Of a visitor who is here
        already and comes ``again``, with another request, the caps are not asked.
        """
        admitted = await self._lobby.admit(request.replace(path=self._path), again=again)
        if isinstance(admitted, Response):
            raise Refused(admitted.status, admitted.body.decode(errors="replace").strip())
        return admitted

    @property
    def _path(self) -> str:
        return f"/parties/{quote(self.address.party, safe='')}/{quote(self.address.room, safe='')}"

    def _request(self, path: str, method: str, headers: Pairs, body: bytes, user: Any) -> Request:
        if path and not path.startswith(("/", "?")):
            path = "/" + path
        request = Request.build(self._path + path, method, headers=headers, body=body, user=user)
        address, subpath = split_path(request.path) or (self.address, "")
        return request.replace(
            party=address.party,
            room=address.room,
            subpath=subpath,
            env=self._lobby.env,
            parties=self._lobby.parties,
        )
