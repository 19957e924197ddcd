"""Pace: work that is asked for more often than it is worth doing: at once, and then only so many times a second."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from partyroom.client.thread import network

__all__ = ["EVERY", "Pace"]

log = logging.getLogger("partyroom.widgets")

EVERY: Final = 0.05
"""Seconds between two messages of one notebook: a drag looks smooth, and a hundred people can drag at once."""


class Pace:
    """Does ``work`` in the network's thread when it is asked for: at once, then every ``every`` seconds while it is
    asked for again. What was asked for last is always done."""

    def __init__(self, work: Callable[[], object], every: float = EVERY) -> None:
        self._work = work
        self._every = every
        self._lock = threading.Lock()
        self._asked = False
        self._running = False

    def ask(self) -> None:
        """Have the work done soon. May be called from any thread."""
        with self._lock:
            self._asked = True
            if self._running:
                return
            self._running = True
        network().soon(self._turn)

    def _turn(self) -> None:
        with self._lock:
            self._running = self._asked
            self._asked = False
            if not self._running:
                return
        try:
            self._work()
        except Exception:
            log.exception("what a room shares could not be passed on")
        finally:
            asyncio.get_running_loop().call_later(self._every, self._turn)
