"""Live: a mirror kept in step with a client's document, the edits that go through it, and who is told of changes.

The document's observer runs inside the engine's transaction, where the document may not be touched. So it only puts
the transaction's update aside; the mirror takes that in when somebody next looks, and callbacks are called later, by
the client's ``post``.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, NamedTuple, Protocol
from weakref import WeakMethod

from pycrdt import Doc, Subscription, TransactionEvent

from ..protocols import guard
from ..protocols.replica import ReplicaBroken
from . import changes, reading
from .changes import Change
from .items import Branch
from .mirror import Mirror, OutOfStep
from .writing import ARRAY, TEXT

__all__ = ["Live", "Source"]

log = logging.getLogger("partyroom.client")

MOST_QUEUED: Final = 1000
"""Updates put aside while nobody looks; beyond that, building the mirror anew costs less."""


class Source(Protocol):
    """What ``Live`` needs of whoever keeps a document in step with others."""

    @property
    def doc(self) -> Doc[Any]:
        """The document as it is now. It may be another object later, for ``protocols.replica`` builds it anew."""

    @property
    def applying(self) -> bool:
        """Whether a remote update is being applied: asked inside its transaction."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while the document is read or edited; reentrant."""

    def transaction(self) -> AbstractContextManager[Any]:
        """A transaction for edits of our own; within one that is open, the same."""

    def post(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` soon, outside of transactions, where the user wants callbacks; never raises."""

    def on_replace(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` whenever ``doc`` is another object, of which no observer hears."""


class _Watcher(NamedTuple):
    """Somebody who wants to hear of changes to what ``locate`` finds, which is used as ``kind``."""

    locate: Callable[[Mirror], Branch | None]
    kind: int
    callback: Callable[[Change], object]


class Live:
    """The mirror of a source's document. Everything here is called with the source's lock held."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._mirror = Mirror()
        self._doc: Doc[Any] | None = None
        self._subscription: Subscription | None = None
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._behind = False
        self._watchers: dict[int, _Watcher] = {}
        self._numbers = 0
        self._untold: deque[tuple[int, Change]] = deque()
        self._unhear = source.on_replace(_weakly(self._post))

    def __del__(self) -> None:
        self._unhear()
        self._unobserve()

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The source's lock."""
        return self._source.lock

    def mirror(self) -> Mirror:
        """The mirror, in step with the document."""
        while self._queue:
            update, remote = self._queue.popleft()
            try:
                self._mirror.apply(update)
            except OutOfStep as error:
                log.warning("the mirror of a document is built anew: %s", error)
                self._behind = True
                self._queue.clear()
            else:
                self._note(remote)
        doc = self._source.doc
        if doc is not self._doc or self._behind:
            self._renew(doc)
        return self._mirror

    # -- editing -----------------------------------------------------------------------------------------------------

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Edits within are one transaction: one message to the others, one call of each callback."""
        with self._source.lock:
            self.mirror()  # which observes the document, and that cannot begin within a transaction
            with self._source.transaction():
                yield

    def write(self, build: Callable[[Mirror, int], bytes]) -> None:
        """Make an edit: the update that ``build(mirror, client_id)`` gives.

        Raises ``ReplicaBroken`` where the engine fails; pycrdt's panics do not get out.
        """
        with self.batch():
            mirror = self.mirror()
            doc = self._source.doc
            client = doc.client_id
            # Within an open transaction somebody may have edited the document by pycrdt: no tick is given out twice.
            if guard.state_vector(doc.get_state()).get(client, 0) != mirror.clock(client):
                mirror.apply(doc.get_update(mirror.state_vector()))
            update = build(mirror, client)
            with _no_panic("the engine failed in an edit"):
                doc.apply_update(update)
            mirror.apply(update)

    # -- telling of changes ------------------------------------------------------------------------------------------

    def watch(
        self, locate: Callable[[Mirror], Branch | None], kind: int, callback: Callable[[Change], object]
    ) -> Callable[[], None]:
        """Call ``callback`` with what changes, from now on; returns a function that takes it away again."""
        mirror = self.mirror()
        if not self._watchers:
            mirror.touches = []
        number = self._numbers = self._numbers + 1
        self._watchers[number] = _Watcher(locate, kind, callback)

        def remove() -> None:
            with self._source.lock:
                self._watchers.pop(number, None)
                if not self._watchers:
                    self._mirror.touches = None

        return remove

    def _note(self, remote: bool) -> None:
        """A transaction is over: put together what to tell of it."""
        if not self._watchers:
            return
        touches = self._mirror.take_touches()
        for number, watcher in self._watchers.items():
            branch = watcher.locate(self._mirror)
            if branch is not None and (edits := tuple(changes.edits(touches, branch, watcher.kind))):
                self._untold.append((number, Change(edits, remote)))

    def tell(self) -> None:
        """Call the callbacks with what they have not heard yet; a callback that calls this hears the rest at once.

        What callbacks change themselves they hear in a call of its own: one that edits each time it hears of an edit
        goes on for ever, but lets others have their turn.
        """
        with self._source.lock:
            self.mirror()
            count = len(self._untold)
        for _ in range(count):
            with self._source.lock:
                if not self._untold:
                    return
                number, change = self._untold.popleft()
            watcher = self._watchers.get(number)
            if watcher is not None:
                try:
                    watcher.callback(change)
                except Exception:
                    log.exception("a callback for a change failed")
        if self._untold:
            self._post()

    def _post(self, cause: object = None) -> None:
        """Have the callbacks called: more than once does no harm, and a source may drop it while it has no loop."""
        if self._watchers:
            self._source.post(self.tell)

    # -- in step with the document -----------------------------------------------------------------------------------

    def _observe(self, event: TransactionEvent) -> None:
        if self._behind:
            return
        self._queue.append((event.update, self._source.applying))
        if not self._watchers and len(self._queue) > MOST_QUEUED:
            self._queue.clear()
            self._behind = True
        self._post()

    def _renew(self, doc: Doc[Any]) -> None:
        """Build the mirror from the whole document."""
        before = [(number, self._plain(watcher)) for number, watcher in self._watchers.items()]
        if doc is not self._doc:
            self._unobserve()
            self._doc = None
            with _no_panic("values are first used outside of pycrdt's transactions"):
                self._subscription = doc.observe(_weakly(self._observe))
            self._doc = doc
        self._queue.clear()
        self._behind = False
        self._mirror = Mirror(doc.get_update())
        if self._watchers:
            self._mirror.touches = []
        for number, old in before:
            new = self._plain(self._watchers[number])
            if edits := tuple(changes.compared(old, new)):
                self._untold.append((number, Change(edits, remote=True)))
        if self._untold:
            self._post()

    def _plain(self, watcher: _Watcher) -> Any:
        branch = watcher.locate(self._mirror) or Branch()
        if watcher.kind == TEXT:
            return branch.items.text()
        return reading.items(branch) if watcher.kind == ARRAY else reading.entries(branch)

    def _unobserve(self) -> None:
        if self._doc is not None and self._subscription is not None:
            self._doc.unobserve(self._subscription)
            self._subscription = None


@contextmanager
def _no_panic(what: str) -> Iterator[None]:
    """A panic of the engine, which is a ``BaseException``, comes out as ``ReplicaBroken``."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        raise ReplicaBroken(f"{what}: {error}") from None


def _weakly(method: Callable[[Any], None]) -> Callable[[Any], None]:
    """A callback that does not keep its object alive: the engine holds it where no garbage collector looks."""
    weak = WeakMethod(method)

    def callback(event: Any) -> None:
        if (alive := weak()) is not None:
            alive(event)

    return callback
