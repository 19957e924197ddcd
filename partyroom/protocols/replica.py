"""Replica: a Yjs document with its awareness, which takes and answers what the messages carry and does no I/O.

The engine is pycrdt (yrs). Its habits, found by experiment with 0.14.13, shape this file:

- A panic is a ``BaseException``, and an error can leave half an update applied. After either, the document in memory is
  not to be trusted (``ReplicaBroken``); whoever keeps the accepted updates builds a new replica from them.
- ``get_update()`` leaves out what waits for a predecessor. Such updates are kept here, beside the document.
- An observer costs more than applying an edit (12 microseconds against 6), so ours looks away while a remote update is
  applied, unless it is needed to see whether a deletion was news.
- It cannot cut a character in half as Yjs does: ``protocols.surrogates``.
- Applying what the guard accepts is safe; *reading* is not always. Text with an emoji inside an ``Array``, which any
  client can put there, makes pycrdt loop forever in ``list(array)``, ``to_py()`` and ``str()`` of whatever holds it.
  Read a ``Text`` as text, and nothing else of an untrusted document in the server's process.
- A document that has an observer is never freed: the engine holds the callback, and that the document, where Python's
  garbage collector cannot look. So ours holds the replica weakly, and is taken away with it.
- Inside an observer the document may not be touched. What ``on_edit`` hands out are bytes; its callback keeps to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakMethod

from pycrdt import Doc, TransactionEvent

from ..errors import CloseCode, ProtocolError
from ..limits import MIB
from . import guard
from .awareness import Awareness
from .deletions import covers
from .guard import Summary
from .nesting import FEW, MAX_NESTING, deepest
from .surrogates import Surrogates, may_hold_pairs

__all__ = ["Replica", "ReplicaBroken", "weakly"]

log = logging.getLogger("partyroom.protocols")

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 1000
"""Updates that may wait for their predecessors: each costs a look at every edit. A client whose updates are refused for
this has what they lack, and a new sync brings all of it."""


class ReplicaBroken(ProtocolError):
    """The engine failed in the middle of an update: the document in memory is not to be trusted any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, CloseCode.POLICY_VIOLATION)


class _Waiting(NamedTuple):
    """An accepted update that lacks something, and the clocks it depends on as they were when it was last tried."""

    update: bytes
    summary: Summary
    tried_at: tuple[int, ...]


