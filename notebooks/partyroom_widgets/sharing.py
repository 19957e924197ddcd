"""Sharing: the desk between all shared widgets of a notebook and the room's document.

Everything that users of this notebook move goes out in one message, at most every ``pace.EVERY`` seconds however many
widgets they are; what others move comes in at the same pace. Three maps of the document hold it: ``widgets`` the values
by key, ``widgets.kinds`` what kind of value each is, and ``widgets.drivers`` who drives what only one may move.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from partyroom.client import Change, DocumentRoom
from partyroom.client.values import ABSENT

from .knob import REST, Knob
from .pace import Pace
from .turns import Turns

__all__ = ["DRIVERS", "KINDS", "VALUES", "Sharing"]

log = logging.getLogger("partyroom.widgets")

VALUES: Final = "widgets"
KINDS: Final = "widgets.kinds"
DRIVERS: Final = "widgets.drivers"

PREVIEW: Final = 0.15
"""Seconds. What waits longer for the kernel's next turn is shown on the page meanwhile."""

_desks: weakref.WeakSet[Sharing] = weakref.WeakSet()


class Sharing:
    """``show_moving(keys)`` tells the others what is being moved here; it is called in the network's thread."""

    def __init__(self, client: DocumentRoom, turns: Turns, show_moving: Callable[[tuple[str, ...]], object]) -> None:
        self.values = client.map(VALUES)
        self.kinds = client.map(KINDS)
        self.drivers = client.map(DRIVERS)
        self.knobs: dict[str, list[Knob]] = {}
        self._turns = turns
        self._show_moving = show_moving
        self._lock = threading.Lock()
        self._waiting: dict[str, Any] = {}
        """What is moved here and not in the document yet."""
        self._moving: dict[str, Knob] = {}
        self._shown: tuple[str, ...] = ()
        self._resting = False
        self._arrived: set[str] = set()
        """What others have moved, and waits for the kernel's thread."""
        self._posted = False
        self._out = Pace(self._send)
        self._in = Pace(self._bring)
        self._unhear = self.values.on_change(self._changed)
        _desks.add(self)

    def add(self, knob: Knob) -> None:
        """Serve a knob from now on."""
        with self._lock:
            self.knobs.setdefault(knob.key, []).append(knob)

    def remove(self, knob: Knob) -> None:
        """Serve a knob no more; what it has put is sent."""
        self.flush()
        with self._lock:
            of_key = self.knobs.get(knob.key, [])
            if knob in of_key:
                of_key.remove(knob)
            if not of_key:
                self.knobs.pop(knob.key, None)

    def close(self) -> None:
        """Put what waits into the document, and hear of it no more."""
        self.flush()
        self._unhear()
        _desks.discard(self)

    # -- what is moved here ------------------------------------------------------------------------------------------

    def stored(self, key: str) -> Any:
        """What the document holds, or is about to: ``ABSENT`` where there is nothing yet."""
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
        return self.values.get(key, ABSENT)

    def put(self, knob: Knob, stored: Any, *, moving: bool) -> None:
        """Have the others see this, soon."""
        with self._lock:
            self._waiting[knob.key] = stored
            if moving:
                self._moving[knob.key] = knob
        self._out.ask()

    def flush(self) -> None:
        """Put what waits into the document now."""
        with self._lock:
            batch = dict(self._waiting)
        if not batch:
            return
        self.values.update(batch)
        with self._lock:
            for key, stored in batch.items():
                if self._waiting.get(key, ABSENT) is stored:
                    del self._waiting[key]

    def _send(self) -> None:
        self.flush()
        with self._lock:
            begin = bool(self._moving) and not self._resting
            self._resting = self._resting or begin
        self._tell_moving()
        if begin:
            asyncio.get_running_loop().call_later(REST, self._rest)

    def _rest(self) -> None:
        """Somebody may have let go: then his widget becomes what all the others have."""
        with self._lock:
            rested = [knob for knob in self._moving.values() if not knob.moving]
            for knob in rested:
                del self._moving[knob.key]
            self._resting = bool(self._moving)
        if self._resting:
            asyncio.get_running_loop().call_later(REST / 4, self._rest)
        for knob in rested:
            self.later(knob)
        self._tell_moving()

    def _tell_moving(self) -> None:
        with self._lock:
            moving = tuple(sorted(self._moving))
            news = moving != self._shown
            self._shown = moving
        if news:
            self._show_moving(moving)

    # -- what others move --------------------------------------------------------------------------------------------

    def later(self, knob: Knob) -> None:
        """Have ``knob`` look at what is stored, at the kernel's next turn."""
        with self._lock:
            self._arrived.add(knob.key)
        self._deliver()

    def _changed(self, change: Change) -> None:
        """In the network's thread."""
        keys = {str(edit.path[0]) if edit.path else getattr(edit, "key", "") for edit in change.edits}
        with self._lock:
            self._arrived |= keys & self.knobs.keys()
            knobs = [knob for key in keys for knob in self.knobs.get(key, ())]
        if change.remote:
            for knob in knobs:
                knob.overtaken()
        if knobs:
            self._in.ask()

    def _bring(self) -> None:
        """In the network's thread."""
        self._deliver()
        asyncio.get_running_loop().call_later(PREVIEW, self._preview)

    def _preview(self) -> None:
        """The kernel is busy: what waits for it is on the page already."""
        with self._lock:
            knobs = [knob for key in self._arrived for knob in self.knobs.get(key, ())]
        for knob in knobs:
            knob.preview()

    def _deliver(self) -> None:
        with self._lock:
            if self._posted:
                return
            self._posted = True
        self._turns.post(self._apply)

    def _apply(self) -> None:
        """In the kernel's thread."""
        with self._lock:
            self._posted = False
            arrived, self._arrived = self._arrived, set()
            knobs = [knob for key in arrived for knob in self.knobs.get(key, ())]
        for knob in knobs:
            try:
                knob.apply()
            except Exception:  # whatever the notebook's own callbacks raise
                log.exception("a callback of %s failed", knob.where)


def _last_words() -> None:
    """The kernel ends: what was moved in the last moment goes into the documents, before the network closes them."""
    for desk in tuple(_desks):
        desk.flush()


# Twice, as client.thread closes rooms twice: those that are kept in a file before other threads end. Whoever registers
# later, as this does, is called earlier.
atexit.register(_last_words)
getattr(threading, "_register_atexit", atexit.register)(_last_words)
