"""DocumentParty: a room that is a Yjs document. Clients of y-websocket, y-partykit and y-partyserver connect unchanged.

An update is checked, applied, put on its way to disk and passed on, in this order and in one step. Updates and
presence go to everyone, the sender included: two of the client families hang up after 30 seconds of silence, and a
WebSocket ping is silence to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, ClassVar, TypeVar

from pycrdt import Doc

from ..connection import Connection
from ..errors import CloseCode, ProtocolError, Refused
from ..http import Request, Response
from ..limits import MIB, Limits
from ..party import MaybeAwaitable, Party, settled
from ..protocols import chunks, yjs
from ..protocols.awareness import Awareness
from ..protocols.engine import REST, TURN
from ..protocols.replica import Replica, ReplicaBroken, Tangled, weakly
from ..room import Room
from ..storage import Write
from . import versions_http
from .authors import Author
from .edited import Edited
from .history import History
from .http import Face
from .live import CANNOT, LiveDocument
from .peers import REPLACED, Peer, Peers
from .quarantine import Quarantined
from .saving import Saver
from .versions import Version, Versioning

__all__ = ["DocumentParty"]

log = logging.getLogger("partyroom.documents")

T = TypeVar("T")


class DocumentParty(Party):
    """A room with one Yjs document: ``doc`` (pycrdt) and ``awareness``.

    Server code edits ``self.doc`` in any hook; everyone sees it at once. The document is kept in the room's storage,
    under keys that begin with ``document/``. A subclass that overrides ``on_start``, ``on_connect``, ``on_message``,
    ``on_close`` or ``on_stop`` calls the base class's as well.

    With ``hibernate``, a document that nobody edits for a minute leaves memory while its clients stay connected: they
    notice nothing, and presence goes on. It is not the default because all that a subclass keeps in attributes is gone
    then, and ``on_start`` and ``on_load`` run again at the next edit, which waits for them (some 40 ms a megabyte).
    """

    limits = Limits(message=32 * MIB, buffer=48 * MIB, value=None, doze=60.0)
    versioning: ClassVar[Versioning | None] = Versioning()
    """When versions are kept and how many; ``None`` keeps no history at all, and nothing of who edited."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._peers = Peers.of(room)
        self._live = LiveDocument(room, self._peers, accepted=weakly(self._accepted), opened=weakly(self._opened))
        self._saver = Saver(room, weakly(self.on_save)) if type(self).on_save is not DocumentParty.on_save else None
        watched = type(self).on_edit is not DocumentParty.on_edit
        self._edited = Edited(room, weakly(self.on_edit), self._live.whole) if watched else None
        rules = self.versioning
        self._history = None if rules is None else History(room, rules, self.awareness, weakly(self._go_back))
        self._face = Face()
        self._turn = self._turn_ended = 0.0

    @property
    def doc(self) -> Doc[Any]:
        """The live document. Take shared types from it when you need them: it is built anew where the engine fails, and
        where an edit cuts an emoji in half.

        Watch it by ``on_edit``, and never by ``observe`` of pycrdt: observers are left behind with the old object, and
        those that are told of an update which a stranger has made to fail half-way read freed memory.
        """
        return self._live.doc

    @property
    def awareness(self) -> Awareness:
        """Who is here and what they show."""
        return self._peers.awareness

    @property
    def lineage(self) -> str:
        """The id of the document's history, another one after ``replace``; empty as long as nothing is stored."""
        return self._live.lineage

    # -- for subclasses ----------------------------------------------------------------------------------------------

    @classmethod
    def on_before_request(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """HTTP needs what WebSockets need: whoever ``on_before_connect`` refuses does not read over HTTP either."""
        return cls.on_before_connect(request)

    def can_read(self, connection: Connection) -> bool:
        """Whether this client may see the document; asked when it joins, and when a Hocuspocus client shows a new
        token. ``False`` closes it with 4403. HTTP has no connection to ask about: see ``may_read``.
        """
        return True

    def can_write(self, connection: Connection) -> bool:
        """Whether this client's edits count; asked at each of them. Presence is always allowed."""
        return True

    def may_read(self, request: Request) -> bool:
        """Whether an HTTP request that ``on_before_request`` let pass may see the document.

        Where ``can_read`` is overridden and this is not, nobody may: what is refused on one way is not given out on
        the other.
        """
        return type(self).can_read is DocumentParty.can_read

    def may_write(self, request: Request) -> bool:
        """Whether an HTTP request may edit it, likewise: nobody, where ``can_write`` is overridden and this is not.

        With tokens: ``may_write = token.may_write`` beside ``can_write = token.can_write``.
        """
        return type(self).can_write is DocumentParty.can_write

    def on_load(self) -> MaybeAwaitable[bytes | None]:
        """The document has been loaded from storage: edit ``self.doc``, or return an update to merge into it.

        An update that is returned whatever the document holds brings a history back that ``replace`` has replaced.
        """
        return None

    def on_edit(self) -> MaybeAwaitable[None]:
        """Somebody has edited ``self.doc``, which may be read and edited here: then this is called again.

        One call is for all edits that came in one moment, or during the last call.
        """

    def on_save(self) -> MaybeAwaitable[None]:
        """Edits have paused for 2 s (or gone on for 10 s): for those who keep the content elsewhere as well."""

    def on_custom_message(self, connection: Connection, message: str) -> MaybeAwaitable[None]:
        """A client of y-partyserver called ``sendMessage``, or some client sent text."""

    def send_custom_message(self, connection: Connection, message: str) -> None:
        """Send text to one client as y-partyserver's ``custom-message``."""
        connection.send(chunks.custom(message))

    def broadcast_custom_message(self, message: str, without: tuple[Connection, ...] = ()) -> None:
        """Send text to all clients as y-partyserver's ``custom-message``."""
        self.room.broadcast(chunks.custom(message), without)

    async def merge(self, update: bytes, by: Connection | Author | None = None) -> None:
        """Take an update from elsewhere into the document, live for all; returns when it is on disk.

        ``by`` is whose edit it is in the history. Raises ``ProtocolError`` where it cannot be applied, and
        ``StoreError``.
        """
        sender = by or "this server"
        await self._live.let_in(update, sender)
        slow = self._live.merge(update, sender)
        if slow is not None and (error := await asyncio.shield(slow)) is not None:
            raise error
        await self._live.saved()

    async def replace(self, update: bytes) -> None:
        """Put the whole document ``update`` in the place of this one and its history; returns when it is on disk.

        ``EMPTY_UPDATE`` deletes for good. Clients that mind the lineage (ours do) empty their document and take the
        new one, losing what they had not sent. The others are closed with 4410, those that come back with the old
        document later too: it would be merged into the new one. ``doc`` is another object from here on.

        Raises ``ProtocolError`` for what is no whole document, and ``StoreError``.
        """
        await self._live.replace(update, None if self._history is None else self._history.replaced())
        self._tell_hooks()
        await self._live.saved()

    async def quarantined(self) -> list[Quarantined]:
        """Updates that broke the engine or killed a server, and were not applied again: the newest, oldest first."""
        return await self._live.quarantined()

    # -- history -----------------------------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """Versions, who changed what, and undo; raises ``Refused`` (404) where ``versioning`` is ``None``."""
        if self._history is None:
            raise Refused(404, "this document keeps no history")
        return self._history

    async def save_version(self, name: str, author: Connection | Author | None = None) -> Version:
        """Keep the document as it is under a name, until somebody deletes it.

        Raises ``ValueError`` for what is no name, and ``LimitError`` where there are too many.
        """
        return await self.history.save(name, self.history.author(author))

    async def restore_version(self, id: int, author: Connection | Author | None = None) -> Version:
        """Make the document what it was, as one edit that all receive; what it was just now is kept and returned.

        What is the same in both is not touched, so edits that others make meanwhile merge. Raises ``Refused`` (404).
        """
        await self._live.whole()
        return await self.history.restore(id, self.history.author(author))

    async def undo(self, who: Connection | str) -> bool:
        """Take back what somebody did last (``"user:ada"``), whatever others have done since; whether there was any.

        Raises ``Refused`` (409) where too much has happened since.
        """
        await self._live.whole()
        author = self.history.author(who)
        return await self.history.undo(author.who, author)

    async def redo(self, who: Connection | str) -> bool:
        """Bring back what was undone of somebody last, unless they have edited since; whether there was any."""
        await self._live.whole()
        author = self.history.author(who)
        return await self.history.redo(author.who, author)

    # -- hooks -------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Load the document."""
        try:
            await self._live.load()
            update = await settled(self.on_load())
        except BaseException:
            self._live.close()
            raise
        if update is not None and self._live.replica.apply(update):
            self._live.accept(update)

    def on_connect(self, connection: Connection) -> MaybeAwaitable[None]:
        """Ask the newcomer for what we lack, and tell who is here."""
        if self._live.busy is not None:
            return self._once_whole(self.on_connect, connection)
        if self.can_read(connection):
            self._greet(connection)
        else:
            connection.close(CloseCode.FORBIDDEN, "you may not read this document")
        return None

    def _greet(self, connection: Connection) -> None:
        connection.send(yjs.sync_step1(self._live.replica.state_vector()))
        if len(self.awareness):
            self._peers.introduce(connection)

    @classmethod
    def auto_answer(cls, room: Room, connection: Connection, message: str | bytes) -> bool:
        """Presence goes on while the document hibernates."""
        if cls.on_message is not DocumentParty.on_message:
            return False  # it may want to see every message
        return Peers.of(room).without_the_document(connection, message)

    @classmethod
    def auto_close(cls) -> Callable[[Room, Connection], object] | None:
        """Who leaves a document that hibernates does not wake it."""
        if cls.on_close is not DocumentParty.on_close or cls.on_error is not Party.on_error:
            return None
        return lambda room, connection: Peers.of(room).remove(connection)

    def on_message(self, connection: Connection, message: str | bytes) -> MaybeAwaitable[None]:
        """Take a Yjs message, or a piece of one, or an application's text."""
        if self._live.busy is not None:
            return self._once_whole(self.on_message, connection, message)
        peer = self._peers[connection]
        if isinstance(message, str):
            if not chunks.Reassembler.is_marker(message):
                text = chunks.parse_custom(message)
                return self.on_custom_message(connection, message if text is None else text)
            whole = peer.pieces.marker(message)
        else:
            whole = peer.pieces.chunk(message)
        if whole is None:
            return None
        said = yjs.parse(whole)
        if self._live.careful and isinstance(said, (yjs.Update, yjs.SyncStep2)):
            return self._take_with_care(connection, peer, said)
        began = monotonic()
        result = self._take(connection, peer, said)
        if result is None and self._has_had_its_turn(began, monotonic()):
            return asyncio.sleep(REST)  # there may be many more such messages here, and other rooms
        return result

    def _has_had_its_turn(self, began: float, ended: float) -> bool:
        """Whether messages have taken so much time without a break that others should have theirs."""
        self._turn = max(0.0, self._turn - (began - self._turn_ended)) + ended - began
        self._turn_ended = ended
        if self._turn < TURN:
            return False
        self._turn = 0.0
        return True

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Tell the others who left."""
        if self._history is not None:
            self._history.leaving(connection)
        self._peers.remove(connection)
        if not self.room.connections():
            self._live.compact(quiet=True)

    async def on_stop(self) -> None:
        """Save what is not saved; the room flushes its storage after this."""
        await self._live.finish()
        if self._edited is not None:
            await self._edited.finish()
        if self._saver is not None:
            await self._saver.finish()
        if self._history is not None:
            await self._history.finish()

    def on_request(self, request: Request) -> MaybeAwaitable[Response]:
        """``GET`` tells who is there; ``.../doc`` and the like are the document (``documents.http`` has the table)."""
        if self._live.busy is not None:
            return self._once_whole(self.on_request, request)
        if self._face.answers(request):
            return self._face.answer(self, request)
        if versions_http.answers(request):
            return versions_http.answer(self, request)
        if request.subpath:
            return Response("Not found\n", 404)
        if request.method not in ("GET", "HEAD"):
            return Response("A document is read and edited at .../doc\n", 405, {"allow": "GET, HEAD"})
        return Response.json({"people": len(self.room.connections()), "present": len(self.awareness)})

    # -- the Yjs protocol --------------------------------------------------------------------------------------------

    async def _take_with_care(self, connection: Connection, peer: Peer, message: yjs.Update | yjs.SyncStep2) -> None:
        try:
            if not peer.foreign and self.can_write(connection):
                if not peer.named and await self._live.brings_back(message.update, asked=peer.greeted):
                    raise ProtocolError(REPLACED, CloseCode.GONE)
                await self._live.let_in(message.update, connection)
        except ProtocolError as error:
            connection.close(error.code, error.reason)
            return
        began = monotonic()
        await settled(self._take(connection, peer, message))
        if self._has_had_its_turn(began, monotonic()):
            await asyncio.sleep(REST)

    def _take(self, connection: Connection, peer: Peer, message: yjs.Message) -> Awaitable[None] | None:
        match message:
            case yjs.Update(update) | yjs.SyncStep2(update):
                if not peer.foreign:
                    return self._take_update(connection, peer, update, answer=isinstance(message, yjs.SyncStep2))
            case yjs.Awareness(update):
                self._peers.present(connection, update)
            case yjs.SyncStep1(state_vector):
                self._take_question(connection, peer, state_vector)
            case yjs.QueryAwareness():
                self._peers.introduce(connection)
            case yjs.Access():
                self._tell_access(connection)
            case yjs.Lineage(id):
                self._peers.shows(connection, id, self._live.lineage)
            case yjs.SyncStatus(payload):
                self._peers.acknowledge(connection, yjs.sync_status(payload), self._live.last_write)
            case yjs.Unknown() | yjs.PermissionDenied():
                log.debug("%s: %r sent a message of another dialect", self.room.address, connection)
        return None

    def _take_update(
        self, connection: Connection, peer: Peer, update: bytes, *, answer: bool
    ) -> Awaitable[None] | None:
        """An edit, or with ``answer`` all that a client has and we lack."""
        if update == yjs.EMPTY_UPDATE:
            pass
        elif self.can_write(connection):
            try:
                slow = self._live.merge(update, connection)
            except ReplicaBroken as error:
                connection.close(error.code, CANNOT)
            else:
                if slow is not None:
                    return self._take_slowly(connection, peer, slow, answer=answer)
                if answer:  # with all that we lacked: what was refused before counts now
                    peer.refused = False
        elif peer.answered or not answer or not self._live.replica.holds(update):
            peer.refused = True
        if answer:
            self._answered(connection, peer)
        return None

    async def _take_slowly(
        self, connection: Connection, peer: Peer, slow: asyncio.Task[ProtocolError | None], *, answer: bool
    ) -> None:
        await asyncio.wait([slow])
        if connection.closed:
            return
        error = None if slow.cancelled() else slow.result()
        if error is not None:
            connection.close(error.code, error.reason if isinstance(error, Tangled) else CANNOT)
        elif answer:
            peer.refused = False
        if answer:
            self._answered(connection, peer)

    def _answered(self, connection: Connection, peer: Peer) -> None:
        if not peer.answered:
            self._peers.has_answered(connection, self._live.last_write)

    def _take_question(self, connection: Connection, peer: Peer, state_vector: bytes) -> None:
        replica = self._live.replica
        if not peer.named and not peer.foreign and self._live.has_left(state_vector):
            connection.close(CloseCode.GONE, REPLACED)
            return
        diff = replica.diff(state_vector)
        if not connection.spend(diff):  # a short question with a long answer counts for the answer
            return
        connection.send(yjs.sync_step2(diff))
        for update in replica.waiting:
            connection.send(yjs.update(update))
        if peer.greeted:  # a re-sync; the first time our own step 1 is under way already
            connection.send(yjs.sync_step1(replica.state_vector()))
        peer.greeted = True

    def _tell_access(self, connection: Connection) -> None:
        if self.can_read(connection):
            connection.send(yjs.access(self.can_write(connection)))
        else:
            connection.close(CloseCode.FORBIDDEN, "you may not read this document")

    def _go_back(self, update: bytes) -> Write | None:
        """History does, with an edit. It knows by whom."""
        self._live.merge(update, self._history, at_once=True)
        return self._live.last_write

    def _opened(self, replica: Replica) -> None:
        """The document is another object."""
        if self._history is not None:
            self._history.opened(replica)

    def _accepted(self, update: bytes, sender: object) -> None:
        """An update is in the document: tell all, and whoever else has to do with it."""
        self.room.broadcast(yjs.update(update))
        history = self._history
        if history is not None and sender is not history:
            history.edited(sender, update)
        self._tell_hooks()

    def _tell_hooks(self) -> None:
        if self._edited is not None:
            self._edited.changed()
        if self._saver is not None:
            self._saver.changed()

    async def _once_whole(self, hook: Callable[..., MaybeAwaitable[T]], *arguments: Any) -> T:
        await self._live.whole()
        return await settled(hook(*arguments))
