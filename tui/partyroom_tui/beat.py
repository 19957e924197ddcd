"""Beat: something that is done at once, and again at most every so often, as when a cursor moves at every key."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from textual.message_pump import MessagePump

__all__ = ["PAUSE", "Beat"]

PAUSE: Final = 0.08
"""Seconds."""


class Beat:
    """Calls ``action`` for a widget; what it is asked meanwhile comes ``pause`` seconds after the last time."""

    def __init__(self, widget: MessagePump, action: Callable[[], object], pause: float = PAUSE) -> None:
        self._widget = widget
        self._action = action
        self._pause = pause
        self._last = -pause
        self._waits = False

    def __call__(self) -> None:
        """Do it now, or soon."""
        if self._waits:
            return
        left = self._last + self._pause - monotonic()
        if left <= 0:
            self._now()
        else:
            self._waits = True
            self._widget.set_timer(left, self._now)

    def _now(self) -> None:
        self._waits = False
        self._last = monotonic()
        self._action()
