"""Sync: a client's side of the y-protocols, without I/O: one document, over one connection after another.

What is said when a connection opens, and why in this order::

    105 lineage      the history that our document has: before all else, for the server decides by it what counts
    104 access       may we edit?
    0 0 SyncStep1    what we have
    1 awareness      what we show

The server's own SyncStep1 comes unasked, often before it has read any of this. It is answered, with all that the server
lacks, once it is certain that our document has the server's history and may be edited: when the server has answered the
first two, or has answered our SyncStep1 without, as servers other than ours do. From then on edits are sent as they are
made; until then the document itself is the queue. So what was written offline, or before the first connection, arrives
with the answer, and what has arrived before is not sent twice.

*Saved* means stored: after edits we ask (``102`` with the number of the last edit), and servers of ours give the number
back when all before it is on disk. One question is under way at a time. A server that has answered neither ``105`` nor
``104`` by the time of its SyncStep2 gives no such word, and is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from pycrdt import Doc

from ..protocols import yjs
from ..protocols.lib0 import read_varuint, varuint
from ..protocols.replica import Replica
from .engine import REMOTE, engine, merged
from .presence import Change, Presence

__all__ = ["Owner", "Sync"]


class Owner(Protocol):
    """Whom a sync tells what happens."""

    def send(self, message: bytes) -> object:
        """This is for the server."""
        ...

    def accepted(self, update: bytes) -> object:
        """This is in the document now. Of an edit of ours, called inside its transaction: the document may not be
        touched, and ``flush`` is due."""
        ...

    def present(self, change: Change) -> object:
        """Others came, changed or left."""
        ...

    def progressed(self) -> object:
        """Something of ``synced``, ``stored``, ``read_only`` and ``acknowledges`` has changed."""
        ...

    def continues(self, lineage: str) -> object:
        """The document's history is called this from now on, and has not changed."""
        ...

    def replaced(self, old: Doc[Any]) -> object:
        """``doc`` is a new object with the content of the ``old``."""
        ...

    def reset(self, old: Doc[Any], lineage: str) -> object:
        """``doc`` is a new and empty document, for the server has replaced the history of the ``old``."""
        ...


