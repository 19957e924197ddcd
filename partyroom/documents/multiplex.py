"""HocuspocusParty: clients of Hocuspocus 4, whose one WebSocket carries many documents.

A translator and no more. For each document that a client names it visits the document's room as a y-websocket client
would, and passes on what either side says in the words of the other. So permissions, presence, the journal and the
promise that *saved* means stored are those of the ``DocumentParty``, said there once, and clients of all kinds meet in
one document.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from ..connection import Connection
from ..errors import CloseCode, ConnectionClosed, ProtocolError, Refused, RoomStopped
from ..http import Query, Request, Response
from ..limits import KIB, Limits
from ..lobby import Admission
from ..local import LocalSocket
from ..party import MaybeAwaitable, Party, settled
from ..protocols import chunks, hocuspocus, yjs
from ..protocols.lib0 import read_varuint, varuint
from .party import DocumentParty

__all__ = ["HocuspocusParty"]

EARLY_MESSAGES, EARLY_SIZE = 100, 64 * KIB
"""How many stateless messages, of how many characters, one client may send to documents that are not open yet."""
COME_BACK = (CloseCode.GOING_AWAY, CloseCode.ABNORMAL, CloseCode.SERVICE_RESTART, CloseCode.TRY_AGAIN_LATER)
"""How a document's room ends where connecting again mends it: providers do that for whole sockets only."""


