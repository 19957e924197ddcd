"""Session: what stands between a document and its server: socket, dialect, sync and the file it is kept in.

Everything runs in the event loop that it was started in, but edits: those may come from any thread that holds ``lock``,
as whatever touches the document here does.

At the end of a turn of the loop in which something changed, what was accepted is handed to the file, ``on_change`` is
called, and edits are sent: all of one turn in one message, or of several turns while the network is slow.

Nothing that a server sends gets further than this. What breaks the protocol costs the connection, and another follows;
what breaks the engine, whose panics are ``BaseException`` s, costs the document object, and the content goes on in
another.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from pycrdt import Doc

from ..clock import Clock, Timer
from ..errors import CloseCode, ConnectionClosed, ProtocolError, QueueFull, Refused, StoreError
from ..protocols import chunks, yjs
from ..protocols.replica import Replica, ReplicaBroken
from .callbacks import Callbacks
from .dialect import Dialect, YjsDialect
from .engine import REMOTE, engine, rescued
from .hocuspocus import HocuspocusDialect
from .keep import Keep
from .presence import Change
from .socket import PartySocket, Status
from .sync import Sync
from .waiting import Changes

__all__ = ["DocumentStatus", "Session"]

log = logging.getLogger("partyroom.client")

RENEW_EVERY: Final = 15.0
"""Seconds. Who has y-protocols' own awareness, other clients or a server, forgets whoever is silent for 30."""


class DocumentStatus(StrEnum):
    """How a document and its server stand."""

    CONNECTING = "connecting"
    """There has been no connection yet."""
    SYNCING = "syncing"
    """There is a connection, and the server's document is on its way."""
    SYNCED = "synced"
    """Both have the same, and hear of edits as they are made."""
    OFFLINE = "offline"
    """The connection was lost; edits wait for the next."""
    CLOSED = "closed"
    """There will be no connection any more."""


