"""Turns: calls in the kernel's own thread, where a notebook's code and its widgets' callbacks run.

The network has a thread of its own and goes on while a cell runs. A widget of somebody's may not be set from there:
traitlets takes no lock (``hold_trait_notifications`` swaps a method of the object, and loses what another thread sets
while it rolls back), and the notebook's own callbacks would run beside its cells. So what arrives waits for the next
turn of the kernel's event loop, that is for the end of a cell, or for ``Room.update``, which a long cell may call.

What only goes out to a page may go from any thread: ipykernel's ``comm.send`` hands the finished message to the thread
that owns the socket (``ipykernel.iostream.BackgroundSocket``), and ipywidgets' documentation, "Asynchronous Widgets",
sets a widget's value in a thread to show the progress of work. So widgets of our own, which nobody observes, are set at
once, and what waits for a turn is shown on the page meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Turns"]

log = logging.getLogger("partyroom.widgets")


class Turns:
    """Made in the kernel's thread. Where no event loop runs (a plain script), calls are made where they are posted."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._asked = False
        self._thread = threading.get_ident()
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            log.debug("no event loop runs here: callbacks are called in the network's thread")

    @property
    def here(self) -> bool:
        """Whether the caller is where calls are made."""
        return self._loop is None or threading.get_ident() == self._thread

    def post(self, call: Callable[[], object]) -> None:
        """Have ``call`` made, in order; what it raises is logged. May be called from any thread."""
        if self._loop is None:
            _guarded(call)
            return
        with self._lock:
            self._calls.append(call)
            if self._asked:
                return
            self._asked = True
        try:
            self._loop.call_soon_threadsafe(self.run)
        except RuntimeError:  # the loop is closed: the kernel is ending
            log.debug("the kernel's event loop has ended")

    def run(self) -> None:
        """Make the calls that wait. Raises ``RuntimeError`` in another thread than the kernel's."""
        if not self.here:
            raise RuntimeError("this belongs into the kernel's own thread: call it in a cell, not in a thread")
        with self._lock:
            self._asked = False
            calls, self._calls = self._calls, deque()
        for call in calls:
            _guarded(call)


def _guarded(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        log.exception("a callback failed")
