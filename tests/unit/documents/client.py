"""A Yjs client over an in-process socket, written for the tests from the protocol's description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pycrdt import Doc, Text

from partyroom import Connection, DocumentParty, Lobby, MemoryStore
from partyroom.local import LocalSocket
from partyroom.protocols import lib0, yjs
from partyroom.testing import settle, visit

PATH = "/parties/notes/today"


class Notes(DocumentParty):
    """A document; a client that says ``mode=read`` may not write."""

    def can_read(self, connection: Connection) -> bool:
        return connection.request.query.get("mode") != "none"

    def can_write(self, connection: Connection) -> bool:
        return connection.request.query.get("mode") != "read"


class Client:
    """One client. With a ``lineage`` (empty: it knows none) it minds the document's; ``None`` is a y-websocket."""

    def __init__(self, socket: LocalSocket, doc: Doc[Any] | None = None, lineage: str | None = None) -> None:
        self.socket = socket
        self.lineage = lineage
        self.resets = 0
        self.people: dict[int, str] = {}
        self.received: list[yjs.Message] = []
        self._take_up(Doc() if doc is None else doc)

    def _take_up(self, doc: Doc[Any]) -> None:
        self.doc = doc
        self.text = doc.get("body", type=Text)

    async def sync(self) -> None:
        """Do what a provider does when it opens, and read all that comes back."""
        if self.lineage is not None:
            await self.socket.send(yjs.lineage(self.lineage))
        await self.socket.send(yjs.sync_step1(self.doc.get_state()))
        await self.read()

    async def insert(self, index: int, text: str) -> bytes:
        """Edit and send the update; returns it."""
        before = self.doc.get_state()
        self.text.insert(index, text)
        update = self.doc.get_update(before)
        await self.socket.send(yjs.update(update))
        return update

    async def present(self, state: str, clock: int = 1, client: int | None = None) -> None:
        await self.socket.send(yjs.awareness(present(client or self.doc.client_id % 2**32, clock, state)))

    async def read(self) -> None:
        """Take in everything that has arrived."""
        await settle()
        while self.socket.transport.messages:
            data = self.socket.transport.take()
            assert isinstance(data, bytes)
            message = yjs.parse(data)
            self.received.append(message)
            match message:
                case yjs.SyncStep1(state):
                    await self.socket.send(yjs.sync_step2(self.doc.get_update(state)))
                case yjs.SyncStep2(update) | yjs.Update(update):
                    self.doc.apply_update(update)
                case yjs.Awareness(update):
                    self._hear(update)
                case yjs.Lineage(id):
                    await self._learn(id)

    async def _learn(self, lineage: str) -> None:
        known, self.lineage = self.lineage, lineage
        if known and known != lineage:
            self.resets += 1
            self._take_up(Doc())
            await self.socket.send(yjs.lineage(lineage))
            await self.socket.send(yjs.sync_step1(self.doc.get_state()))

    def _hear(self, update: bytes) -> None:
        decoder = lib0.Decoder(update)
        for _ in range(decoder.varuint()):
            client, _clock, state = decoder.varuint(), decoder.varuint(), decoder.string()
            if state == "null":
                self.people.pop(client, None)
            else:
                self.people[client] = state


def present(client: int, clock: int, state: str) -> bytes:
    """The awareness update of one client."""
    encoder = lib0.Encoder().varuint(1)
    return bytes(encoder.varuint(client).varuint(clock).buffer(state.encode()))


@asynccontextmanager
async def join(
    lobby: Lobby, query: str = "", doc: Doc[Any] | None = None, lineage: str | None = None
) -> AsyncIterator[Client]:
    """A client that has synchronised with the document at ``PATH``."""
    async with visit(lobby, PATH + query) as socket:
        client = Client(socket, doc, lineage)
        await client.sync()
        yield client


class Shared:
    """A store that outlives the lobby that closes it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def close(self) -> None:
        pass
