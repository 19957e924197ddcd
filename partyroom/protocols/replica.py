"""Replica: a Yjs document with its awareness, which takes and answers what the messages carry and does no I/O.

What has to be known of the engine under it says ``protocols.engine``. Two things more shape this file:

- ``get_update()`` leaves out what waits for a predecessor. Such updates are kept here, beside the document.
- The engine cannot cut a character in half as Yjs does: ``protocols.surrogates``.

And one is for its users. Applying what the guard accepts is safe; *reading* is not always. Text with an emoji inside an
``Array``, which any client can put there, makes pycrdt loop forever in ``list(array)``, ``to_py()`` and ``str()`` of
whatever holds it. Read a ``Text`` as text, and nothing else of an untrusted document in the server's process.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import inf
from time import thread_time
from typing import Any, Final, NamedTuple

from pycrdt import Doc, merge_updates

from ..errors import CloseCode, ProtocolError
from ..limits import MIB
from . import guard
from .awareness import Awareness
from .deletions import covers
from .engine import (
    AT_ONCE,
    LARGE,
    SMALLEST,
    TURN,
    Engine,
    ReplicaBroken,
    Steps,
    Tangled,
    TooLong,
    Weigh,
    check_readable,
    checked,
    elsewhere,
    exhausted,
    hurry,
    weakly,
)
from .guard import Summary
from .nesting import Nesting
from .portions import Portions
from .surrogates import Surrogates, may_hold_pairs

__all__ = ["Replica", "ReplicaBroken", "Tangled", "weakly"]

MOST_CLIENTS: Final = 100_000
"""Clients that may have written in a document. Whoever connects says how far it knows each of them: a megabyte."""

MOST_WAITING: Final = 1000
"""Updates that may wait for their predecessors: each costs a look at every edit. A client whose updates are refused for
this has what they lack, and a new sync brings all of it."""


class _Waiting(NamedTuple):
    """An accepted update, and what of it has not been applied yet."""

    update: bytes
    portions: Portions


class Replica:
    """A Yjs document and who is in it.

    ``doc`` is the live document, free to be edited by server code; ``awareness`` is who is here. ``max_waiting`` bounds
    the bytes of updates whose predecessors are missing (and ``MOST_WAITING`` their number). Updates are applied in
    transactions of ``origin``; an undo manager takes those without one for its user's own edits.
    """

    def __init__(
        self,
        doc: Doc[Any] | None = None,
        *,
        max_waiting: int = 32 * MIB,
        origin: Hashable | None = None,
    ) -> None:
        self.awareness = Awareness()
        self._engine = Engine(doc, origin=origin, on_edit=weakly(self._observe))
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._moved: set[int] = set()
        """Clients that came further by edits of others than this, since anything waits."""
        self._surrogates = Surrogates()
        self._nesting = Nesting()
        self._on_edit: Callable[[bytes], object] | None = None
        self._clocks = guard.state_vector(self._engine.doc.get_state())
        if self._clocks:
            self._learn(self._engine.doc.get_update())

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more of ``doc``, which somebody may still hold; nothing else may be asked of a closed replica."""
        self._on_edit = None
        self._engine.close()

    @property
    def doc(self) -> Doc[Any]:
        """The live document; another object after edits that cut a character in half, or that were slow to apply."""
        return self._engine.lend()

    # -- what the room asks ----------------------------------------------------------------------------------------

    def state_vector(self) -> bytes:
        """What this replica knows, for a SyncStep1."""
        return self._engine.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """What somebody with this state vector lacks, for a SyncStep2; raises ``ProtocolError``.

        Updates that still lack something are not in it: send ``waiting`` after it.
        """
        guard.state_vector(state_vector)
        self.settle()
        return self._engine.doc.get_update(state_vector)

    @property
    def waiting(self) -> tuple[bytes, ...]:
        """Accepted updates whose predecessors are missing: for newcomers, after ``diff``, and to be kept."""
        return tuple(waiting.update for waiting in self._waiting)

    @property
    def pending(self) -> bool:
        """Whether something waits for its predecessors; ``snapshot`` does not hold it."""
        return bool(self._waiting)

    def clock(self, client: int) -> int:
        """How far a client has written in this document."""
        return self._clocks.get(client, 0)

    def snapshot(self) -> bytes:
        """The document as one update, without what waits."""
        self.settle()
        return self._engine.doc.get_update()

    def compact(self) -> bytes | None:
        """The snapshot that, with ``waiting`` after it, may take the place of all updates so far.

        It is tried by reading it back; ``None`` where the engine's encoding does not bring back all that it knows, or
        not in a reasonable time: keep the updates then.
        """
        return exhausted(self.compacting())

    def compacting(self) -> Steps[bytes | None]:
        """``compact`` in steps. Apply nothing until the last of them returns the snapshot."""
        if self._engine.broken:
            return None
        snapshot, clocks = self.snapshot(), dict(self._clocks)
        try:
            copy = yield from self._engine.built(snapshot, own=True)
        except ProtocolError:
            return None
        except TooLong:
            return snapshot if (yield Weigh(snapshot)) else None
        if guard.state_vector(copy.doc.get_state()) != clocks:
            return None
        self._engine.items = copy.items  # of many items that were one after the other, one has become
        return snapshot

    def holds(self, update: bytes) -> bool:
        """Whether an update brings nothing, as the SyncStep2 of who has nothing new; ``False`` for those too large to
        tell. Raises ``ProtocolError``."""
        if len(update) > LARGE:
            return False
        summary = guard.check(update)
        return not summary.structs and covers(
            guard.check(self._engine.doc.get_update(self._engine.doc.get_state())), summary
        )

    def on_edit(self, callback: Callable[[bytes], object]) -> None:
        """Calls ``callback(update)`` for every edit that server code makes to ``doc``, in place of an earlier callback.

        It runs inside the edit's transaction and may not touch the document.
        """
        self._on_edit = callback

    def settle(self) -> None:
        """Applies what waited for something that others than this have brought, with ``doc.apply_update`` for one."""
        if self._moved:
            moved, self._moved = self._moved, set()
            exhausted(self._retry(moved))

    # -- taking updates --------------------------------------------------------------------------------------------

    def load(self, updates: Iterable[bytes], *, snapshot: bytes | None = None) -> None:
        """Applies what was kept: a ``snapshot`` that ``compact`` gave and is trusted, and accepted updates in order."""
        exhausted(self.loading(updates, snapshot=snapshot))

    def loading(self, updates: Iterable[bytes], *, snapshot: bytes | None = None) -> Steps[None]:
        """``load`` in steps, of which the first is the whole snapshot: there may be very many updates after it."""
        if snapshot is not None:
            self._engine.apply(snapshot)
            self._learn(snapshot)
            self._read_clocks()
        began = thread_time()
        for update in updates:
            yield from self._take(update)
            if thread_time() - began > TURN:
                yield None
                began = thread_time()

    def apply(self, update: bytes) -> bool:
        """Takes in a remote update: ``True`` where it was news, and is to be kept and passed on as it came.

        Raises ``ProtocolError`` (close code 1008) where it is refused and nothing has changed, and ``ReplicaBroken``
        where the engine failed half-way.
        """
        taken = self.take(update)
        return taken if isinstance(taken, bool) else exhausted(taken)

    def applying(self, update: bytes) -> Steps[bool]:
        """``apply`` in steps. Until the last returns what ``apply`` does, nothing else may be asked of the replica."""
        self.settle()
        return self._take(update)

    def take(self, update: bytes) -> bool | Steps[bool]:
        """``apply`` at once where that is quick, as with nearly all edits; else the steps that it takes."""
        if self._moved or self._waiting or self._surrogates or len(update) >= LARGE:
            return self.applying(update)
        summary = guard.check(update)
        if summary.astral or summary.parents:
            return self._take(update, summary)
        news = self._is_news(summary)
        if not news and not summary.deletes:
            return False
        self._check_clients(summary)
        if self._is_slow(summary):
            return self._take(update, summary)
        return self._apply(update, summary, news=news)

    def _take(self, update: bytes, summary: Summary | None = None) -> Steps[bool]:
        if summary is None:
            summary = yield from checked(update)
        if summary.astral:
            self._surrogates.learn(update, summary, self._clocks)
        news = self._is_news(summary)
        if not news and not summary.deletes:
            return False
        self._check_clients(summary)
        if summary.parents:
            yield from self._nesting.take(update, summary, self._all)
        if self._is_slow(summary):
            return (yield from self._take_in_portions(update, summary))
        mended = (yield from self._mended(update, summary)) if self._surrogates else update
        changed = self._apply(mended, summary, news=news)
        if news and self._waiting:
            yield from self._retry(set(summary.clients))
        return changed

    def _is_news(self, summary: Summary) -> bool:
        """Whether the update brings items that are not here; what it deletes only the engine can tell."""
        clocks = self._clocks
        for client, (_, end) in summary.clients.items():  # noqa: SIM110 (a generator costs every edit twice as much)
            if end > clocks.get(client, 0):
                return True
        return False

    def _check_clients(self, summary: Summary) -> None:
        clocks = self._clocks
        if len(clocks) + len(summary.clients) > MOST_CLIENTS and len(clocks.keys() | summary.clients) > MOST_CLIENTS:
            raise ProtocolError(f"more than {MOST_CLIENTS} clients have written here", CloseCode.POLICY_VIOLATION)

    def _is_slow(self, summary: Summary) -> bool:
        """Whether the update has to be applied in portions."""
        structs = summary.structs
        return structs * (self._engine.items + structs) > AT_ONCE or self._may_wait(summary)

    def _apply(self, update: bytes, summary: Summary, *, news: bool) -> bool:
        engine = self._engine
        engine.items += summary.structs + len(summary.marks)
        fired = engine.apply(update, watch=not news)
        if not news:
            return fired
        clocks = self._clocks
        for client, (_, end) in summary.clients.items():
            if end > clocks.get(client, 0):
                clocks[client] = end
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

    def _take_in_portions(self, update: bytes, summary: Summary) -> Steps[bool]:
        """Takes an update that is large, or of which a part may have to wait for its predecessors."""
        if self._may_wait(summary):
            if any(waiting.update == update for waiting in self._waiting):
                return False
            if self._waiting_bytes + len(update) > self._max_waiting or len(self._waiting) >= MOST_WAITING:
                raise ProtocolError("too many updates wait for their predecessors", CloseCode.POLICY_VIOLATION)
        check_readable(update)
        portions = yield from elsewhere(len(update), lambda: Portions((update, summary)))
        try:
            changed, moved = yield from self._through(portions, hurry(summary))
        except TooLong:
            yield from self._build_anew(update, summary)
            yield from self._retry(set(summary.clients))
            return True
        if not portions.done:
            self._waiting.append(_Waiting(update, portions))
            self._waiting_bytes += len(update)
        yield from self._retry(moved)
        return changed or not portions.done

    def _through(self, portions: Portions, seconds: float = inf) -> Steps[tuple[bool, set[int]]]:
        prepare = self._prepared if self._surrogates else None
        return self._engine.applying(portions, self._clocks, seconds, prepare)

    def _retry(self, moved: set[int]) -> Steps[None]:
        """Applies what waited, now that these clients have come further, until nothing moves any more."""
        while moved and self._waiting:
            further: set[int] = set()
            for waiting in self._waiting:
                if waiting.portions.wakes(moved, self._clocks):
                    _, also = yield from self._through(waiting.portions)
                    further |= also
            moved = further
        self._waiting = [waiting for waiting in self._waiting if not waiting.portions.done]
        self._waiting_bytes = sum(len(waiting.update) for waiting in self._waiting)

    # -- edits of others than this -----------------------------------------------------------------------------------

    def _observe(self, update: bytes) -> None:
        summary = guard.check(update)
        self._engine.items += summary.structs + len(summary.marks)
        for client, (_, end) in summary.clients.items():
            self._clocks[client] = max(end, self._clocks.get(client, 0))
        if self._waiting:
            self._moved.update(summary.clients)
        if summary.astral:
            self._surrogates.learn(update, summary)
        if self._on_edit is not None:
            self._on_edit(update)

    def _all(self) -> list[bytes]:
        return [self._engine.doc.get_update(), *self.waiting]

    def _read_clocks(self) -> None:
        self._clocks.clear()  # and not another one: portions may be under way
        self._clocks.update(guard.state_vector(self._engine.doc.get_state()))

    # -- the document anew -------------------------------------------------------------------------------------------

    def _build_anew(self, update: bytes, summary: Summary) -> Steps[None]:
        """Applies an update of which a part has been applied, slowly, in one go with the old document to a new one.

        The order is another then: the highest client first, and not the newest client last.
        """
        if not self._may_wait(summary):
            self._tear(summary)
            state = yield from self._state()
            yield from self._replace(merge_updates(state, self._surrogates.mend(update, summary)))
        if any(end > self._clocks.get(client, 0) for client, (_, end) in summary.clients.items()):
            self._engine.broken = True
            raise Tangled

    def _state(self) -> Steps[bytes]:
        """The document as one update, with all characters cut that have been."""
        state = self._engine.doc.get_update()
        if self._surrogates:
            summary = yield from checked(state)
            state = self._surrogates.mend(state, summary)
        return state

    def _replace(self, state: bytes) -> Steps[None]:
        """Puts a new document of this state in the place of the old one; raises ``ReplicaBroken``."""
        old = self._engine.doc
        try:
            built = yield from self._engine.built(state)
        except TooLong:
            if not (yield Weigh(state)):
                self._engine.broken = True
                raise Tangled from None
            built = self._engine.built_at_once(state)
        meanwhile = old.get_update(built.doc.get_state())  # server code has written it
        built.apply(self._surrogates.mend(meanwhile, guard.check(meanwhile)))
        self._engine.adopt(built)
        self._read_clocks()

    # -- characters cut in half --------------------------------------------------------------------------------------

    def _learn(self, state: bytes) -> None:
        """Of a state that is in the document."""
        self._engine.items += len(state) // SMALLEST
        if may_hold_pairs(state):
            self._surrogates.learn(state, guard.check(state))

    def _prepared(self, portion: bytes) -> Steps[bytes]:
        """What the engine may be given in the place of a portion."""
        return self._mended(portion, guard.check(portion))

    def _mended(self, update: bytes, summary: Summary) -> Steps[bytes]:
        """The update with its characters cut that have been. Those of the document that it cuts are cut before."""
        if self._tear(summary):
            state = yield from self._state()
            yield from self._replace(state)
        return self._surrogates.mend(update, summary) if summary.astral else update

    def _tear(self, summary: Summary) -> bool:
        """Notes where an update cuts characters in half; whether any was whole before."""
        tear, clocks = self._surrogates.tear, self._clocks
        torn = tear(summary.marks)
        torn |= tear((client, first) for client, (first, _) in summary.clients.items())
        return tear((client, clocks.get(client, 0)) for client in summary.clients) or torn
