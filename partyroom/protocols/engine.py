"""Engine: the pycrdt document under a replica, and everything that pycrdt (yrs) has to be held by the hand for.

Its habits, found by experiment with 0.14.13:

- A panic is a ``BaseException``, and an error can leave half an update applied. After either, the document in memory is
  not to be trusted (``ReplicaBroken``); whoever keeps the accepted updates builds a new one from them.
- An update is applied in one go, under Python's lock, and what was written by several at one place at one time takes
  its number squared: 5 s for 8,000 items that each of two people had put in front of a list (Yjs takes 10 s). Many
  items cut in half take their number squared as well, and many clients. So what could take long is applied in portions
  (``Engine.applying``), each so small that it cannot. They cost ten times what the engine takes; so a state is read in
  one go where it can be seen that it does not take long: ``protocols.crowding``.
- What lacks a predecessor is kept by the engine, which reads and writes all of it anew with every update. So it never
  gets any: ``Portions`` hold it back.
- An update that the engine gives up half-way is told to observers all the same, out of memory that is not whole: the
  process dies of it (a segmentation fault, now and then). So ours looks away while items are applied, and watches only
  what applies deletions alone, to see whether they were news. Taking it away and back costs as much as applying a
  keystroke, so it is there only from when somebody else has the document (``lend``) and may edit it.
- A document that has an observer is never freed: the engine holds the callback, and that the document, where Python's
  garbage collector cannot look. So ours is held weakly, and is taken away by ``close``.
- Inside an observer the document may not be touched. What ``on_edit`` gets are bytes; it keeps to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Hashable
from functools import partial
from math import inf, isqrt
from time import thread_time
from typing import Any, Final, NamedTuple, ParamSpec, TypeAlias, TypeVar
from weakref import WeakMethod

from pycrdt import Doc, Subscription, TransactionEvent, merge_updates

from ..errors import CloseCode, ProtocolError
from ..limits import KIB
from . import guard
from .crowding import crowding
from .guard import Summary
from .portions import Portion, Portions

__all__ = [
    "AT_ONCE",
    "IN_ONE_GO",
    "LARGE",
    "REST",
    "SMALLEST",
    "TURN",
    "Elsewhere",
    "Engine",
    "ReplicaBroken",
    "Steps",
    "Tangled",
    "TooLong",
    "Weigh",
    "check_readable",
    "checked",
    "elsewhere",
    "exhausted",
    "hurry",
    "ours",
    "weakly",
]

log = logging.getLogger("partyroom.protocols")

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = 2_000_000
"""How many steps the engine may take at once: structs, times the items that each may have to be compared with. A step
takes some 80 ns."""

TURN: Final = 0.02
"""Seconds of processor time after which others have their turn..."""

REST: Final = 0.004
"""...and in which nothing is done then, if they do nothing either: a store's threads want Python's lock as well."""

HURRY, HURRY_EACH = 0.2, 1e-5
"""Seconds of processor time that an update may take in portions, and so much more for each struct."""

LARGE: Final = 256 * KIB
"""Bytes that are walked over elsewhere: Python needs some 4 s for 10 MB."""

READ_AT_ONCE: Final = AT_ONCE
"""Steps that reading back a state may take without a break."""

READ_WHOLE: Final = 512 * KIB
"""Bytes of a state that the engine reads in some 10 ms if it does not have to search."""

SMALLEST: Final = 4
"""Bytes of an item, hardly ever less."""

IN_ONE_GO: Final = 0.7
"""Seconds of processor time that a document's whole state may take, for that is loaded in one go."""

CUTS: Final = 3
"""How many items at most there are more with each struct or deletion: itself, and two others cut in half."""


