"""Knob: one trait of one widget, and the key of the room's map that it is tied to.

Its user moves it, and others move it. Where that is at the same time the rules are: nobody's own widget moves under his
hand; the document's order decides; and a moment (``REST``) after he lets go he has what all the others have.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import traitlets

from partyroom.client.changes import same
from partyroom.client.values import ABSENT

from .codec import Form

__all__ = ["REST", "Desk", "Knob"]

log = logging.getLogger("partyroom.widgets")

REST: Final = 0.4
"""Seconds without a move after which a user has let go. Moves that follow each other faster are one, for undo too."""


class Desk(Protocol):
    """What a knob needs of the room."""

    def stored(self, key: str) -> Any:
        """What the document holds, or is about to: ``ABSENT`` where there is nothing yet."""

    def put(self, knob: Knob, stored: Any, *, moving: bool) -> None:
        """Have the others see this."""

    def later(self, knob: Knob) -> None:
        """Have ``knob.apply`` called in the kernel's thread."""


@dataclass(slots=True)
class _Step:
    """What an own move did, for undo."""

    before: Any
    after: Any
    at: float


class Knob:
    """``may_write`` is asked before a move goes to the others; what it forbids is turned back if ``reverts``."""

    def __init__(
        self,
        desk: Desk,
        widget: traitlets.HasTraits,
        trait: str,
        key: str,
        form: Form,
        *,
        may_write: Callable[[Knob], bool],
        reverts: bool,
        trouble: Callable[[str], object],
    ) -> None:
        self.widget = widget
        self.trait = trait
        self.key = key
        self.form = form
        self.where = f"{type(widget).__name__}.{trait}, shared as {key!r}"
        self.moved_at = float("-inf")
        """When its user moved it last, in seconds of ``time.monotonic``."""
        self._desk = desk
        self._may_write = may_write
        self._reverts = reverts
        self._trouble = trouble
        self._applying = False
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        widget.observe(self._changed, names=trait)

    def stop(self) -> None:
        """Let go of the widget, which stays as it is."""
        self.widget.unobserve(self._changed, names=self.trait)

    @property
    def moving(self) -> bool:
        """Whether its user has it in his hand."""
        return time.monotonic() - self.moved_at < REST

    @property
    def value(self) -> Any:
        """What everybody has, as a value of the trait: from the document, so it is the newest even in a long cell."""
        stored = self._desk.stored(self.key)
        return getattr(self.widget, self.trait) if stored is ABSENT else self.form.decode(stored, self.where)

    # -- its user moves it -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises ``TypeError`` or ``ValueError`` where the widget's value cannot be shared."""
        self._shown()

    def offer(self) -> None:
        """Store the widget's value where nothing is stored yet."""
        if self._desk.stored(self.key) is ABSENT:
            self._desk.put(self, self._shown(), moving=False)

    def _changed(self, change: Any) -> None:
        """In whatever thread the widget was set."""
        if self._applying:
            return
        try:
            after = self.form.encode(change["new"], self.where)
        except (TypeError, ValueError) as error:
            self._trouble(str(error))
            return
        before = self._desk.stored(self.key)
        if before is not ABSENT and same(before, after):
            return
        if self._may_write(self):
            self._note(before, after)
            self._desk.put(self, after, moving=True)
        elif self._reverts:
            self._desk.later(self)

    def _note(self, before: Any, after: Any) -> None:
        now = time.monotonic()
        self._undone.clear()
        if self._done and now - self._done[-1].at < REST:
            self._done[-1].after, self._done[-1].at = after, now
        elif before is not ABSENT:
            self._done.append(_Step(before, after, now))
            del self._done[:-100]
        self.moved_at = now

    # -- others move it ----------------------------------------------------------------------------------------------

    def overtaken(self) -> None:
        """Somebody else has stored something: there is nothing of ours to take back any more."""
        self._done.clear()
        self._undone.clear()

    def apply(self) -> None:
        """Make the widget what is stored; in the kernel's thread. What its user has in his hand waits."""
        stored = self._desk.stored(self.key)
        if stored is ABSENT or self.moving:
            return
        try:
            if not self._shows(stored):
                self._set(self.form.decode(stored, self.where))
            self._trouble("")
        except traitlets.TraitError as error:
            self._trouble(f"{self.where} cannot be {str(stored)[:60]!r}: {str(error).splitlines()[0]}")
        except (TypeError, ValueError) as error:
            self._trouble(str(error))

    def preview(self) -> None:
        """Show the page what the widget is going to be; in any thread. Only of plain values: others wait."""
        widget, stored = self.widget, self._desk.stored(self.key)
        comm = getattr(widget, "comm", None)
        if comm is None or self.trait not in getattr(widget, "keys", ()) or stored is ABSENT or self.moving:
            return
        if widget.trait_metadata(self.trait, "to_json") is None and _is_plain(stored):
            comm.send({"method": "update", "state": {self.trait: stored}, "buffer_paths": []})

    def _shown(self) -> Any:
        return self.form.encode(getattr(self.widget, self.trait), self.where)

    def _shows(self, stored: Any) -> bool:
        try:
            return same(stored, self._shown())
        except (TypeError, ValueError):  # its user has put something there that cannot be shared
            return False

    def _set(self, value: Any) -> None:
        self._applying = True
        try:
            setattr(self.widget, self.trait, value)
        finally:
            self._applying = False

    # -- undo --------------------------------------------------------------------------------------------------------

    def last_move(self, *, undone: bool = False) -> float | None:
        """When the move was made that ``undo`` (or ``redo``) would take back; ``None`` where there is none."""
        steps = self._undone if undone else self._done
        return steps[-1].at if steps else None

    def undo(self) -> None:
        """Take back the last own move."""
        step = self._done.pop()
        self._undone.append(step)
        self._restore(step.before)

    def redo(self) -> None:
        """Make the move again that was taken back last."""
        step = self._undone.pop()
        self._done.append(step)
        self._restore(step.after)

    def _restore(self, stored: Any) -> None:
        self.moved_at = float("-inf")
        self._desk.put(self, stored, moving=False)
        self.apply()


def _is_plain(stored: Any) -> bool:
    """Whether a page takes it as it is stored."""
    if isinstance(stored, list):
        return all(map(_is_plain, stored))
    return stored is None or isinstance(stored, (bool, int, float, str))