class HocuspocusParty(Party):
    """Serves the documents of another party to clients of Hocuspocus 4, under their room ids.

    The room's own id means nothing: all who use one share a room, whose ``connections_per_room`` counts sockets. A
    provider's token is the ``token`` of the request that ``on_before_connect`` of the documents' party decides about.
    Stateless messages reach ``on_custom_message`` there, and ``send_custom_message`` answers with them.

    A client's messages are handled in order, so a document that is slow to open holds up the others on its socket. A
    subclass that overrides ``on_start``, ``on_connect``, ``on_message`` or ``on_close`` calls the base class's as well.
    """

    limits: ClassVar[Limits | None] = DocumentParty.limits
    documents: ClassVar[str] = "main"
    """The party, a ``DocumentParty``, whose rooms the documents are."""
    documents_per_connection: ClassVar[int] = 200
    """How many documents one socket may carry; one more is refused."""

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def on_authenticate(
        self, connection: Connection, document: str, token: str
    ) -> MaybeAwaitable[Request | Response | None]:
        """A client asks for a document, or shows a new token for one that it has: before ``on_before_connect`` there.

        A ``Response`` refuses. A ``Request`` is the one to ask the document's room with; ``None`` stands for the
        socket's own with ``token`` in its query.
        """
        return None

    def request_token(self, connection: Connection, document: str) -> None:
        """Have a client show the token that it has by now for an open document; what it may do is decided anew."""
        for channel in self._clients[connection].channels.values():
            if hocuspocus.document_name(channel.address) == document:
                channel.say(hocuspocus.token_request())

    # -- hooks -------------------------------------------------------------------------------------------------------

    def on_start(self) -> MaybeAwaitable[None]:
        """Make sure that there is a party of documents; raises ``KeyError``."""
        self._clients: dict[Connection, _Client] = {}
        self._rooms = self.room.parties[self.documents]
        return None

    def on_connect(self, connection: Connection) -> MaybeAwaitable[None]:
        """Wait for the client to name its first document."""
        self._clients[connection] = _Client()
        return None

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Take a message for one of the documents, and wait until the document's room has handled it."""
        if isinstance(message, str):
            raise ProtocolError("Hocuspocus clients send binary messages only")
        address, said = hocuspocus.parse(message)
        client = self._clients[connection]
        channel = client.channels.get(address)
        match said:
            case hocuspocus.Ping():
                connection.send(hocuspocus.PONG)
            case hocuspocus.Token(token):
                if channel is None:
                    await self._open(connection, client, address, token)
                else:
                    await self._authenticate_again(client, channel, token)
            case hocuspocus.Close():
                if channel is not None:
                    del client.channels[address]
                    await channel.leave()
            case hocuspocus.Stateless(payload) if channel is None:
                client.keep(address, payload)
            case _:  # of what comes before the token, or after a refusal, opening brings everything again
                if channel is not None:
                    await channel.take(said)

    async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Leave the rooms of all its documents."""
        client = self._clients.pop(connection, None)
        if client is not None:
            await asyncio.gather(*(channel.leave() for channel in client.channels.values()))

    # -- documents ---------------------------------------------------------------------------------------------------

    async def _open(self, connection: Connection, client: _Client, address: str, token: str) -> None:
        """Visit a document's room for a client, or tell it why not."""
        early = client.kept(address)
        channel = None
        try:
            if len(client.channels) >= self.documents_per_connection:
                raise Refused(403, "too many documents on one connection")
            room, request = await self._admit(connection, address, token)
            channel = _Channel(connection, address, await LocalSocket(room, request).open())
            await channel.greet(early)
            if self._clients.get(connection) is not client:
                raise ConnectionClosed  # meanwhile the client has left, and all that it had open was closed
            channel.listening = self.room.spawn(self._listen(client, channel))
            client.channels[address] = channel
        except BaseException as error:
            if channel is not None:
                await channel.leave()
            if not isinstance(error, (Refused, RoomStopped, ConnectionClosed)):
                raise
            self._tell_end(connection, address, _ended(error), opened=False)

    async def _admit(self, connection: Connection, address: str, token: str, *, again: bool = False) -> Admission:
        document = hocuspocus.document_name(address)
        asked = await settled(self.on_authenticate(connection, document, token))
        if isinstance(asked, Response):
            raise Refused(asked.status, asked.body.decode(errors="replace").strip())
        asked = asked or _with_token(connection.request, token)
        admission: Admission = await self._rooms[document].admit(asked, again=again)
        return admission

    async def _authenticate_again(self, client: _Client, channel: _Channel, token: str) -> None:
        """A new token for an open document: from here on the document's room sees the request that brought it."""
        try:
            _, request = await self._admit(channel.connection, channel.address, token, again=True)
        except Refused as refused:
            if client.channels.pop(channel.address, None) is not None:
                await channel.leave()
                self._tell_end(channel.connection, channel.address, _ended(refused), opened=True)
        else:
            await channel.renew(request)

    async def _listen(self, client: _Client, channel: _Channel) -> None:
        """Pass on what a document's room says until it ends the visit."""
        try:
            while True:
                channel.hear(await channel.socket.receive())
        except ConnectionClosed as ended:
            if client.channels.pop(channel.address, None) is not None:
                self._tell_end(channel.connection, channel.address, ended, opened=True)

    def _tell_end(self, connection: Connection, address: str, ended: ConnectionClosed, *, opened: bool) -> None:
        reason = ended.reason or f"closed with {ended.code}"
        if ended.code in COME_BACK:
            code = CloseCode.TRY_AGAIN_LATER if ended.code == CloseCode.ABNORMAL else ended.code
            connection.close(code, reason.encode()[:120].decode(errors="ignore"))
            return
        denied = not opened and ended.code >= 4000
        message = hocuspocus.permission_denied(reason) if denied else hocuspocus.close(reason)
        connection.send(hocuspocus.address(address) + message)