class Replica:
    """A Yjs document and who is in it.

    ``doc`` is the live document, free to be edited by server code; ``awareness`` is who is here. ``max_waiting`` bounds
    the bytes of updates whose predecessors are missing (and ``MOST_WAITING`` their number). Updates are applied in
    transactions of ``origin``; an undo manager takes those without one for its user's own edits.
    """

    def __init__(
        self, doc: Doc[Any] | None = None, *, max_waiting: int = 32 * MIB, origin: Hashable | None = None
    ) -> None:
        self.doc: Doc[Any] = Doc() if doc is None else doc
        self.awareness = Awareness()
        self._max_waiting = max_waiting
        self._origin = origin
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._surrogates = Surrogates()
        self._parents: set[tuple[int, int]] = set()
        self._broken = False
        self._applying = self._fired = False
        self._on_edit: Callable[[bytes], object] | None = None
        self._clocks = guard.state_vector(self.doc.get_state())
        self._observer = weakly(self._observe)
        self._subscription = self.doc.observe(self._observer)
        self._closed = False
        if self._clocks:
            self._learn(self.doc.get_update())

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more of ``doc``, which somebody may still hold; nothing else may be asked of a closed replica."""
        self._on_edit = None
        if not self._closed:
            self._closed = True
            self.doc.unobserve(self._subscription)

    # -- what the room asks ----------------------------------------------------------------------------------------

    def state_vector(self) -> bytes:
        """What this replica knows, for a SyncStep1."""
        return self.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """What somebody with this state vector lacks, for a SyncStep2; raises ``ProtocolError``.

        Updates that still lack something are not in it: send ``waiting`` after it.
        """
        guard.state_vector(state_vector)
        return self.doc.get_update(state_vector)

    @property
    def waiting(self) -> tuple[bytes, ...]:
        """Accepted updates whose predecessors are missing: for newcomers, after ``diff``, and to be kept."""
        return tuple(waiting.update for waiting in self._waiting)

    @property
    def pending(self) -> bool:
        """Whether something waits for its predecessors; ``snapshot`` does not hold it."""
        return bool(self._waiting)

    def snapshot(self) -> bytes:
        """The document as one update, without what waits."""
        return self.doc.get_update()

    def compact(self) -> bytes | None:
        """The snapshot that, with ``waiting`` after it, may take the place of all updates so far.

        It is tried by reading it back; ``None`` where the engine's encoding does not bring back all that it knows: keep
        the updates then.
        """
        if self._broken:
            return None
        snapshot = self.doc.get_update()
        copy: Doc[Any] = Doc()
        try:
            copy.apply_update(snapshot)
        except BaseException as error:
            _reraise_if_ours(error)
            return None
        whole = guard.state_vector(copy.get_state()) == guard.state_vector(self.doc.get_state())
        return snapshot if whole else None

    def holds(self, update: bytes) -> bool:
        """Whether an update brings nothing, as the SyncStep2 of who has nothing new; raises ``ProtocolError``."""
        summary = guard.check(update)
        return not summary.structs and covers(guard.check(self.doc.get_update(self.doc.get_state())), summary)

    def on_edit(self, callback: Callable[[bytes], object]) -> None:
        """Calls ``callback(update)`` for every edit that server code makes to ``doc``, in place of an earlier callback.

        It runs inside the edit's transaction and may not touch the document.
        """
        self._on_edit = callback

    # -- taking updates --------------------------------------------------------------------------------------------

    def load(self, updates: Iterable[bytes], *, snapshot: bytes | None = None) -> None:
        """Applies what was kept: a ``snapshot`` that ``compact`` gave and is trusted, and accepted updates in order."""
        if snapshot is not None:
            self._engine(snapshot)
            self._learn(snapshot)
            self._read_clocks()
        for update in updates:
            self._take(update, guard.check(update))

    def apply(self, update: bytes) -> bool:
        """Takes in a remote update: ``True`` where it was news, and is to be kept and passed on as it came.

        Raises ``ProtocolError`` (close code 1008) where it is refused and nothing has changed, and ``ReplicaBroken``
        where the engine failed half-way.
        """
        return self._take(update, guard.check(update))

    def _take(self, update: bytes, summary: Summary) -> bool:
        if summary.astral:
            self._surrogates.learn(update, summary)
        if self._surrogates:
            self._cut(summary)
        clocks = self._clocks
        news = False
        for client, (_, end) in summary.clients.items():
            if end > clocks.get(client, 0):
                news = True
        if not news and not summary.deletes:
            return False
        if summary.parents:
            self._measure(update, summary)
        if self._may_wait(summary):
            return self._take_in_part(update, summary)
        mended = self._surrogates.mend(update, summary) if summary.astral else update
        fired = self._engine(mended, watch=not news)
        if not news:
            return fired
        for client, (_, end) in summary.clients.items():
            if end > clocks.get(client, 0):
                clocks[client] = end
        if self._waiting:
            self._retry()
        return True

    def _may_wait(self, summary: Summary) -> bool:
        """Whether the update builds on something not known yet (or that it brings itself: that may be a circle)."""
        if summary.gaps:
            return True
        known, brought = self._clocks, summary.clients
        for client, (first, _) in brought.items():
            if first > known.get(client, 0):
                return True
        for client, clock in summary.needs.items():
            if clock > known.get(client, 0):
                return True
        for client, clock in summary.deletes.items():
            if clock > known.get(client, 0) and (client not in brought or clock > brought[client][1]):
                return True
        return False

    def _take_in_part(self, update: bytes, summary: Summary) -> bool:
        """Takes an update of which a part may have to wait; the engine applies the rest, and the clocks tell."""
        if any(waiting.update == update for waiting in self._waiting):
            return False
        if self._waiting_bytes + len(update) > self._max_waiting or len(self._waiting) >= MOST_WAITING:
            raise ProtocolError("too many updates wait for their predecessors", CloseCode.POLICY_VIOLATION)
        before = self._clocks
        fired = self._engine(self._surrogates.mend(update, summary), watch=True)
        self._read_clocks()
        if waits := self._waits(summary):
            self._waiting.append(_Waiting(update, summary, self._clocks_of(summary)))
            self._waiting_bytes += len(update)
        # What fired may only wait; and the engine lists clients of whom it has nothing yet.
        if self._waiting and any(clock > before.get(client, 0) for client, clock in self._clocks.items()):
            self._retry()
        return fired or waits

    def _waits(self, summary: Summary) -> bool:
        """Whether the document does not hold all of an update."""
        known = self._clocks
        return any(end > known.get(client, 0) for client, (_, end) in summary.clients.items()) or any(
            end > known.get(client, 0) for client, end in summary.deletes.items()
        )

    def _clocks_of(self, summary: Summary) -> tuple[int, ...]:
        known = self._clocks
        return tuple(
            known.get(client, 0) for part in (summary.clients, summary.needs, summary.deletes) for client in part
        )

    def _retry(self) -> None:
        """Applies what waited, where the clocks that it depends on have moved, until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            still: list[_Waiting] = []
            for waiting in self._waiting:
                now = self._clocks_of(waiting.summary)
                if now != waiting.tried_at:
                    moved |= self._engine(self._surrogates.mend(waiting.update, waiting.summary), watch=True)
                    self._read_clocks()
                if self._waits(waiting.summary):
                    still.append(waiting._replace(tried_at=now))
            moved |= len(still) < len(self._waiting)
            self._waiting = still
        self._waiting_bytes = sum(len(waiting.update) for waiting in self._waiting)

    # -- the engine ------------------------------------------------------------------------------------------------

    def _engine(self, update: bytes, *, watch: bool = False) -> bool:
        """Has the engine apply an update; with ``watch``, whether that changed anything."""
        if self._broken:
            raise ReplicaBroken("the document in memory broke earlier")
        doc = self.doc
        if watch:
            self._applying, self._fired = True, False
        else:
            doc.unobserve(self._subscription)
        try:
            with doc.transaction(self._origin):
                doc.apply_update(update)
        except ExceptionGroup:  # the engine has done its work; what it raises after that are others' observers' errors
            log.exception("an observer of the document failed")
        except ValueError as error:  # the engine could not read it, and has not begun
            raise ProtocolError(f"this update cannot be applied: {error}", CloseCode.POLICY_VIOLATION) from None
        except BaseException as error:
            self._broken = True
            _reraise_if_ours(error)
            raise ReplicaBroken(f"{type(error).__name__}: {error}") from None
        finally:
            if watch:
                self._applying = False
            else:
                self._subscription = doc.observe(self._observer)
        return self._fired

    def _observe(self, event: TransactionEvent) -> None:
        if self._applying:
            self._fired = True
            return
        update = event.update
        summary = guard.check(update)
        for client, (_, end) in summary.clients.items():
            self._clocks[client] = max(end, self._clocks.get(client, 0))
        if summary.astral:
            self._surrogates.learn(update, summary)
        if self._on_edit is not None:
            self._on_edit(update)

    def _read_clocks(self) -> None:
        self._clocks = guard.state_vector(self.doc.get_state())

    def _measure(self, update: bytes, summary: Summary) -> None:
        """Refuses an update that nests shared types deeper than the engine can bear."""
        self._parents.update(summary.parents)
        if len(self._parents) <= FEW:
            return
        whole = guard.links(self.doc.get_update())
        for waiting in self._waiting:
            whole += guard.links(waiting.update)
        depth, new = deepest(whole, guard.links(update))
        if new > MAX_NESTING:
            reason = f"this update cannot be applied: shared types nested more than {MAX_NESTING} deep"
            raise ProtocolError(reason, CloseCode.POLICY_VIOLATION)
        if depth <= MAX_NESTING:
            self._parents.clear()

    # -- characters cut in half --------------------------------------------------------------------------------------

    def _learn(self, state: bytes) -> None:
        if may_hold_pairs(state):
            self._surrogates.learn(state, guard.check(state))

    def _cut(self, summary: Summary) -> None:
        """Builds the document anew where this update, or one that waits, cuts characters of it in half."""
        torn = False
        for part in (summary, *(waiting.summary for waiting in self._waiting)):
            torn |= self._surrogates.tear(part.marks)
            torn |= self._surrogates.tear((client, first) for client, (first, _) in part.clients.items())
            torn |= self._surrogates.tear((client, self._clocks.get(client, 0)) for client in part.clients)
        if not torn:
            return
        state = self.doc.get_update()
        renewed: Doc[Any] = Doc(client_id=self.doc.client_id, guid=self.doc.guid)
        self.doc.unobserve(self._subscription)
        self.doc = renewed
        self._subscription = renewed.observe(self._observer)
        self._engine(self._surrogates.mend(state, guard.check(state)))
        for waiting in self._waiting:
            self._engine(self._surrogates.mend(waiting.update, waiting.summary))
        self._read_clocks()


def weakly(method: Callable[P, T]) -> Callable[P, T | None]:
    """A function that calls a bound method as long as its object lives, and does not keep it alive."""
    reference = WeakMethod(method)

    def call(*arguments: P.args, **named: P.kwargs) -> T | None:
        alive = reference()
        return None if alive is None else alive(*arguments, **named)

    return call


def _reraise_if_ours(error: BaseException) -> None:
    """A panic is a ``BaseException``, and so are the interpreter's own requests to stop."""
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        raise error
