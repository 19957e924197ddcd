"""The y-protocols messages: what y-websocket, y-partykit and y-partyserver send in binary WebSocket messages.

::

    0 sync       0 SyncStep1 state_vector | 1 SyncStep2 update | 2 Update update
    1 awareness  update
    2 auth       0 permission denied, reason
    3 query awareness
    102 sync status  payload (y-sweet's: comes back unchanged once all that was sent before it is stored)
    104 access   ours: asks what its sender may do; the answer ends with a byte, 1 may edit or 0 may only read
    105 lineage  ours: id, of the history that its sender's document has; empty where it has none

Numbers are varuints, and state vectors, updates and reasons carry their length in front (``y-protocols/sync.js``,
``awareness.js`` and ``auth.js``; the outer numbers are y-websocket's). A type that is not listed is reported as
``Unknown`` and is no error: other servers' clients use more of them.

**Lineage.** A client that minds it sends the id that it knows before anything else, and gets the document's. Where the
two differ and the client's is not empty, somebody has replaced the document's history. From then on nothing of the
client's document is taken in, for its old content would stand beside the new, until it has emptied its document, sent
the new id, and synchronised anew. An id that comes unasked means the same: the history was replaced just now; or, to a
client that knew none, what it has got one. Presence and reading go on meanwhile. Where nothing is stored yet, the
document takes the id that its first writer sent, or makes a new one, and until then agrees with every client. Who never
sends a lineage never receives one.

One WebSocket message holds one of these. The published providers and servers read the first and drop whatever follows
it, so bytes after it are ignored here too.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from ..errors import ProtocolError
from .lib0 import Decoder, read_varuint, varuint

__all__ = [
    "EMPTY_UPDATE",
    "Access",
    "Awareness",
    "Lineage",
    "Message",
    "PermissionDenied",
    "QueryAwareness",
    "SyncStatus",
    "SyncStep1",
    "SyncStep2",
    "Unknown",
    "Update",
    "access",
    "awareness",
    "lineage",
    "parse",
    "permission_denied",
    "query_awareness",
    "sync_status",
    "sync_step1",
    "sync_step2",
    "update",
]

EMPTY_UPDATE: Final = b"\x00\x00"
"""The update that changes nothing: no structs, no deletions."""


class SyncStep1(NamedTuple):
    """Send me what I lack: the sender's state vector."""

    state_vector: bytes


class SyncStep2(NamedTuple):
    """The answer to ``SyncStep1``: an update with everything that the asker lacks."""

    update: bytes


class Update(NamedTuple):
    """An edit, as it happens."""

    update: bytes


class Awareness(NamedTuple):
    """Presence: an awareness update (see ``protocols.awareness``)."""

    update: bytes


class QueryAwareness(NamedTuple):
    """Send me the presence of everybody."""


class PermissionDenied(NamedTuple):
    """The server refuses; ``reason`` is for the reader."""

    reason: str


class SyncStatus(NamedTuple):
    """Tell me when all that I sent is stored: the answer is the same message (``@y-sweet/client``, ``checkSync``)."""

    payload: bytes


class Access(NamedTuple):
    """What may I do here? The answer says whether the asker may edit; the question (``None``) does not."""

    write: bool | None = None


class Lineage(NamedTuple):
    """The ``id`` of the history that the sender's document has; empty where it has none."""

    id: str


class Unknown(NamedTuple):
    """A message of another dialect: its ``type`` and the bytes after it."""

    type: int
    payload: bytes


Message: TypeAlias = (
    SyncStep1
    | SyncStep2
    | Update
    | Awareness
    | QueryAwareness
    | PermissionDenied
    | SyncStatus
    | Access
    | Lineage
    | Unknown
)


def parse(data: bytes, at: int = 0) -> Message:
    """The message that starts at ``data[at]``; raises ``ProtocolError`` where it is cut short or malformed."""
    kind, at = read_varuint(data, at)
    if kind == 0:
        step, at = read_varuint(data, at)
        payload = _payload(data, at)
        if step == 2:
            return Update(payload)
        if step == 1:
            return SyncStep2(payload)
        if step == 0:
            return SyncStep1(payload)
        raise ProtocolError(f"no sync message has the number {step}")
    if kind == 1:
        return Awareness(_payload(data, at))
    if kind == 3:
        return QueryAwareness()
    if kind == 102:
        return SyncStatus(_payload(data, at))
    if kind == 104:
        return Access(data[at] != 0 if at < len(data) else None)
    if kind == 105:
        return Lineage(Decoder(data, at).string())
    if kind == 2 and data[at : at + 1] == b"\x00":
        return PermissionDenied(Decoder(data, at + 1).string())
    return Unknown(kind, data[at:])


def _payload(data: bytes, at: int) -> bytes:
    length, at = read_varuint(data, at)
    end = at + length
    if end > len(data):
        raise ProtocolError(f"{length} bytes announced at byte {at}, but {len(data) - at} are left")
    return data[at:end]


def sync_step1(state_vector: bytes) -> bytes:
    """The message that asks for everything ``state_vector`` lacks."""
    return b"\x00\x00" + varuint(len(state_vector)) + state_vector


def sync_step2(update: bytes) -> bytes:
    """The message that answers a SyncStep1; its reader then counts as synced."""
    return b"\x00\x01" + varuint(len(update)) + update


def update(update: bytes) -> bytes:
    """The message for one edit."""
    return b"\x00\x02" + varuint(len(update)) + update


def awareness(update: bytes) -> bytes:
    """The message for an awareness update."""
    return b"\x01" + varuint(len(update)) + update


def query_awareness() -> bytes:
    """The message that asks for everybody's presence."""
    return b"\x03"


def sync_status(payload: bytes) -> bytes:
    """The message that asks for, or gives, word that all before it is stored."""
    return b"\x66" + varuint(len(payload)) + payload


def access(write: bool | None = None) -> bytes:
    """The message that asks what its sender may do or, with ``write``, that answers."""
    return b"\x68" if write is None else b"\x68\x01" if write else b"\x68\x00"


def lineage(id: str) -> bytes:
    """The message that says which history its sender's document has."""
    encoded = id.encode()
    return b"\x69" + varuint(len(encoded)) + encoded


def permission_denied(reason: str) -> bytes:
    """The message that refuses, with a reason for the reader."""
    encoded = reason.encode(errors="replace")
    return b"\x02\x00" + varuint(len(encoded)) + encoded
