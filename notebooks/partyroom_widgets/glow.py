"""Glow: a calm mark on a widget that somebody else is moving, and a tag that says who.

The mark is a bar at the left of the widget, there all the time and coloured while somebody moves it, so that nothing
jumps. A widget whose border its owner has set keeps that.
"""

from __future__ import annotations

from typing import Any, Final

import anywidget
import ipywidgets
import traitlets

from .pages import sources
from .people import clean_color

__all__ = ["Glow", "Tag"]

_SOURCES: Final = sources("tag")


class Glow:
    """The bar of one widget. All of it belongs into the kernel's thread."""

    def __init__(self, widget: Any) -> None:
        layout = getattr(widget, "layout", None)
        free = isinstance(layout, ipywidgets.Layout) and layout.border_left is None
        self._layout: Any = layout if free else None
        self._paint("transparent")

    def show(self, color: str | None) -> None:
        """Glow in this colour; ``None`` is to rest."""
        self._paint(clean_color(color) if color else "transparent")

    def stop(self) -> None:
        """Leave the widget as it was."""
        if self._layout is not None:
            self._layout.border_left = None
            self._layout = None

    def _paint(self, color: str) -> None:
        if self._layout is not None:
            self._layout.border_left = f"3px solid {color}"


class Tag(anywidget.AnyWidget):
    """Some words beside a widget, and perhaps a button."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    text = traitlets.Unicode().tag(sync=True)
    color = traitlets.Unicode().tag(sync=True)
    trouble = traitlets.Bool(False).tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    """What the button says; empty for no button. Pressing it sends ``{"pressed": true}``."""
