"""Outbox and Inbox: the messages that wait to be sent, and those that wait to be read. Both are bounded by size."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..errors import QueueFull
from ..limits import KIB, MIB
from .waiting import Changes

__all__ = ["Inbox", "Outbox", "Outgoing"]

OVERHEAD = 64
"""What a message counts beside its own bytes, so that a million empty ones are not nothing."""
ENOUGH = 64 * KIB
"""With more than this in the outbox, a sender that can wait does."""


class Outgoing(NamedTuple):
    """One message, encoded."""

    data: bytes
    is_text: bool

    @classmethod
    def of(cls, message: str | bytes) -> Outgoing:
        """Raises ``TypeError`` for what is no message, ``UnicodeEncodeError`` for half a surrogate pair."""
        if isinstance(message, str):
            return cls(message.encode(), True)
        if isinstance(message, (bytes, bytearray, memoryview)):
            return cls(bytes(message), False)
        raise TypeError(f"a message is str or bytes, not {type(message).__name__}; see send_json for other values")


class Outbox:
    """What waits to be sent, in order. ``limit`` is in bytes; it is looked at before a message is taken, so that a
    single message may be larger than it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.changed = Changes()
        self._messages: deque[Outgoing] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full_enough(self) -> bool:
        """Whether whoever can wait had better do so."""
        return self.size > ENOUGH

    def check(self) -> None:
        """Raises ``QueueFull`` when no more may wait."""
        if self.size >= self.limit:
            raise QueueFull(
                f"{len(self)} messages ({self.size} bytes) wait to be sent and {self.limit} bytes may: wait for "
                "opened(), send less while there is no connection, or give the socket a larger queue"
            )

    def put(self, message: Outgoing) -> None:
        """Take a message, last."""
        self._messages.append(message)
        self.size += len(message.data) + OVERHEAD
        self.changed()

    def take(self) -> Outgoing:
        """Give the first message away; raises ``IndexError`` when there is none."""
        message = self._messages.popleft()
        self.size -= len(message.data) + OVERHEAD
        self.changed()
        return message

    def clear(self) -> int:
        """Throw all away; returns how many there were."""
        count = len(self)
        self._messages.clear()
        self.size = 0
        self.changed()
        return count


class Inbox:
    """What has arrived and nobody has read yet. When it is full, nothing more is read from the network."""

    LIMIT = 1 * MIB

    def __init__(self) -> None:
        self.changed = Changes()
        self._messages: deque[str | bytes] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether no more fits."""
        return self._size >= self.LIMIT

    def put(self, message: str | bytes) -> None:
        """Take a message; whoever puts looks at ``full`` before."""
        self._messages.append(message)
        self._size += len(message) + OVERHEAD
        self.changed()

    def take(self) -> str | bytes:
        """Give the first message away; raises ``IndexError`` when there is none."""
        message = self._messages.popleft()
        self._size -= len(message) + OVERHEAD
        self.changed()
        return message
