"""The messages of Hocuspocus 4: y-protocols messages, each with the address of a document in front.

::

    address  0 sync             as y-protocols
    address  1 awareness        as y-protocols
    address  2 auth             0 token, version | 0 (the server asks for one) | 1 denied, reason | 2 allowed, scope
    address  3 query awareness
    address  5 stateless        payload (an application's text)
    address  7 close            the client is done with this document | reason (the server's)
    address  8 sync status      1 the edit is saved | 0 it did not count
             9 ping, 10 pong    one byte, without an address

An address is the document's name or, where a page has several providers of one document on one socket, the name, a
NUL and the id of the provider's session. Answers carry the address that was asked with. Numbers are varuints, and
texts and bytes carry their length in front (npm packages ``@hocuspocus/provider``, ``common`` and ``server``:
``MessageReceiver``, ``OutgoingMessage``, ``auth``, ``routingKey``).

Types 4 and 6 are for servers among themselves; they and others that are not listed are reported as ``yjs.Unknown``.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from ..errors import ProtocolError
from . import yjs
from .lib0 import Decoder, Encoder

__all__ = [
    "PING",
    "PONG",
    "Authenticated",
    "Close",
    "Message",
    "PermissionDenied",
    "Ping",
    "Pong",
    "Stateless",
    "SyncStatus",
    "Token",
    "TokenRequest",
    "address",
    "authenticated",
    "close",
    "document_name",
    "parse",
    "permission_denied",
    "stateless",
    "sync_status",
    "token",
    "token_request",
]

PING: Final = b"\x09"
"""Are you there? The other side answers with ``PONG``."""
PONG: Final = b"\x0a"

_READ_WRITE, _READ_ONLY = "read-write", "readonly"


class Token(NamedTuple):
    """The client asks for the document; ``version`` is the provider's, empty from before 4.0."""

    token: str
    version: str = ""


class TokenRequest(NamedTuple):
    """The server asks for the token that the client has by now."""


class PermissionDenied(NamedTuple):
    """The server refuses the document."""

    reason: str


class Authenticated(NamedTuple):
    """The server grants the document; ``write`` says whether the client's edits count."""

    write: bool


class Stateless(NamedTuple):
    """An application's text, which is not a part of the document."""

    payload: str


class Close(NamedTuple):
    """The sender is done with the document; the socket stays for the others. A client gives no ``reason``."""

    reason: str = ""


class SyncStatus(NamedTuple):
    """The server answers one edit, or one SyncStep2: it is ``saved``, or it did not count."""

    saved: bool


class Ping(NamedTuple):
    """Are you there?"""


class Pong(NamedTuple):
    """I am here."""


Message: TypeAlias = (
    yjs.SyncStep1
    | yjs.SyncStep2
    | yjs.Update
    | yjs.Awareness
    | yjs.QueryAwareness
    | yjs.Unknown
    | Token
    | TokenRequest
    | PermissionDenied
    | Authenticated
    | Stateless
    | Close
    | SyncStatus
    | Ping
    | Pong
)


def parse(data: bytes) -> tuple[str, Message]:
    """The address of a WebSocket message and what it says; raises ``ProtocolError`` where it is malformed.

    ``Ping`` and ``Pong`` have no address: it is empty.
    """
    if data == PING:
        return "", Ping()
    if data == PONG:
        return "", Pong()
    decoder = Decoder(data)
    to, start = decoder.string(), decoder.at
    kind = decoder.varuint()
    if kind in (0, 1, 3):
        message = yjs.parse(data, start)
        assert isinstance(message, (yjs.SyncStep1, yjs.SyncStep2, yjs.Update, yjs.Awareness, yjs.QueryAwareness))
        return to, message
    return to, _parse_own(kind, decoder)


def _parse_own(kind: int, decoder: Decoder) -> Message:
    match kind:
        case 2:
            return _parse_auth(decoder)
        case 5:
            return Stateless(decoder.string())
        case 7:
            return Close(decoder.string() if decoder.left else "")
        case 8:
            return SyncStatus(decoder.varuint() == 1)
    return yjs.Unknown(kind, decoder.rest())


def _parse_auth(decoder: Decoder) -> Message:
    step = decoder.varuint()
    match step:
        case 0 if not decoder.left:
            return TokenRequest()
        case 0:
            return Token(decoder.string(), decoder.string() if decoder.left else "")
        case 1:
            return PermissionDenied(decoder.string())
        case 2:
            return Authenticated(decoder.string() == _READ_WRITE)
    raise ProtocolError(f"no auth message has the number {step}")


def document_name(address: str) -> str:
    """The document that an address means."""
    return address.partition("\0")[0]


def address(to: str) -> bytes:
    """What goes before every message about a document: any of those below, or of ``yjs``'s sync and awareness."""
    return bytes(Encoder().string(to))


def token(token: str, version: str) -> bytes:
    """The message that asks for a document."""
    return bytes(Encoder(b"\x02\x00").string(token).string(version))


def token_request() -> bytes:
    """The message that asks for a client's present token."""
    return b"\x02\x00"


def permission_denied(reason: str) -> bytes:
    """The message that refuses a document."""
    return bytes(Encoder(b"\x02\x01").string(reason))


def authenticated(write: bool) -> bytes:
    """The message that grants a document."""
    return bytes(Encoder(b"\x02\x02").string(_READ_WRITE if write else _READ_ONLY))


def stateless(payload: str) -> bytes:
    """The message with an application's text."""
    return bytes(Encoder(b"\x05").string(payload))


def close(reason: str = "") -> bytes:
    """The message that ends the talk about a document; with a reason, as a server sends it."""
    return bytes(Encoder(b"\x07").string(reason)) if reason else b"\x07"


def sync_status(saved: bool) -> bytes:
    """The message that answers one edit."""
    return b"\x08\x01" if saved else b"\x08\x00"