class ReplicaBroken(ProtocolError):
    """The engine failed in the middle of an update: the document in memory is not to be trusted any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, CloseCode.POLICY_VIOLATION)


class Tangled(ReplicaBroken):
    """The engine would have been busy with an update for too long: so much of it goes in one place at one time."""

    def __init__(self) -> None:
        super().__init__("too much was written in one place at one time")


class TooLong(Exception):
    """Portions took more time than they may."""


class Elsewhere(NamedTuple):
    """To be done in a thread: it takes long, and touches nothing that others do."""

    work: Callable[[], Any]


class Weigh(NamedTuple):
    """To be found out, at best in another process: whether this state loads in one go within ``IN_ONE_GO`` seconds."""

    state: bytes


Steps: TypeAlias = Generator[Elsewhere | Weigh | None, Any, T]
"""Work in steps of some hundredths of a second, which yields what others are to do for it, and takes their answers.

Where a step yields ``None``, others may have their turn. ``exhausted`` is for those who have none."""


def exhausted(steps: Steps[T]) -> T:
    """What the last of the steps returns. Whatever is to be weighed is taken to be light."""
    answer = None
    try:
        while True:
            asked = steps.send(answer)
            answer = asked.work() if isinstance(asked, Elsewhere) else True
    except StopIteration as last:
        return last.value  # type: ignore[no-any-return]


class Engine:
    """One document; ``on_edit(update)`` hears of the edits that are made by others than this, within their transaction:
    of a document that was theirs before, or has been lent.

    ``origin`` is that of the transactions made here.
    """

    def __init__(
        self,
        doc: Doc[Any] | None = None,
        *,
        origin: Hashable | None = None,
        on_edit: Callable[[bytes], object] | None = None,
    ) -> None:
        self.doc: Doc[Any] = Doc() if doc is None else doc
        self.origin = origin
        self.items = 0
        """At most so many items are in the document."""
        self.broken = False
        self._turn = 0.0
        self._on_edit = on_edit
        self._applying = self._fired = False
        self._lent = doc is not None and on_edit is not None
        self._observer = weakly(self._observe)
        self._subscription: Subscription | None = None
        self._listen(self._lent)

    def close(self) -> None:
        """Hear no more of the document, which somebody may still hold."""
        self._lent = False
        self._listen(False)

    def lend(self) -> Doc[Any]:
        """The document, for others: from now on their edits are heard of."""
        if not self._lent:
            self._lent = True
            self._listen(True)
        return self.doc

    def _listen(self, wanted: bool) -> None:
        """Have an observer of the document, or have none."""
        subscription = self._subscription
        if wanted and subscription is None:
            self._subscription = self.doc.observe(self._observer)
        elif not wanted and subscription is not None:
            self._subscription = None
            self.doc.unobserve(subscription)

    def apply(self, update: bytes, *, watch: bool = False) -> bool:
        """Apply an update; with ``watch``, whether that changed anything.

        Raises ``ProtocolError`` where nothing has changed, and ``ReplicaBroken``.
        """
        if self.broken:
            raise ReplicaBroken("the document in memory broke earlier")
        doc = self.doc
        self._listen(watch)
        self._applying, self._fired = True, False
        try:
            if self.origin is None:
                doc.apply_update(update)
            else:
                with doc.transaction(self.origin):
                    doc.apply_update(update)
        except ExceptionGroup:  # the engine has done its work; what it raises after that are others' observers' errors
            log.exception("an observer of the document failed")
        except ValueError as error:  # the engine could not read it, and has not begun
            raise ProtocolError(f"this update cannot be applied: {error}", CloseCode.POLICY_VIOLATION) from None
        except BaseException as error:
            self.broken = True
            if ours(error):
                raise
            raise ReplicaBroken(f"{type(error).__name__}: {error}") from None
        finally:
            self._applying = False
            self._listen(self._lent)
        return self._fired

    def adopt(self, other: Engine) -> None:
        """Take over another's document, in place of this one's."""
        other.close()
        self._listen(False)
        self.doc, self.items = other.doc, other.items
        self._listen(self._lent)

    def applying(
        self,
        portions: Portions,
        clocks: dict[int, int],
        seconds: float = inf,
        prepare: Callable[[bytes], Steps[bytes]] | None = None,
        at_once: int = AT_ONCE,
    ) -> Steps[tuple[bool, set[int]]]:
        """Apply what can be of an update: whether that changed anything, and who came further in ``clocks``.

        What is applied is what ``prepare`` makes of each portion, which takes ``at_once`` steps at most. Raises
        ``TooLong`` after so many seconds of processor time, and ``ReplicaBroken``.
        """
        changed, moved = False, set[int]()
        spent = 0.0
        while True:
            before = thread_time()
            portion = portions.take(clocks, max(1, min(at_once // (self.items + 1), isqrt(at_once))))
            if portion is None:
                return changed, moved
            update = portion.update
            if prepare is not None:
                update = yield from prepare(update)
            if portion.size or portion.ends:
                changed |= self._apply_portion(update, portion)
            clocks.update(portion.ends)
            moved.update(portion.ends)
            took = thread_time() - before
            spent += took
            self._turn += took
            if spent > seconds:
                raise TooLong
            if self._turn > TURN:
                self._turn = 0.0
                yield None

    def built(self, state: bytes, *, own: bool = False) -> Steps[Engine]:
        """Another document of this state, in portions where it could take long. Raises ``TooLong`` and
        ``ReplicaBroken``.

        ``own`` says that the engine has written it just so: then nothing in it waits for what never comes.
        """
        if min(self.items, len(state) // SMALLEST) ** 2 <= READ_AT_ONCE:
            return self.built_at_once(state)
        if own and len(state) <= READ_WHOLE:
            items, most = yield from elsewhere(len(state), partial(crowding, state))
            if most <= READ_AT_ONCE:
                return self.built_at_once(state, items)
        summary = yield from checked(state)
        other = self._blank()
        portions = yield from elsewhere(len(state), lambda: Portions((state, summary)))
        yield from other.applying(portions, {}, hurry(summary))
        return other

    def built_at_once(self, state: bytes, items: int | None = None) -> Engine:
        """Another document of this state, of so many items at most. Raises ``ReplicaBroken``."""
        other = self._blank()
        other.apply(state)
        other.items = len(state) // SMALLEST if items is None else items
        return other

    def _blank(self) -> Engine:
        doc: Doc[Any] = Doc(client_id=self.doc.client_id, guid=self.doc.guid)
        return Engine(doc, origin=self.origin)

    def _apply_portion(self, update: bytes, portion: Portion) -> bool:
        self.items += CUTS * portion.size
        try:
            return self.apply(update, watch=not portion.ends) or bool(portion.ends)
        except ProtocolError as error:
            self.broken = True
            raise ReplicaBroken(error.reason) from None

    def _observe(self, event: TransactionEvent) -> None:
        if self._applying:
            self._fired = True
        elif self._on_edit is not None:
            self._on_edit(event.update)


def hurry(summary: Summary) -> float:
    """How many seconds of processor time the portions of an update may take."""
    return HURRY + HURRY_EACH * summary.structs


def checked(update: bytes) -> Steps[Summary]:
    """``guard.check``, elsewhere where it takes long."""
    return elsewhere(len(update), partial(guard.check, update))


def elsewhere(size: int, work: Callable[[], T]) -> Steps[T]:
    """What ``work`` returns, done elsewhere where there are many bytes to walk over."""
    if size < LARGE:
        return work()
    result: T = yield Elsewhere(work)
    return result


def check_readable(update: bytes) -> None:
    """Raises ``ProtocolError`` where the engine would fail at some portion, with others applied."""
    try:
        merge_updates(update)
    except BaseException as error:
        if ours(error):
            raise
        raise ProtocolError(f"this update cannot be applied: {error}", CloseCode.POLICY_VIOLATION) from None


def weakly(method: Callable[P, T]) -> Callable[P, T | None]:
    """A function that calls a bound method as long as its object lives, and does not keep it alive."""
    reference = WeakMethod(method)

    def call(*arguments: P.args, **named: P.kwargs) -> T | None:
        alive = reference()
        return None if alive is None else alive(*arguments, **named)

    return call


def ours(error: BaseException) -> bool:
    """Whether this is no panic, which is a ``BaseException`` too, but the interpreter's own request to stop."""
    return isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
