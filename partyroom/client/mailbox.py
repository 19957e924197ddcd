"""Mailbox: messages that an event loop puts and any thread takes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from ..errors import ConnectionClosed
from .mail import Inbox
from .waiting import Changes

__all__ = ["Mailbox"]


class Mailbox:
    """Bounded by size. ``put`` and ``drop`` are called in the loop, ``take`` in any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.emptied = Changes()
        """Told, in the loop, when it is not full any more."""
        self._loop = loop
        self._messages = Inbox()
        self._changed = threading.Condition()
        self._error: ConnectionClosed | None = None

    @property
    def full(self) -> bool:
        """Whether no more should be put."""
        return self._messages.full

    def put(self, message: str | bytes) -> None:
        """Add a message."""
        with self._changed:
            self._messages.put(message)
            self._changed.notify()

    def take(self, timeout: float | None = None) -> str | bytes:
        """The oldest message, waiting for one. Raises ``TimeoutError``, or ``ConnectionClosed`` when none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._error, timeout)
            if self._messages:
                was_full = self.full
                message = self._messages.take()
                if was_full and not self.full:
                    with suppress(RuntimeError):  # the loop has ended
                        self._loop.call_soon_threadsafe(self.emptied)
                return message
            if self._error is not None:
                raise ConnectionClosed(self._error.code, self._error.reason)
        raise TimeoutError(f"no message within {timeout:g} s")

    def drop(self) -> str | bytes | None:
        """Take the oldest message without waiting; ``None`` where there is none."""
        with self._changed:
            message = self._messages.take() if self._messages else None
        self.emptied()
        return message

    def end(self, error: ConnectionClosed) -> None:
        """No more will come; what has come can still be taken."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
