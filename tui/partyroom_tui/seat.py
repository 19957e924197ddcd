"""Seat: one person's place in one room: its document, and the parties beside it that have a room of the same id."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from partyroom.client import Backoff, DocumentClient, PartySocket

from .colours import colour_of, free, user

__all__ = ["Seat"]


class Seat:
    """Who sits where. ``host`` is as ``PartySocket`` takes it; ``color`` is chosen by the name unless given, and is
    another where somebody in the room has it already.

    Nothing is connected before ``start``, nor after ``close``; both may be called twice.
    """

    def __init__(
        self,
        host: str,
        room: str,
        *,
        name: str,
        party: str = "main",
        color: str | None = None,
        token: str | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.host = host
        self.room = room
        self.party = party
        self.user = user(name, color)
        """What the others see: name and colours."""
        self._token = token
        self._backoff = backoff
        self._started = False
        self._sockets: dict[str, PartySocket] = {}
        self.client = DocumentClient(
            host, room=room, party=party, user=dict(self.user), token=token, backoff=backoff or Backoff()
        )
        """The document."""
        self.client.on_presence(self._yield_colour)

    @property
    def name(self) -> str:
        """The name that the others see."""
        return self.user["name"]

    @property
    def page(self) -> str:
        """The server's home page in this room, for a browser."""
        root = self.client.socket.url.rpartition("/parties/")[0]
        return f"http{root.removeprefix('ws')}/?room={quote(self.room, safe='')}"

    @property
    def address(self) -> str:
        """The room itself, as ``partyroom join`` and ``partyroom.connect`` take it."""
        return f"http{self.client.socket.url.removeprefix('ws')}"

    def socket(self, party: str) -> PartySocket:
        """The socket to the room of the same id in another party (``chat``), the same one at each call.

        It is started by whoever uses it.
        """
        if party not in self._sockets:
            query = {"token": self._token} if self._token else None
            self._sockets[party] = PartySocket(
                self.host, room=self.room, party=party, query=query, backoff=self._backoff or Backoff()
            )
        return self._sockets[party]

    def _yield_colour(self, *_: tuple[int, ...]) -> None:
        """Of two people with one colour the one with the higher client id takes another, as on the home page."""
        mine = colour_of({"user": self.user}, self.client.client_id)
        others = {client: colour_of(state, client) for client, state in self.client.others.items()}
        if any(colour == mine and client < self.client.client_id for client, colour in others.items()):
            color = free(others.values())
            if color is not None:
                self.user.update(user(self.name, color))
                self.client.user = dict(self.user)

    async def start(self) -> None:
        """Connect the document; it does not wait for a connection."""
        self._started = True
        await self.client.start()

    async def close(self) -> None:
        """Say goodbye everywhere."""
        if self._started:
            self._started = False
            await asyncio.gather(self.client.close(), *(socket.close() for socket in self._sockets.values()))
