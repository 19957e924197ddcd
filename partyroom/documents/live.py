"""LiveDocument: a document in memory and its log as one. What is accepted is on its way to disk in the same step.

Updates come in by ``merge``, and server code edits ``doc``. Either way ``accepted`` hears of each, once, in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from pycrdt import Doc

from ..connection import Connection
from ..errors import CloseCode, ProtocolError
from ..protocols import guard
from ..protocols.engine import LARGE, REST, Elsewhere, Steps, Weigh, exhausted
from ..protocols.replica import Replica, ReplicaBroken, weakly
from ..room import Room
from ..storage import Write
from .caution import Caution
from .log import Log
from .peers import Peers
from .quarantine import Quarantined
from .weigh import loads_soon

__all__ = ["CANNOT", "LiveDocument"]

log = logging.getLogger("partyroom.documents")

T = TypeVar("T")
Asked: TypeAlias = Elsewhere | Weigh | None

CANNOT: Final = "this update cannot be applied"


class LiveDocument:
    """One room's document.

    ``accepted(update, sender)`` is called for each update that is in the document from now on, by whatever way;
    ``opened(replica)`` when the document is another object: loaded, built anew, or replaced.
    """

    def __init__(
        self,
        room: Room,
        peers: Peers,
        *,
        accepted: Callable[[bytes, object], object],
        opened: Callable[[Replica], object],
    ) -> None:
        self.replica = Replica()
        self.last_write: Write | None = None
        """The latest update's; all before it are on disk with it."""
        self.busy: asyncio.Task[Any] | None = None
        """While the document is built anew, for the engine has given up, or takes long over an update or a snapshot:
        wait for ``whole`` before anything else."""
        self._snapshot: asyncio.Task[None] | None = None
        self._room = room
        self._peers = peers
        self._accepted = accepted
        self._opened = opened
        self._log = Log(room.storage)
        self._caution = Caution(room)

    @property
    def doc(self) -> Doc[Any]:
        """The document for server code."""
        return self.replica.doc

    @property
    def lineage(self) -> str:
        """The id of its history; empty as long as nothing is stored."""
        return self._log.lineage

    @property
    def careful(self) -> bool:
        """Whether updates from outside are to be waited for (``brings_back``, ``let_in``) before they are merged."""
        return self._caution.careful or bool(self._log.retired)

    async def quarantined(self) -> list[Quarantined]:
        """Updates that were not applied again, the oldest first."""
        return await self._caution.quarantine.all()

    # -- loading and closing -------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load it from the log; what there breaks the engine is left out. Raises ``Unreadable`` and ``StoreError``."""
        try:
            await self._load(doubt=False)
        except ProtocolError as error:
            log.error("%s: something stored cannot be applied (%s): looking for it", self._room.address, error)
            await self._load(doubt=True)

    async def _load(self, *, doubt: bool) -> None:
        stored = Log(self._room.storage)
        snapshot, updates = await self._caution.load(stored, doubt=doubt)
        replica = Replica()
        steps = replica.loading(updates, snapshot=snapshot)
        self._caution.loads()
        try:
            asked = next(steps)
        except StopIteration:
            pass  # as with most documents: they are there at once
        else:
            self._caution.ended()
            await self._through(steps, asked, self._caution.loads)
        finally:
            self._caution.ended()
        self._log = stored
        self._open(replica)

    def _open(self, replica: Replica) -> None:
        self.replica.close()
        replica.awareness = self._peers.awareness
        replica.on_edit(weakly(self._edited_here))  # no circle: a document that hibernates is free at once
        self.replica = replica
        self._opened(replica)

    async def finish(self) -> None:
        """The room stops: wait for the last update, but not for a snapshot that takes long; the log has it all."""
        self.compact(quiet=True)
        if self._snapshot is not None:
            self._snapshot.cancel()
        await self.whole()
        self._caution.close()

    def close(self) -> None:
        """End what goes on beside it."""
        self._caution.close()

    # -- updates -------------------------------------------------------------------------------------------------------

    async def let_in(self, update: bytes, sender: object) -> None:
        """Before an update from outside is merged; raises ``ProtocolError`` for one that would kill the process."""
        if self._caution.careful and not await self._caution.lets_in(self._log, update, sender):
            raise ProtocolError(CANNOT, CloseCode.POLICY_VIOLATION)
        await self.whole()

    def merge(
        self, update: bytes, sender: object, *, at_once: bool = False
    ) -> asyncio.Task[ProtocolError | None] | None:
        """Take in an update, in one step with keeping it and passing it on.

        Where that would hold up other rooms, and not ``at_once``, a task goes on with it, and returns what would have
        been raised. Raises ``ProtocolError`` where it is refused, and ``ReplicaBroken`` where the document has to be
        built anew.
        """
        caution = self._caution
        caution.began(update)
        try:
            steps = self.replica.take(update)
            if isinstance(steps, bool):
                changed = steps
            elif at_once:
                changed = exhausted(steps)
            else:
                asked = next(steps)
                return self._busy_with(self._room.spawn(self._merge_on(steps, asked, update, sender)))
        except StopIteration as last:
            changed = last.value
        except ReplicaBroken as error:
            # The engine gave up half way, but what is stored is whole: build the document from that, while all wait.
            self._busy_with(self._room.spawn(self._rebuild(update, sender, error)))
            raise
        finally:
            caution.ended()
        self._merged(update, sender, changed)
        return None

    async def _merge_on(self, steps: Steps[bool], asked: Asked, update: bytes, sender: object) -> ProtocolError | None:
        try:
            changed = await self._through(steps, asked, partial(self._caution.began, update))
        except ReplicaBroken as error:
            await self._rebuild(update, sender, error)
            return error
        except ProtocolError as error:
            return error
        self._merged(update, sender, changed)
        return None

    async def _through(self, steps: Steps[T], asked: Asked, begin: Callable[[], None]) -> T:
        """Go through steps, of which the last asked for that, and let others run in between."""
        while True:
            answer, error = None, None
            try:
                match asked:
                    case Elsewhere(work):
                        answer = await asyncio.to_thread(work)
                    case Weigh(state):
                        answer = await loads_soon(state)
                    case None:
                        await asyncio.sleep(REST)
            except ProtocolError as failure:
                error = failure
            begin()
            try:
                asked = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as last:
                return last.value  # type: ignore[no-any-return]
            finally:
                self._caution.ended()

    def _merged(self, update: bytes, sender: object, changed: bool) -> None:
        if changed:
            if not self._log.lineage and isinstance(sender, Connection):
                self._begin(self._peers[sender].lineage or "")
            self.accept(update, sender)
            self.compact(quiet=False)

    def accept(self, update: bytes, sender: object = None) -> None:
        """Keep an update that is in the document already, and pass it on."""
        if not self._log.lineage:
            self._begin()
        self.last_write = self._log.append(update)
        self._caution.knows(update)
        self._accepted(update, sender)

    def _edited_here(self, update: bytes) -> None:
        """Server code has edited the document. Called inside its transaction: the document may not be touched."""
        self.accept(update)
        if self.replica.pending:
            asyncio.get_running_loop().call_soon(self.replica.settle)

    def _begin(self, lineage: str = "") -> None:
        """The first update is about to be kept."""
        self._log.begin(lineage)
        self._peers.lineage_is_now(self._log.lineage)

    async def saved(self) -> None:
        """Until all that was accepted is on disk."""
        if self.last_write is not None:
            await self.last_write

    def compact(self, *, quiet: bool) -> None:
        """Replace the log by a snapshot and what waits for its predecessors, which a snapshot does not hold."""
        if self.busy is not None or not self._log.worth_compacting(quiet=quiet):
            return
        steps = self.replica.compacting()
        try:
            asked = next(steps)
        except StopIteration as last:
            self._compacted(last.value)
        else:
            # Not the room's task: it neither keeps a room awake, nor is cut off; who stops the room waits.
            name = f"snapshot of {self._room.address}"
            self._snapshot = self._busy_with(asyncio.create_task(self._compact_on(steps, asked), name=name))

    async def _compact_on(self, steps: Steps[bytes | None], asked: Asked) -> None:
        """Go on with it, unless server code edits meanwhile: what is not in the snapshot may not leave the log."""
        newest = self._log.next
        try:
            snapshot = await self._through(steps, asked, _nothing)
            self._compacted(snapshot if self._log.next == newest else None)
        except Exception:
            log.exception("%s: no snapshot could be made; the log goes on", self._room.address)

    def _compacted(self, snapshot: bytes | None) -> None:
        if snapshot is None:
            self._log.put_off()
        else:
            self._log.compact(snapshot, self.replica.waiting)

    # -- where the engine gives up -------------------------------------------------------------------------------------

    async def _rebuild(self, update: bytes, sender: object, error: ReplicaBroken) -> None:
        try:
            await self._caution.set_aside(update, sender, f"it breaks the engine: {error.reason}")
            await self.load()
        except Exception:
            log.exception("%s: the document cannot be built anew; the room starts again", self._room.address)
            self._stopping = asyncio.create_task(self._room.stop(CloseCode.SERVICE_RESTART, "the room starts again"))

    def _busy_with(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self.busy = task
        task.add_done_callback(self._is_free)
        return task

    def _is_free(self, task: asyncio.Task[Any]) -> None:
        if self.busy is task:
            self.busy = None

    async def whole(self) -> None:
        """Until the document is whole, and nothing is going on."""
        while self.busy is not None:
            await asyncio.wait([self.busy])

    # -- another history -----------------------------------------------------------------------------------------------

    async def replace(self, update: bytes, meanwhile: AbstractAsyncContextManager[object] | None = None) -> None:
        """Put a whole document in the place of this one and its history, in one batch, within ``meanwhile``.

        Raises ``ProtocolError`` for what is no whole document; nothing has changed then.
        """
        await self.let_in(update, "this server")
        replica = Replica()
        try:
            replica.apply(update)
        except ReplicaBroken as error:
            raise ProtocolError(error.reason, error.code) from None
        if replica.pending or (snapshot := replica.compact()) is None:
            raise ProtocolError("this update is not a whole document: it builds on others", CloseCode.POLICY_VIOLATION)
        async with meanwhile or nullcontext():
            await self.whole()  # a slow update that has begun meanwhile would go on into the new history
            before, now = map(guard.state_vector, (self.replica.state_vector(), replica.state_vector()))
            self.last_write = self._log.replace(snapshot, before, now)
            self._open(replica)
            self._peers.history_was_replaced(self._log.lineage)
        await self._caution.begin_anew(snapshot)

    def has_left(self, state_vector: bytes) -> bool:
        """Whether a document with this state vector holds something of a history that was replaced here.

        Raises ``ProtocolError``.
        """
        retired = self._log.retired
        if not retired:
            return False
        theirs, known = map(guard.state_vector, (state_vector, self.replica.state_vector()))
        # Who has gone on from where the history was replaced has been let in, with no more than that.
        return any(clock > retired.get(client, clock) >= known.get(client, 0) for client, clock in theirs.items())

    async def brings_back(self, update: bytes, *, asked: bool) -> bool:
        """Whether an update holds something of a history that was replaced here, likewise.

        Who has ``asked`` with a state vector that has not left may go on from where the history was replaced.
        """
        retired = self._log.retired
        if not retired:
            return False
        summary = guard.check(update) if len(update) < LARGE else await asyncio.to_thread(guard.check, update)
        return any(
            end > retired.get(client, end) >= self.replica.clock(client)
            and not (asked and first == retired[client] > 0)
            for client, (first, end) in summary.clients.items()
        )


def _nothing() -> None:
    """What is about to begin needs no note."""
