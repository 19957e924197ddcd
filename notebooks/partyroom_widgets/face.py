"""Face: how a shared widget shows that it is shared: its glow, the tag beside it, and whether it can be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from .glow import Glow, Tag
from .people import Person

if TYPE_CHECKING:
    from .share import Share

__all__ = ["Face"]


class Face:
    """Of one share."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._glow = Glow(share.widget)
        self._tag: Tag | None = None
        self._was_disabled = bool(getattr(share.widget, "disabled", False))

    @property
    def view(self) -> ipywidgets.HBox:
        """The widget with its tag beside it."""
        if self._tag is None:
            self._tag = Tag()
            self._tag.on_msg(self._pressed)
            self.tell()
        widget = self._share.widget
        box = ipywidgets.HBox([widget, self._tag] if isinstance(widget, ipywidgets.Widget) else [self._tag])
        box.add_class("partyroom-shared")
        return box

    def refresh(self) -> None:
        """Show how it is now; in the kernel's thread."""
        movers = self._share.movers
        self._glow.show(movers[0].color if movers else None)
        self._disable(self._was_disabled or not self._share.movable)
        self.tell()

    def tell(self) -> None:
        """Say how it is now, in the tag only; in any thread."""
        tag = self._tag
        if tag is not None:
            person, tag.text = words(self._share)
            tag.color = person.color if person is not None else ""
            tag.trouble = bool(self._share.problem)
            tag.button = button(self._share)

    def stop(self) -> None:
        """Leave the widget as it was."""
        self._glow.stop()
        self._disable(self._was_disabled)
        self.tell()

    def _disable(self, disabled: bool) -> None:
        widget = self._share.widget
        if widget.has_trait("disabled") and getattr(widget, "disabled", disabled) != disabled:
            widget.set_trait("disabled", disabled)

    def _pressed(self, tag: Any, content: Any, buffers: Any) -> None:
        share = self._share
        if share.stopped or share.mode != "driver":
            return
        if not share.seat.mine:
            share.take()
        elif requests := share.requests:
            share.give(requests[0])
        else:
            share.give(None)


def words(share: Share) -> tuple[Person | None, str]:
    """What the tag says, and about whom."""
    if share.problem:
        return None, share.problem
    if share.stopped:
        return None, "Not shared any more"
    movers = share.movers
    if movers:
        others = len(movers) - 1
        more = "" if not others else f" and {movers[1].name}" if others == 1 else f" and {others} others"
        return movers[0], f"{movers[0].name}{more}"
    if share.mode != "driver":
        return None, ""
    if share.seat.mine:
        wanting = share.requests
        return (wanting[0], f"{wanting[0].name} would like to drive") if wanting else (share.room.me, "You drive")
    driver = share.driver
    return driver, f"{driver.name} drives" if driver else "Nobody drives: move it"


def button(share: Share) -> str:
    """What the tag's button says."""
    if share.stopped or share.mode != "driver" or share.problem:
        return ""
    if not share.seat.mine:
        return "Drive" if share.seat.free else "Asked" if share.key in share.room.wants else "Ask"
    wanting = share.requests
    return f"Give to {wanting[0].name}" if wanting else "Let go"
