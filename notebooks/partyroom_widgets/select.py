"""select: a plot on which all select the same, each in his own colour.

A selection is a value like that of a slider, and is shared as one: whoever selects last has selected for everybody;
who comes later gets it; nobody's own drag is disturbed; ``mode``, undo and seats are those of ``share``. ``plots`` says
what is stored.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from partyroom.client.callbacks import Callbacks

from .glow import Tag
from .pages import with_text
from .people import clean_color, clean_name
from .plots import Selected, Shape, clean, plot_of
from .share import Mode, Share

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Selection"]

_selections: weakref.WeakSet[Selection] = weakref.WeakSet()


class Picker(traitlets.HasTraits):
    """What ``Room.share`` shares of a plot."""

    value: Any = traitlets.Dict(None, allow_none=True)
    disabled = traitlets.Bool(False)


class Selection:
    """What ``Room.select`` returns. As a cell's last line it shows the plot, with a tag that says who selects."""

    def __init__(self, room: Room, figure: Any, *, key: str, shape: Shape | None, mode: Mode) -> None:
        for former in [one for one in _selections if one.figure is figure and one.share.key == key]:
            former.stop()  # a cell that is run again
        self.figure: Any = figure
        self.room = room
        self._plot = plot_of(figure, shape)
        self._picker = Picker(value=self._signed(self._plot.read()))
        self._on_change = Callbacks[[Selected]]("on_change")
        self._view: ipywidgets.VBox | None = None
        self._tag = Tag()
        self._picker.observe(self._moved, "value")
        self.share: Share = room.share(self._picker, "value", key=key, mode=mode)
        self._plot.watch(self._picked, room.me.color)
        self._plot.allow(not self._picker.disabled)
        self._picker.observe(lambda change: self._plot.allow(not change["new"]), "disabled")
        room.close_with(self.stop)
        _selections.add(self)

    def __repr__(self) -> str:
        return f"<Selection {self.share.key!r} {self.share.mode} {self.value}>"

    # -- what is selected --------------------------------------------------------------------------------------------

    @property
    def value(self) -> Selected:
        """What everybody has selected (see ``plots``), also while a cell runs; ``None`` for nothing. It can be set.

        Setting it raises ``ValueError`` for what is no selection, and is refused as ``share`` does by its ``mode``.
        """
        return clean(self.share.value)

    @value.setter
    def value(self, value: Selected) -> None:
        selected = clean(value)
        if selected is None and value is not None:
            raise ValueError("a selection is as in {'areas': [{'shape': 'box', 'x': [1, 3], 'y': [0, 20]}]}, or None")
        self._picker.value = self._signed(selected)

    @property
    def by(self) -> str:
        """The name of who selected it; empty for nothing."""
        return _who(self.share.value)[1] if self.value else ""

    def clear(self) -> None:
        """Select nothing."""
        self.value = None

    def on_change(self, callback: Callable[[Selected], object]) -> Callable[[], None]:
        """Call ``callback(value)`` in the kernel's thread when somebody has selected, you included. Returns a function
        that ends it."""
        return self._on_change.add(callback)

    def stop(self) -> None:
        """Share it no more; ``share`` has the rest: ``share.undo()``, ``share.take()``. Stopping twice is fine."""
        if not self.share.stopped:
            self.share.stop()
            self._plot.stop()
            _selections.discard(self)

    # -- between the plot and the room -------------------------------------------------------------------------------

    def _signed(self, selected: Selected) -> Selected:
        return selected and {**selected, "by": self.room.me.name, "color": self.room.me.color}

    def _picked(self, selected: Selected) -> None:
        """The plot's user has selected this; or the plot says again what it was told."""
        if selected != clean(self._picker.value):
            self._picker.value = self._signed(selected)

    def _moved(self, change: Any) -> None:
        value = change["new"]
        selected, (color, name) = clean(value), _who(value)
        self._plot.show(selected, color, name)
        with self._tag.hold_sync():
            self._tag.text, self._tag.color = (f"selected by {name}", color) if selected else ("", "")
        self.room.turns.post(lambda: self._on_change(selected))

    # -- how it shows itself -----------------------------------------------------------------------------------------

    @property
    def view(self) -> ipywidgets.VBox:
        """The plot, who has selected what it shows, and who is selecting, to be put beside others."""
        if self._view is None:
            plot = self._plot.widget
            told = ipywidgets.HBox([self._tag, self.share.view], layout={"grid_gap": "12px"})
            self._view = ipywidgets.VBox([told] if plot is None else [plot, told])
        return self._view

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = self.view._repr_mimebundle_(**kwargs)
        return with_text(shown, f"{self.share.key} (a shared selection): run this cell to join in.")


def _who(value: Any) -> tuple[str, str]:
    signed = value if isinstance(value, dict) else {}
    return clean_color(signed.get("color")), clean_name(signed.get("by")) or "Someone"
