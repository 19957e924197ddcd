"""DocumentParty: a room that is a Yjs document. Clients of y-websocket, y-partykit and y-partyserver connect unchanged.

An update is checked, applied, put on its way to disk and passed on, in this order and in one step. Updates and
presence go to everyone, the sender included: two of the client families hang up after 30 seconds of silence, and a
WebSocket ping is silence to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, TypeVar

from pycrdt import Doc

from ..connection import Connection
from ..errors import CloseCode
from ..http import Request, Response
from ..limits import MIB, Limits
from ..party import MaybeAwaitable, Party, settled
from ..protocols import chunks, yjs
from ..protocols.awareness import Awareness, Change
from ..protocols.replica import Replica, ReplicaBroken
from ..room import Room
from ..storage import Write
from .log import Log

__all__ = ["DocumentParty"]

log = logging.getLogger("partyroom.documents")

T = TypeVar("T")

SAVE_AFTER, SAVE_WITHIN = 2.0, 10.0
"""``on_save`` runs when edits have paused for so many seconds, and at the latest after so many."""


class DocumentParty(Party):
    """A room with one Yjs document: ``doc`` (pycrdt) and ``awareness``.

    Server code edits ``self.doc`` in any hook; everyone sees it at once. The document is kept in the room's storage,
    under keys that begin with ``document/``. A subclass that overrides ``on_start``, ``on_connect``, ``on_message``,
    ``on_close`` or ``on_stop`` calls the base class's as well.
    """

    limits = Limits(message=32 * MIB, buffer=48 * MIB, value=None)

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._replica = Replica()
        self._log = Log(room.storage)
        self._chunks: dict[Connection, chunks.Reassembler] = {}
        self._greeted: set[Connection] = set()
        self._refused: set[Connection] = set()
        self._answered: set[Connection] = set()
        self._held: dict[Connection, bytes] = {}
        self._last_write: Write | None = None
        self._saver: asyncio.Task[None] | None = None
        self._rebuilding: asyncio.Task[None] | None = None
        self._changed_at = 0.0
        self._unsaved = False

    @property
    def doc(self) -> Doc[Any]:
        """The live document. Take shared types from it when you need them: it is built anew where the engine fails, and
        where an edit cuts an emoji in half.
        """
        return self._replica.doc

    @property
    def awareness(self) -> Awareness:
        """Who is here and what they show."""
        return self._replica.awareness

    # -- for subclasses ----------------------------------------------------------------------------------------------

    @classmethod
    def on_before_request(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """HTTP needs what WebSockets need: whoever ``on_before_connect`` refuses does not read over HTTP either."""
        return cls.on_before_connect(request)

    def can_read(self, connection: Connection) -> bool:
        """Whether this client may see the document; asked when it joins, and when a Hocuspocus client shows a new
        token. ``False`` closes it with 4403.

        Where this is overridden, the document is not given out over HTTP, which has no connection to ask about.
        """
        return True

    def can_write(self, connection: Connection) -> bool:
        """Whether this client's edits count; asked at each of them. Presence is always allowed."""
        return True

    def on_load(self) -> MaybeAwaitable[bytes | None]:
        """The document has been loaded from storage: edit ``self.doc``, or return an update to merge into it."""
        return None

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

    async def merge(self, update: bytes) -> None:
        """Take an update from elsewhere into the document, live for all; returns when it is on disk.

        Raises ``ProtocolError`` where it cannot be applied, and ``StoreError``.
        """
        while self._rebuilding is not None:
            await asyncio.wait([self._rebuilding])
        self._merge(update, "this server")
        if self._last_write is not None:
            await self._last_write

    # -- hooks -------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Load the document."""
        await self._load(self._replica.awareness)
        update = await settled(self.on_load())
        if update is not None and self._replica.apply(update):
            self._accepted(update)
        for connection in self.room.connections():  # a hibernating room has woken up
            self._greet(connection)

    async def _load(self, awareness: Awareness) -> None:
        self._log = Log(self.room.storage)
        snapshot, updates = await self._log.load()
        replica = Replica()
        replica.awareness = awareness
        replica.load(updates, snapshot=snapshot)
        replica.on_edit(self._edited_here)
        self._replica = replica

    def on_connect(self, connection: Connection) -> MaybeAwaitable[None]:
        """Ask the newcomer for what we lack, and tell who is here."""
        if self._rebuilding is not None:
            return self._once_whole(self._rebuilding, self.on_connect, connection)
        if self.can_read(connection):
            self._greet(connection)
        else:
            connection.close(CloseCode.FORBIDDEN, "you may not read this document")
        return None

    def _greet(self, connection: Connection) -> None:
        connection.send(yjs.sync_step1(self._replica.state_vector()))
        if (everybody := self.awareness.everybody()) is not None:
            connection.send(yjs.awareness(everybody))

    def on_message(self, connection: Connection, message: str | bytes) -> MaybeAwaitable[None]:
        """Take a Yjs message, or a piece of one, or an application's text."""
        if self._rebuilding is not None:
            return self._once_whole(self._rebuilding, self.on_message, connection, message)
        if isinstance(message, str):
            if not chunks.Reassembler.is_marker(message):
                text = chunks.parse_custom(message)
                return self.on_custom_message(connection, message if text is None else text)
            reassembler = self._chunks.setdefault(connection, chunks.Reassembler(self.room.limits.message))
            whole = reassembler.marker(message)
        else:
            pending = self._chunks.get(connection)
            whole = message if pending is None else pending.chunk(message)
        if whole is not None:
            self._take(connection, yjs.parse(whole))
        return None

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Tell the others who left."""
        self._chunks.pop(connection, None)
        self._greeted.discard(connection)
        self._refused.discard(connection)
        self._answered.discard(connection)
        self._held.pop(connection, None)
        self._present(self.awareness.remove(connection))
        if not self.room.connections():
            self._compact(quiet=True)

    async def on_stop(self) -> None:
        """Save what is not saved; the room flushes its storage after this."""
        self._compact(quiet=True)
        if self._unsaved:
            await settled(self.on_save())

    def on_request(self, request: Request) -> MaybeAwaitable[Response]:
        """``GET`` tells about the document, ``GET .../doc`` is the document as one Yjs update."""
        if self._rebuilding is not None:
            return self._once_whole(self._rebuilding, self.on_request, request)
        if request.method not in ("GET", "HEAD"):
            return Response("A document is read with GET and edited over WebSocket\n", 405, {"allow": "GET, HEAD"})
        if request.subpath == "doc":
            if type(self).can_read is not DocumentParty.can_read:
                return Response("This document is not given out over HTTP\n", 403)
            return Response(self._replica.snapshot())
        if request.subpath:
            return Response("Not found\n", 404)
        return Response.json({"people": len(self.room.connections()), "present": len(self.awareness)})

    # -- the Yjs protocol --------------------------------------------------------------------------------------------

    def _take(self, connection: Connection, message: yjs.Message) -> None:
        match message:
            case yjs.Update(update) | yjs.SyncStep2(update):
                first = isinstance(message, yjs.SyncStep2) and connection not in self._answered
                if update == yjs.EMPTY_UPDATE:
                    pass
                elif self.can_write(connection):
                    self._apply(connection, update)
                elif not (first and self._replica.holds(update)):
                    self._refused.add(connection)
                if first:
                    self._answers(connection)
            case yjs.Awareness(update):
                self._present(self.awareness.apply(connection, update, _identity(connection.request)))
            case yjs.SyncStep1(state_vector):
                diff = self._replica.diff(state_vector)
                if not connection.spend(diff):  # a short question with a long answer counts for the answer
                    return
                connection.send(yjs.sync_step2(diff))
                for update in self._replica.waiting:
                    connection.send(yjs.update(update))
                if connection in self._greeted:  # a re-sync; the first time our own step 1 is under way already
                    connection.send(yjs.sync_step1(self._replica.state_vector()))
                self._greeted.add(connection)
            case yjs.QueryAwareness():
                connection.send(yjs.awareness(self.awareness.everybody() or b"\x00"))
            case yjs.Access():
                self._tell_access(connection)
            case yjs.SyncStatus():
                self._acknowledge(connection, yjs.sync_status(message.payload))
            case yjs.Unknown() | yjs.PermissionDenied():
                log.debug("%s: %r sent a message of another dialect", self.room.address, connection)

    def _tell_access(self, connection: Connection) -> None:
        if self.can_read(connection):
            connection.send(yjs.access(self.can_write(connection)))
        else:
            connection.close(CloseCode.FORBIDDEN, "you may not read this document")

    def _acknowledge(self, connection: Connection, answer: bytes) -> None:
        """Send ``answer`` once all edits so far are on disk; never to a client some of whose edits did not count.

        ``@y-sweet/client`` asks as soon as it is connected, before it answers our step 1 with what it wrote offline,
        and hangs up where it hears nothing for 3 s after asking.
        """
        if connection in self._refused:
            connection.send(yjs.permission_denied("what you wrote is not saved: you may not write here"))
            return
        if connection not in self._answered:
            self._held[connection] = answer
            return
        if self._last_write is None:
            connection.send(answer)
            return

        def written(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is None:
                connection.send(answer)

        self._last_write.add_done_callback(written)

    def _answers(self, connection: Connection) -> None:
        """A client has answered our step 1: what it wrote offline is here, and it may hear whether that is saved."""
        self._answered.add(connection)
        if (answer := self._held.pop(connection, None)) is not None:
            self._acknowledge(connection, answer)

    def _apply(self, connection: Connection, update: bytes) -> None:
        try:
            self._merge(update, connection)
        except ReplicaBroken:
            connection.close(CloseCode.POLICY_VIOLATION, "this update cannot be applied")

    def _merge(self, update: bytes, sender: object) -> None:
        try:
            changed = self._replica.apply(update)
        except ReplicaBroken as error:
            # The engine gave up half way, but what is stored is whole: build the document from that, while all wait.
            log.error("%s: an update of %r broke the document in memory: %s", self.room.address, sender, error)
            self._rebuilding = self.room.spawn(self._rebuild())
            raise
        if changed:
            self._accepted(update)
            self._compact(quiet=False)

    async def _rebuild(self) -> None:
        try:
            await self._load(self._replica.awareness)
        except Exception:
            log.exception("%s: the document cannot be built anew; the room starts again", self.room.address)
            self._stopping = asyncio.create_task(self.room.stop(CloseCode.SERVICE_RESTART, "the room starts again"))
        finally:
            self._rebuilding = None

    async def _once_whole(
        self, rebuilding: asyncio.Task[None], hook: Callable[..., MaybeAwaitable[T]], *arguments: Any
    ) -> T:
        await asyncio.wait([rebuilding])
        return await settled(hook(*arguments))

    def _edited_here(self, update: bytes) -> None:
        """Server code has edited the document. Called inside its transaction: the document may not be touched."""
        self._accepted(update)

    def _accepted(self, update: bytes) -> None:
        """Keep an update that is in the document now, and pass it on."""
        self._last_write = self._log.append(update)
        self.room.broadcast(yjs.update(update))
        self._changed_at = monotonic()
        self._unsaved = True
        if self._saver is None and type(self).on_save is not DocumentParty.on_save:
            self._saver = self.room.spawn(self._save())

    def _present(self, change: Change | None) -> None:
        if change is not None:
            self.room.broadcast(yjs.awareness(change.update))

    def _compact(self, *, quiet: bool) -> None:
        """Replace the log by a snapshot and what waits for its predecessors, which a snapshot does not hold."""
        if self._log.worth_compacting(quiet=quiet) and (snapshot := self._replica.compact()) is not None:
            self._log.compact(snapshot, self._replica.waiting)

    async def _save(self) -> None:
        """Call ``on_save`` when edits pause, until all is saved. A room that stops cancels this and saves at once."""
        try:
            while self._unsaved:
                began = monotonic()
                while (rest := min(self._changed_at + SAVE_AFTER, began + SAVE_WITHIN) - monotonic()) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(rest)
                self._unsaved = False
                try:
                    await settled(self.on_save())
                except BaseException:
                    self._unsaved = True
                    raise
        finally:
            self._saver = None


def _identity(request: Request) -> Any:
    """What stays the same when a client comes again: its user, by name where a token names it; or the id it chose."""
    user = request.user.get("sub") if isinstance(request.user, Mapping) else request.user
    return user or request.query.get("_pk")
