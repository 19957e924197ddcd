"""The exceptions partyroom raises, and the close codes it sends.

::

    PartyroomError
    ├── Refused               a visit is turned away: carries the HTTP status and a reason for the visitor
    │   └── TooLarge          over a size limit (HTTP 413, close 1009)
    ├── ProtocolError         the *peer* sent what the protocol does not allow (close 1002, or as given)
    ├── ConnectionClosed      our side used a connection that has ended
    │   └── HandshakeRefused  a client's connection was refused for good: carries the HTTP status
    ├── Unreachable           a server gave a client no answer, or none of use; trying again later may help
    ├── QueueFull             more messages than a client's queue holds wait to be sent; this one was not taken
    ├── RoomStopped           the room has stopped (or could not start) and takes no more events
    ├── LimitError            *our own* code asked for more than a limit allows (a key, a value, a tag)
    ├── SqlError              a statement of room.sql is wrong, not allowed, or breaks a constraint
    └── StoreError            the store could not do it now; trying again later may help
        ├── StoreClosed       the store has been closed
        ├── Fenced            another node owns this room by now; this one must let go
        └── Damaged           what is stored does not match its checksum or sequence

Whose fault an error is shows in its class: ``Refused`` and ``ProtocolError`` are the visitor's and cost one log line,
the others are the program's.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum

__all__ = [
    "CloseCode",
    "ConnectionClosed",
    "Damaged",
    "Fenced",
    "HandshakeRefused",
    "LimitError",
    "PartyroomError",
    "ProtocolError",
    "QueueFull",
    "Refused",
    "RoomStopped",
    "SqlError",
    "StoreClosed",
    "StoreError",
    "TooLarge",
    "Unreachable",
    "is_failure",
]


class CloseCode(IntEnum):
    """WebSocket close codes (RFC 6455 section 7.4.1; 4000 to 4999 are the application's).

    Clients of the y-websocket family stop reconnecting on 4400 to 4499 and go on after every other code, so a refusal
    that trying again cannot mend lies in that range and mirrors the HTTP status.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    ABNORMAL = 1006
    POLICY_VIOLATION = 1008
    TOO_LARGE = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    FORBIDDEN = 4403
    CONFLICT = 4409
    GONE = 4410


class PartyroomError(Exception):
    """The root of everything partyroom raises."""


class Refused(PartyroomError):
    """A visit is turned away; ``status`` is the HTTP status and ``reason`` may be shown to the visitor."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class TooLarge(Refused):
    """The visitor sent more bytes than a limit allows."""

    def __init__(self, reason: str) -> None:
        super().__init__(413, reason)


class ProtocolError(PartyroomError):
    """The peer broke a protocol; its connection is closed with ``code`` and nobody else is disturbed."""

    def __init__(self, reason: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class ConnectionClosed(PartyroomError):
    """The connection has ended with ``code`` and ``reason``."""

    def __init__(self, code: int = CloseCode.ABNORMAL, reason: str = "") -> None:
        super().__init__(f"the connection has ended ({code}{f': {reason}' if reason else ''})")
        self.code = code
        self.reason = reason


class HandshakeRefused(ConnectionClosed):
    """The server answered a client's handshake with ``status`` (4xx) and will again; ``code`` mirrors it (4401)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(4000 + status, reason)
        self.status = status


class Unreachable(PartyroomError, ConnectionError):
    """A server gave a client no answer, or none of use; ``retry_after`` is the seconds it asks to be left alone."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class QueueFull(PartyroomError):
    """What waits to be sent is over the bound of a client's queue; the message was not taken."""


class RoomStopped(PartyroomError):
    """The room has stopped, or could not start; the next visit starts a new one."""


class LimitError(PartyroomError, ValueError):
    """The program asked for more than a limit allows; nothing was done."""


class SqlError(PartyroomError):
    """A statement of ``room.sql`` has done nothing; ``code`` is SQLite's word for why: ``SQLITE_CONSTRAINT_UNIQUE``."""

    def __init__(self, reason: str, code: str = "SQLITE_ERROR") -> None:
        super().__init__(reason)
        self.code = code


class StoreError(PartyroomError):
    """The store could not do it now (a full disk, a lock); nothing of the batch was written."""


class StoreClosed(StoreError):
    """The store has been closed."""


class Fenced(StoreError):
    """A newer owner has written to this room; what this owner holds is stale and is not written."""


class Damaged(StoreError):
    """Stored bytes fail their checksum or sequence; they are set aside, never guessed at or overwritten."""


def is_failure(error: BaseException) -> bool:
    """Whether the code that raised ``error`` has failed; not where the running task is cancelled or the process ends.

    Not all failures are an ``Exception``: a panic of an extension in Rust is none, nor is what tells a hook that
    something it awaited has been cancelled.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or not task.cancelling()
    return not isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