class Session:
    """``fresh_token`` gives the token of the moment, as text; ``hocuspocus`` is whether the server is Hocuspocus'."""

    def __init__(
        self,
        socket: PartySocket,
        *,
        doc: Doc[Any] | None,
        keep: Keep | None,
        clock: Clock,
        hocuspocus: bool,
        fresh_token: Callable[[], Awaitable[str]],
    ) -> None:
        self.lock = threading.RLock()
        self.socket = socket
        self.sync = Sync(self, doc)
        self.status = DocumentStatus.CONNECTING
        self.failure = ""
        """Why this side hung up last, if it did."""
        self.token = ""
        self.changed = Changes()
        """Something has changed that somebody may wait for."""
        self.on_status = Callbacks[[DocumentStatus]]("on_status")
        self.on_change = Callbacks[[]]("on_change")
        self.on_presence = Callbacks[[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]("on_presence")
        self.on_replace = Callbacks[[Doc[Any]]]("on_replace")
        self.on_reset = Callbacks[[Doc[Any]]]("on_reset")
        self.on_custom_message = Callbacks[[str]]("on_custom_message")
        self.keep = keep
        self._clock = clock
        self._fresh_token = fresh_token
        self._dialect: Dialect = (
            HocuspocusDialect(socket.room, self._post, self._show_token) if hocuspocus else YjsDialect()
        )
        self.started = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._turning = False
        self._accepted: list[bytes] = []
        self._flushing = self._reloading = self._warned = self._doubted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewal: Timer | None = None
        socket.on_open(self._opened)
        socket.on_message(self._heard)
        socket.on_close(self._closed)
        socket.on_status(lambda status: self._look())

    # -- beginning and end -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what was kept, then begin to connect. Raises ``StoreError``, and ``ProtocolError`` for what is no
        document."""
        if self.started:
            return
        self.started = True
        try:
            if self.keep is not None:
                await self._load(self.keep)
        except BaseException:
            self.started = False
            raise
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self.socket.start()
        self._renew()

    async def _load(self, keep: Keep) -> None:
        """What was edited before, or is while the file is read, is kept as a whole afterwards."""
        try:
            kept = await keep.open()
            with self.lock, engine():
                if self.sync.edits:
                    keep.append(self.sync.replica.snapshot())
                self.sync.lineage = kept.lineage
                if kept.snapshot or kept.updates:
                    self.sync.load(kept.updates, kept.snapshot)
        except BaseException:
            await keep.close()
            raise
        if self.sync.edits:
            self.on_change()

    async def kept(self) -> None:
        """Wait until everything so far is in the file. Raises ``StoreError``, or ``ValueError`` where there is none."""
        if self.keep is None:
            raise ValueError("this document is kept nowhere: give DocumentClient a file, as keep=...")
        if self._turning:
            self._turn()
        await self.keep.flush()

    async def close(self, code: int, reason: str) -> None:
        """Send what waits, say goodbye, and finish writing."""
        if self._loop is not None:
            self._turn()
            with self.lock, self._hanging_up():
                self.sync.flush()
                self.sync.show(None)
                if self.sync.is_open:
                    for message in self._dialect.closing():
                        self._post(message)
        await self.socket.close(code, reason)
        if self._renewal is not None:
            self._renewal.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.keep is not None and self._loop is not None:
            self._turn()
            self._compact(ending=True)
            await self.keep.close()
        self._loop = None

    # -- the socket --------------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        with self.lock, self._hanging_up():
            self.failure, self._warned = "", False
            for message in self._dialect.opened(self.token):
                self._post(message)
            self.sync.opened()

    def _heard(self, message: str | bytes) -> None:
        with self.lock, self._hanging_up():
            for said in self._dialect.read(message):
                if isinstance(said, bytes):
                    self.sync.received(said)
                else:
                    text = chunks.parse_custom(said)
                    if text is None and not self.sync.synced:
                        self._doubt()
                    self.on_custom_message(said if text is None else text)

    def _doubt(self) -> None:
        """A text where a document should be: most likely there is another party than one thinks. Say so once."""
        if not self._doubted:
            self._doubted = True
            log.warning("%s sends texts and no document: is its party a DocumentParty?", self.socket.url)

    def _closed(self, code: int, reason: str) -> None:
        with self.lock:
            self.socket.discard()  # every connection begins with what the document holds
            self.sync.closed()

    @contextmanager
    def _hanging_up(self) -> Iterator[None]:
        """Whatever goes wrong costs the connection and no more."""
        try:
            with engine():
                yield
        except Refused as refused:
            self._hang_up(CloseCode.FORBIDDEN, refused.reason)
        except ConnectionClosed as ended:
            self._hang_up(ended.code, ended.reason)
        except ReplicaBroken as broken:
            self._hang_up(broken.code, f"the document broke over an update: {broken.reason}")
            self._recover()
        except ProtocolError as error:
            self._hang_up(error.code, error.reason)
        except Exception:
            log.exception("a message from %s could not be taken", self.socket.url)
            self._hang_up(CloseCode.INTERNAL_ERROR, "this client failed")

    def _hang_up(self, code: int, reason: str) -> None:
        self.failure = reason
        log.warning("hanging up on %s: %s", self.socket.url, reason)
        self.socket.hang_up(code, reason)

    def _post(self, message: str | bytes) -> None:
        try:
            self.socket.post(message)
        except QueueFull:
            self._hang_up(CloseCode.TRY_AGAIN_LATER, "the network is too slow for what is edited")
        except ConnectionClosed:
            pass  # we are closing

    def say(self, text: str) -> None:
        """Send an application's text. Raises ``ConnectionClosed`` where there is no connection."""
        if not self.sync.is_open:
            raise ConnectionClosed(CloseCode.ABNORMAL, "there is no connection now")
        for message in self._dialect.write(chunks.custom(text)):
            self._post(message)

    def _show_token(self) -> None:
        async def show() -> None:
            self.token = await self._fresh_token()
            assert isinstance(self._dialect, HocuspocusDialect)
            self._post(self._dialect.token(self.token))

        self._spawn(show())

    def _renew(self) -> None:
        """Stay in the memory of the others and of servers."""
        if self.sync.is_open:
            with self.lock:
                if self.sync.presence.state is not None:
                    self.sync.announce()
                elif self._dialect.impatient:
                    self.send(yjs.query_awareness())
        self._renewal = self._clock.call_later(RENEW_EVERY, self._renew)

    # -- what the sync tells -----------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """This is for the server."""
        for words in self._dialect.write(message):
            self._post(words)
        for answer in self._dialect.answers():
            self.sync.received(answer)

    def accepted(self, update: bytes) -> None:
        """This is in the document now. Called inside a transaction, perhaps in another thread."""
        if self._loop is None:
            return  # not started, and then the whole document is kept; or closed
        self._accepted.append(update)
        if not self._turning:
            self._turning = True
            self.call_soon(self._turn)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the event loop, from whatever thread; not at all where there is none."""
        if self._loop is None or self._loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._loop.call_soon(callback)
        else:
            self._loop.call_soon_threadsafe(callback)

    def present(self, change: Change) -> None:
        """Others came, changed or left."""
        self.on_presence(*change)

    def progressed(self) -> None:
        """How it stands with the server has changed."""
        self.changed()
        self._look()

    def continues(self, lineage: str) -> None:
        """The document's history is called this."""
        if self.keep is not None:
            self.keep.continues(lineage)

    def replaced(self, old: Doc[Any]) -> None:
        """``doc`` is another object."""
        self.on_replace(old)

    def reset(self, old: Doc[Any], lineage: str) -> None:
        """``doc`` is empty, and the server has another document."""
        log.warning("%s has another history on the server: what was not stored is given up", self.socket.url)
        self._accepted.clear()
        if self.keep is not None:
            self.keep.reset(lineage)
        self.on_replace(old)
        self.on_reset(old)

    def _look(self) -> None:
        """Tell whoever wants to know what the status is now."""
        if self.socket.status is Status.CLOSED:
            status = DocumentStatus.CLOSED
        elif self.socket.status is Status.OPEN:
            status = DocumentStatus.SYNCED if self.sync.synced else DocumentStatus.SYNCING
        elif self.status is DocumentStatus.CONNECTING:
            return
        else:
            status = DocumentStatus.OFFLINE
        if status is not self.status:
            self.status = status
            self.changed()
            self.on_status(status)

    # -- the end of a turn -------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        with self.lock:
            self._turning = False
            self.sync.replica.settle()
            accepted, self._accepted = self._accepted, []
            if self.keep is not None:
                for update in accepted:
                    self.keep.append(update)
                self._compact()
        if accepted:
            self._warn_reader()
            self.on_change()
            if not self._flushing:
                self._flushing = True
                self._spawn(self._flush())

    def _warn_reader(self) -> None:
        """Whoever edits what is read only may not have looked."""
        if self.sync.read_only is not None and self.sync.stored < self.sync.edits and not self._warned:
            self._warned = True
            log.warning("what is edited of %s stays here: %s", self.socket.url, self.sync.read_only)

    async def _flush(self) -> None:
        """Send what was edited, when little else waits to be sent."""
        try:
            await self.socket.drained()
        finally:
            self._flushing = False
        with self.lock, self._hanging_up():
            self.sync.flush()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _compact(self, *, ending: bool = False) -> None:
        if self.keep is None or self._reloading or not self.keep.worth_compacting(ending=ending):
            return
        with self._hanging_up():
            if (snapshot := self.sync.replica.compact()) is not None:
                self.keep.compact(snapshot, self.sync.replica.waiting)

    # -- when the engine breaks --------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Go on with the content in another document; where it cannot be read, with what is kept, if anything."""
        if (replica := rescued(self.sync.replica)) is not None:
            log.error("the document of %s goes on in a new object", self.socket.url)
            self.sync.rebuilt(replica)
            return
        log.error("the document of %s cannot be read any more: begun anew from what is kept", self.socket.url)
        self.sync.rebuilt(Replica(origin=REMOTE))
        if self.keep is not None:
            self._reloading = True
            self._spawn(self._reload(self.keep))

    async def _reload(self, keep: Keep) -> None:
        try:
            kept = await keep.read()
            with self.lock, engine():
                self.sync.load(kept.updates, kept.snapshot)
            self._reloading = False  # and where that has failed, what is kept is not replaced
        except (StoreError, ProtocolError):
            log.exception("the kept document of %s could not be read", self.socket.url)