class _Channel:
    """One document of one client: its visit to the document's room, and which edits the client is to hear about."""

    def __init__(self, connection: Connection, address: str, socket: LocalSocket) -> None:
        self.connection = connection
        self.address = address
        self.socket = socket
        self.listening: asyncio.Task[None] | None = None
        self._prefix = hocuspocus.address(address)
        self._sent = 0
        """How many edits of the client went to the room, each with a question about all that went so far."""
        self._settled = 0
        """How many of them the client has heard about, or does not wait for any more."""
        self._counts_step2 = False

    def say(self, message: bytes) -> None:
        """Send the client a message about this document."""
        self.connection.send(self._prefix + message)

    async def greet(self, early: list[str]) -> None:
        """Tell the client what it may do and what the room said when it came; the room gets what came ``early``."""
        socket = self.socket
        await socket.send(yjs.access())
        said = [socket.transport.take() for _ in range(len(socket.transport.messages))]
        answer = next((message for message in said if message in (yjs.access(True), yjs.access(False))), None)
        if answer is None:
            raise socket.transport.ended or TypeError(f"documents are the rooms of a DocumentParty, not {socket!r}")
        said.remove(answer)
        for message in (answer, *said):
            self.hear(message)
        for payload in early:
            await socket.send(chunks.custom(payload))

    async def renew(self, request: Request) -> None:
        """Be ``request`` to the room from now on, and ask what that may do."""
        if self.socket.connection is not None:
            self.socket.connection.request = request
        await self._send(yjs.access())

    async def take(self, said: hocuspocus.Message) -> None:
        """Tell the room what the client said.

        The client counts its edits down to none by our answers. Its SyncStep1 starts the count anew, at one: the
        SyncStep2 with which it answers the room's own SyncStep1, and which holds all that it sent before.
        """
        match said:
            case yjs.SyncStep1(state_vector):
                self._settled = self._sent
                self._counts_step2 = True
                await self._send(yjs.sync_step1(state_vector))
            case yjs.SyncStep2(update):
                await self._send(yjs.sync_step2(update))
                if self._counts_step2:
                    self._counts_step2 = False
                    await self._ask()
            case yjs.Update(update):
                await self._send(yjs.update(update))
                await self._ask()
            case yjs.Awareness(update):
                await self._send(yjs.awareness(update))
            case yjs.QueryAwareness():
                await self._send(yjs.query_awareness())
            case hocuspocus.Stateless(payload):
                await self._send(chunks.custom(payload))

    async def _ask(self) -> None:
        self._sent += 1
        await self._send(yjs.sync_status(varuint(self._sent)))

    async def _send(self, message: str | bytes) -> None:
        with suppress(ConnectionClosed):  # whoever listens tells the client
            await self.socket.send(message)

    def hear(self, message: str | bytes) -> None:
        """Tell the client what the room said."""
        if isinstance(message, str):
            text = chunks.parse_custom(message)
            self.say(hocuspocus.stateless(message if text is None else text))
            return
        match yjs.parse(message):
            case yjs.SyncStatus(payload):
                self._settle(read_varuint(payload, 0)[0])
            case yjs.PermissionDenied():
                self.say(hocuspocus.sync_status(False))
            case yjs.Access(write):
                self.say(hocuspocus.authenticated(bool(write)))
            case _:
                self.say(message)  # sync and awareness are the same in both

    def _settle(self, saved: int) -> None:
        """All edits up to that one are on disk."""
        for _ in range(self._settled, saved):
            self.say(hocuspocus.sync_status(True))
        self._settled = max(self._settled, saved)

    async def leave(self) -> None:
        """End the visit."""
        if self.listening is not None:
            self.listening.cancel()
        await self.socket.close()


@dataclass(slots=True, eq=False)
class _Client:
    """One socket: its open documents by address, and what it said to those that are not open yet."""

    channels: dict[str, _Channel] = field(default_factory=dict)
    early: list[tuple[str, str]] = field(default_factory=list)

    def keep(self, address: str, payload: str) -> None:
        """Hold a stateless message for ``kept``; raises ``ProtocolError`` past the bounds."""
        self.early.append((address, payload))
        if len(self.early) > EARLY_MESSAGES or sum(len(to) + len(text) for to, text in self.early) > EARLY_SIZE:
            raise ProtocolError("too many messages for documents that are not open", CloseCode.POLICY_VIOLATION)

    def kept(self, address: str) -> list[str]:
        """What was held for a document, in order."""
        payloads = [payload for to, payload in self.early if to == address]
        self.early = [item for item in self.early if item[0] != address]
        return payloads


def _with_token(request: Request, token: str) -> Request:
    if not token:
        return request
    others = [(name, value) for name, value in request.query.pairs() if name != "token"]
    return request.replace(query=Query([*others, ("token", token)]))


def _ended(error: Refused | RoomStopped | ConnectionClosed) -> ConnectionClosed:
    """The close code that says the same, which for a refusal mirrors the HTTP status."""
    match error:
        case Refused(status=503):
            return ConnectionClosed(CloseCode.TRY_AGAIN_LATER, error.reason)
        case Refused():
            return ConnectionClosed(4000 + error.status, error.reason)
        case RoomStopped():
            return ConnectionClosed(CloseCode.INTERNAL_ERROR, "the document could not be opened")
    return error
