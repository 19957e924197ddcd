"""Peers: who is in a document's room, how far the conversation with each has come, and what each may be told.

It is what a hibernating document leaves with its room (``room.memory``) when it goes: small, in memory only, and enough
to go on with presence while the document sleeps and with every conversation when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..connection import Connection
from ..errors import CloseCode, ProtocolError
from ..http import Request
from ..protocols import chunks, yjs
from ..protocols.awareness import Awareness, Change
from ..room import Room
from ..storage import Write

__all__ = ["REPLACED", "Peer", "Peers", "identity"]

REPLACED: Final = "this document has been replaced: load it anew"
MEMORY: Final = "document/peers"
LONGEST_LINEAGE: Final = 64
"""Characters of a lineage that a client may send; ours have 16."""
PRESENCE: Final = (b"\x01", b"\x03")
SYNC_STATUS: Final = b"\x66"


@dataclass(slots=True, eq=False)
class Peer:
    """One conversation."""

    pieces: chunks.Reassembler
    greeted: bool = False
    """Its first SyncStep1 has been answered: one more is a re-sync."""
    answered: bool = False
    """It has answered our SyncStep1: what it wrote offline is here."""
    refused: bool = False
    """Some of its edits did not count."""
    held: bytes | None = None
    """Its question whether all is saved, which waits until it has ``answered``."""
    lineage: str | None = None
    """The history that its document has, by its own word or ours; ``None`` for a client that does not mind."""
    named: bool = False
    """It has named that history itself; else its document may have any."""
    foreign: bool = False
    """Its document has another history than ours: nothing of it is taken in."""


class Peers:
    """Everybody in one room, and their ``awareness``."""

    def __init__(self, room: Room) -> None:
        self.awareness = Awareness()
        self._room = room
        self._peers: dict[Connection, Peer] = {}

    @classmethod
    def of(cls, room: Room) -> Peers:
        """The room's, also where the document has slept meanwhile."""
        peers = room.memory.get(MEMORY)
        if not isinstance(peers, cls):
            peers = room.memory[MEMORY] = cls(room)
        return peers

    def __getitem__(self, connection: Connection) -> Peer:
        try:
            return self._peers[connection]
        except KeyError:
            peer = Peer(chunks.Reassembler(self._room.limits.message))
            if not connection.closed:  # else it has left, and nobody would remove it again
                self._peers[connection] = peer
            return peer

    def __iter__(self) -> Iterator[tuple[Connection, Peer]]:
        return iter(list(self._peers.items()))

    def remove(self, connection: Connection) -> None:
        """Tell the others who left."""
        self._peers.pop(connection, None)
        self._tell(self.awareness.remove(connection))

    # -- presence ----------------------------------------------------------------------------------------------------

    def present(self, connection: Connection, update: bytes) -> None:
        """Take in an awareness update and pass on what of it counts; raises ``ProtocolError``."""
        if not connection.closed:  # it may have left while the document was busy
            self._tell(self.awareness.apply(connection, update, identity(connection.request)))

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            self._room.broadcast(yjs.awareness(change.update))

    def without_the_document(self, connection: Connection, message: str | bytes) -> bool:
        """Deal with what needs no document, or return ``False``: presence, and whether all is saved where it is.

        Clients send these to stay connected, some of them every two seconds.
        """
        peer = self[connection]
        if not isinstance(message, bytes) or peer.pieces.open:
            return False
        kind = message[:1]
        if kind not in PRESENCE and (kind != SYNC_STATUS or self._room.storage.dirty):
            return False
        match yjs.parse(message):
            case yjs.Awareness(update):
                self.present(connection, update)
            case yjs.QueryAwareness():
                self.introduce(connection)
            case yjs.SyncStatus(payload):
                self.acknowledge(connection, yjs.sync_status(payload), None)
        return True

    def introduce(self, connection: Connection) -> None:
        """Tell one who is here, as it has asked."""
        connection.send(yjs.awareness(self.awareness.everybody() or b"\x00"))

    # -- saved means stored ------------------------------------------------------------------------------------------

    def acknowledge(self, connection: Connection, answer: bytes, last_write: Write | None) -> None:
        """Send ``answer`` once ``last_write`` is on disk; never to a client some of whose edits did not count.

        ``@y-sweet/client`` asks as soon as it is connected, before it answers our step 1 with what it wrote offline,
        and hangs up where it hears nothing for 3 s after asking.
        """
        peer = self[connection]
        if peer.foreign:
            return
        if peer.refused:
            connection.send(yjs.permission_denied("what you wrote is not saved: you may not write here"))
            return
        if not peer.answered:
            peer.held = answer
            return
        if last_write is None:
            connection.send(answer)
            return
        if self._room.storage.failing:  # the answer may take long, and the client is to stay
            self.introduce(connection)

        def written(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is None and not peer.foreign:
                connection.send(answer)

        last_write.add_done_callback(written)

    def has_answered(self, connection: Connection, last_write: Write | None) -> None:
        """A client has answered our step 1: what it wrote offline is here, and it may hear whether that is saved."""
        peer = self[connection]
        peer.answered = True
        if (answer := peer.held) is not None:
            peer.held = None
            self.acknowledge(connection, answer, last_write)

    # -- lineage -----------------------------------------------------------------------------------------------------

    def shows(self, connection: Connection, known: str, current: str) -> None:
        """A client says which history its document has; it is told which is ours. Raises ``ProtocolError``.

        Where we have none yet, its own is as good as any.
        """
        if len(known) > LONGEST_LINEAGE:
            raise ProtocolError(f"a lineage of {len(known)} characters: {LONGEST_LINEAGE} at most")
        peer = self[connection]
        peer.lineage, peer.named = known or current, bool(known)
        peer.foreign = bool(current) and peer.lineage != current
        if peer.foreign:
            self._begin_anew(peer)
        connection.send(yjs.lineage(current or known))

    def history_was_replaced(self, current: str) -> None:
        """Tell everybody, and close those who would bring the old history back: they do not mind."""
        for connection, peer in self:
            if peer.lineage is None:
                connection.close(CloseCode.GONE, REPLACED)
        self.lineage_is_now(current)

    def lineage_is_now(self, current: str) -> None:
        """Tell those who mind that the document's history is another one, or the first."""
        for connection, peer in self:
            if peer.lineage is None or peer.lineage == current:
                continue
            connection.send(yjs.lineage(current))
            if peer.lineage:
                peer.foreign = True
                self._begin_anew(peer)
            else:
                peer.lineage = current

    def _begin_anew(self, peer: Peer) -> None:
        """It will synchronise once more, be asked what it has then, and ask whether that is saved."""
        peer.greeted = True
        peer.answered, peer.held = False, None


def identity(request: Request) -> Any:
    """What stays the same when a client comes again: its user, by name where a token names it; or the id it chose."""
    user = request.user.get("sub") if isinstance(request.user, Mapping) else request.user
    return user or request.query.get("_pk")