class Sync:
    """``lineage`` is the history that the document is known to have; empty where that is not known."""

    def __init__(self, owner: Owner, doc: Doc[Any] | None = None, lineage: str = "") -> None:
        self.lineage = lineage
        self.read_only: str | None = None
        """Why the server takes no edits of ours; ``None`` where it takes them, as far as is known."""
        self.acknowledges: bool | None = None
        """Whether this server says what it has stored; ``None`` before it is known."""
        self.synced = False
        """Whether this connection has brought the server's document."""
        self.edits = 0
        """The number of the last edit of ours."""
        self.stored = 0
        """The number of the last that is known to be stored, with all before it."""
        self.lost = 0
        """The number of the last that went with a history which was replaced."""
        self.applying = False
        """Whether somebody else's edit is being applied right now."""
        self._owner = owner
        self._open = False
        self._begin()
        self.replica = self._adopt(Replica(doc, origin=REMOTE))
        self.presence = Presence(self.replica.doc.client_id)
        if self.replica.state_vector() != b"\x00":
            self.edits = 1

    @property
    def doc(self) -> Doc[Any]:
        """The document, for now."""
        return self.replica.doc

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._open

    def load(self, updates: Iterable[bytes], snapshot: bytes | None) -> None:
        """Take in what was kept; whether the server has all of it is not known. Raises ``ProtocolError``."""
        self.applying = True
        try:
            self.replica.load(updates, snapshot=snapshot)
        finally:
            self.applying = False
        self.edits += 1

    # The connection

    def _begin(self) -> None:
        self._compared = False
        """The server has said its lineage."""
        self._certain = False
        """Our document has the server's history, and what we may do is known if the server tells."""
        self._live = False
        """The server has all that we had, and is sent what we edit."""
        self._question: bytes | None = None
        """The server's SyncStep1, until it can be answered."""
        self._asked = 0
        """How many answers to SyncStep1s of ours are to come."""
        self._asking = False
        """A question about what is stored is under way."""
        self._tells = False
        """This server knows the messages that are ours."""
        self._unsent: list[bytes] = []

    def opened(self) -> None:
        """There is a connection."""
        self._begin()
        self._open = True
        self.read_only = None
        self._owner.send(yjs.lineage(self.lineage))
        self._owner.send(yjs.access())
        self._ask()
        if (update := self.presence.announce()) is not None:
            self._owner.send(yjs.awareness(update))

    def _ask(self) -> None:
        with engine():
            state = self.replica.state_vector()
        self._asked += 1
        self._owner.send(yjs.sync_step1(state))

    def closed(self) -> None:
        """There is no connection any more."""
        self._open = self.synced = False
        self._begin()
        if change := self.presence.alone():
            self._owner.present(change)
        self._owner.progressed()

    def received(self, message: bytes) -> None:
        """A message has come. Raises ``ProtocolError``, and ``ReplicaBroken`` when the document has become useless."""
        match yjs.parse(message):
            case yjs.Update(update):
                self._apply(update)
            case yjs.SyncStep1(state_vector):
                self._question = state_vector
                self._answer()
            case yjs.SyncStep2(update):
                self._answered(update)
            case yjs.Awareness(update):
                self._hear(update)
            case yjs.QueryAwareness():
                if (update_of_ours := self.presence.announce()) is not None:
                    self._owner.send(yjs.awareness(update_of_ours))
            case yjs.SyncStatus(payload):
                self._is_stored(read_varuint(payload, 0)[0])
            case yjs.Access(write) if write is not None:
                self._tells = True
                self._may_write(None if write else "this client may only read")
                if self._compared:
                    self._is_certain()
            case yjs.PermissionDenied(reason):
                self._asking = False
                self._may_write(reason or "permission denied")
            case yjs.Lineage(id):
                self._compare(id)

    # The document

    def _apply(self, update: bytes) -> None:
        doc = self.doc
        self.applying = True
        try:
            news = self.replica.apply(update)
        finally:
            self.applying = False
        if news:
            self._owner.accepted(update)
        if self.doc is not doc:
            self._owner.replaced(doc)

    def _answered(self, update: bytes) -> None:
        """The server's document has come; where we have asked once more since, for another history, it has not."""
        self._asked = max(0, self._asked - 1)
        if self._asked:
            return
        self._apply(update)
        self.synced = True
        self.acknowledges = self._tells
        self._is_certain()
        self._owner.progressed()

    def _is_certain(self) -> None:
        self._certain = True
        self._answer()

    def _answer(self) -> None:
        """Send the server what it lacks, and from then on what we edit."""
        if self._question is None or not self._certain:
            return
        state_vector, self._question = self._question, None
        if self.read_only is not None:
            self._owner.send(yjs.sync_step2(yjs.EMPTY_UPDATE))
            return
        with engine():
            diff = self.replica.diff(state_vector)
        self._owner.send(yjs.sync_step2(diff))
        for update in self.replica.waiting:
            self._owner.send(yjs.update(update))
        self._unsent.clear()
        self._live = True
        self._inquire()

    def _adopt(self, replica: Replica) -> Replica:
        replica.on_edit(self._edited)
        return replica

    def _edited(self, update: bytes) -> None:
        self.edits += 1
        if self._live and self.read_only is None:
            self._unsent.append(update)
        self._owner.accepted(update)

    def flush(self) -> None:
        """Send what was edited since the last time, as one message."""
        unsent, self._unsent = self._unsent, []
        if self._live:
            for update in merged(unsent):
                self._owner.send(yjs.update(update))
            self._inquire()

    # What is stored

    def _inquire(self) -> None:
        if self._tells and self._live and not self._asking and self.read_only is None and self.stored < self.edits:
            self._asking = True
            self._owner.send(yjs.sync_status(varuint(self.edits)))

    def _is_stored(self, number: int) -> None:
        self._asking = False
        self.stored = max(self.stored, min(number, self.edits))
        self._owner.progressed()
        if not self._unsent:  # or `flush` asks
            self._inquire()

    def _may_write(self, why_not: str | None) -> None:
        before, self.read_only = self.read_only, why_not
        if why_not is not None:
            self._live = False
            self._unsent.clear()
        elif before is not None and self._certain:
            self._ask()  # which servers answer with a question of their own, for all that they have not taken
        self._owner.progressed()

    # History

    def _compare(self, lineage: str) -> None:
        self._tells = True
        known = self.lineage
        if known and lineage and lineage != known:
            self._reset(lineage)
        elif lineage and not known:
            self.lineage = lineage
            self._owner.continues(lineage)
        self._compared = True

    def _reset(self, lineage: str) -> None:
        """The server has another document by now: take that, and never double what is in both."""
        old = self.doc
        self.lineage = lineage
        self.stored = self.lost = self.edits
        self._asking = self._live = self.synced = False
        self._unsent.clear()
        self._use(Replica(origin=REMOTE))
        self._owner.reset(old, lineage)
        self._owner.send(yjs.lineage(lineage))
        self._ask()
        self._owner.progressed()

    def rebuilt(self, replica: Replica) -> None:
        """Go on with another replica, for the engine has broken this one. There is no connection meanwhile."""
        old = self.doc
        self._use(replica)
        self._owner.replaced(old)

    def _use(self, replica: Replica) -> None:
        self.replica.on_edit(_nothing)
        self.replica = self._adopt(replica)
        goodbye = self.presence.renamed(replica.doc.client_id)
        if self._open and self.presence.state is not None:
            self._owner.send(yjs.awareness(goodbye))
            self.announce()

    # Presence

    def show(self, state: dict[str, Any] | None) -> None:
        """Show a state; ``None`` is not to be here. Raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
        if state is None and self.presence.state is None:
            return
        update = self.presence.show(state)
        if self._open:
            self._owner.send(yjs.awareness(update))

    def announce(self) -> None:
        """Show again what is shown, as y-protocols wants it every 15 seconds."""
        if self._open and (update := self.presence.announce()) is not None:
            self._owner.send(yjs.awareness(update))

    def _hear(self, update: bytes) -> None:
        change, answer = self.presence.hear(update)
        if answer is not None:
            self._owner.send(yjs.awareness(answer))
        if change:
            self._owner.present(change)


def _nothing(update: bytes) -> None:
    """Somebody edits a document that is not used any more."""
