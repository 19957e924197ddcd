"""A network that leads to a lobby in this process: the client's sockets are real, and so are the rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pycrdt import Text

from partyroom import Connection, DocumentParty, HocuspocusParty, Lobby, Request, Response
from partyroom.client.backoff import Backoff
from partyroom.client.document import DocumentClient
from partyroom.client.mail import Outgoing
from partyroom.client.wire import Target, Wire
from partyroom.errors import HandshakeRefused, Unreachable
from partyroom.local import LocalSocket
from partyroom.testing import ManualClock, settle


class Notes(DocumentParty):
    """Documents in which ``mode=read`` may not write, until the room is ``open``; a secret one asks for a token."""

    open = False

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        refused = request.room == "secret" and request.query.get("token") != "let me in"
        return Response("who are you?", 401) if refused else None

    def can_write(self, connection: Connection) -> bool:
        return self.open or "read" not in (connection.request.query.get("mode"), connection.request.query.get("token"))

    def on_custom_message(self, connection: Connection, message: str) -> None:
        self.broadcast_custom_message(f"all heard: {message}")


class Hub(HocuspocusParty):
    """The same for Hocuspocus' clients."""

    documents = "notes"


class InsideWire:
    """A ``Wire`` to a room."""

    protocol: str | None = None

    def __init__(self, socket: LocalSocket, spoil: Callable[[str | bytes], str | bytes]) -> None:
        self.socket = socket
        self.sent: list[str | bytes] = []
        self._spoil = spoil

    @property
    def ending(self) -> bool:
        return self.socket.transport.ended is not None

    def heard(self) -> bool:
        return True

    async def receive(self) -> str | bytes:
        return self._spoil(await self.socket.receive())

    async def send(self, message: Outgoing) -> None:
        said = message.data.decode() if message.is_text else message.data
        self.sent.append(said)
        await self.socket.send(said)

    async def ping(self) -> None:
        """Rooms in this process are there."""

    async def close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason)

    def abort(self) -> None:
        self.socket.transport.abort()


class Inside:
    """A lobby, a clock that stands, and a network between clients and the lobby that tests cut and spoil."""

    def __init__(self, lobby: Lobby, clock: ManualClock) -> None:
        self.lobby = lobby
        self.clock = clock
        self.down = False
        self.wires: list[InsideWire] = []
        self.spoil: Callable[[str | bytes], str | bytes] = lambda message: message
        """What becomes of a message on its way to a client."""

    @classmethod
    @asynccontextmanager
    async def running(cls, **options: Any) -> AsyncIterator[Inside]:
        clock = ManualClock()
        async with Lobby({"notes": Notes, "hub": Hub}, clock=clock, **options) as lobby:
            yield cls(lobby, clock)

    async def __call__(self, target: Target) -> Wire:
        """A ``Dial``."""
        if self.down:
            raise Unreachable("the network is down")
        admitted = await self.lobby.admit(Request.build(target.url, headers=target.headers))
        if isinstance(admitted, Response):
            raise HandshakeRefused(admitted.status, admitted.body.decode())
        socket = await LocalSocket(admitted.room, admitted.request).open()
        self.wires.append(InsideWire(socket, lambda message: self.spoil(message)))
        return self.wires[-1]

    def cut(self) -> None:
        """No connection and no new one, until ``mend``."""
        self.down = True
        for wire in self.wires:
            wire.abort()

    async def mend(self) -> None:
        self.down = False
        await self.pass_time()

    async def pass_time(self) -> None:
        """Enough for whatever is under way."""
        for _ in range(4):
            await self.clock.advance(2)

    def client(self, **options: Any) -> DocumentClient:
        """A client of the document ``a``."""
        backoff = Backoff(initial=1, maximum=2, jitter=0)
        party = "hub" if options.get("dialect") == "hocuspocus" else "notes"
        chosen = {"room": "a", "party": party, "clock": self.clock, "dial": self, "backoff": backoff, **options}
        return DocumentClient("localhost", **chosen)

    @asynccontextmanager
    async def joined(self, **options: Any) -> AsyncIterator[DocumentClient]:
        """A client that is synced."""
        async with self.client(**options) as client:
            await client.synced()
            await settle()
            yield client

    async def saved(self, client: DocumentClient) -> None:
        """Wait until all of a client's edits are saved, and all is told to everybody."""
        await settle()
        await self.clock.advance(1)
        await client.saved()
        await settle()

    @property
    def party(self) -> Notes:
        """The document's party in the lobby."""
        (party,) = (room.life.party for room in self.lobby.rooms() if room.party == "notes")
        assert isinstance(party, Notes)
        return party


def body(client: DocumentClient) -> Text:
    """The text that tests write in."""
    found: Text = client.doc.get("body", type=Text)
    return found


def text(client: DocumentClient) -> str:
    """What is written there."""
    return str(body(client))
