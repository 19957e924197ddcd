"""plotly: a ``FigureWidget``, with what its own tools for boxes and lassos select, and what clicks do.

The points are each trace's ``selectedpoints``. The area is what its page says with them, of the figure's first axes
only; what it says of ``layout.selections`` comes later, and plotly stores there what it takes for no value itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

import ipywidgets

from .plots import Picked, Selected, Shape, clean, plain

__all__ = ["PlotlyPlot"]

TOOLS: Final = {"box": "select", "span": "select", "lasso": "lasso"}
"""The ``dragmode`` for each shape."""
_DATE = re.compile(r"[\d:.T+-]+(?: [\d:.]+)?")


class PlotlyPlot:
    """Without a ``shape``, a drag goes on to select as the figure's ``dragmode`` says, or else a box."""

    def __init__(self, figure: Any, shape: Shape | None) -> None:
        if not figure.data:
            raise ValueError("the figure has no traces yet: add them first")
        self._figure = figure
        self._picked: Picked | None = None
        self._shown: list[list[int]] | None = None
        """The points of what is selected; ``None`` for no selection."""
        self._taken = figure.layout.dragmode if shape is None else None
        """The tool of its user, also while he may not use it."""
        if self._taken not in TOOLS.values():
            self._taken = TOOLS[shape or "box"]
        figure.layout.dragmode = self._taken
        if shape is not None:
            figure.layout.selectdirection = "h" if shape == "span" else "any"

    @property
    def widget(self) -> ipywidgets.Widget:
        """The figure itself."""
        return self._figure

    def watch(self, picked: Picked, color: str) -> None:
        """Have its user select with the figure's tools."""
        self._picked = picked
        self._figure.layout.newselection = {"line": {"color": color}}
        last = self._figure.data[-1]  # whose callbacks are called when all traces have their points
        last.on_selection(self._selected, append=True)
        last.on_deselect(self._deselected, append=True)

    def read(self) -> Selected:
        """What the notebook has selected in it."""
        return clean({"points": self._points()})

    def show(self, selected: Selected, color: str, name: str) -> None:
        """Select it, in one message to the page."""
        selected = selected or {}
        points, traces = selected.get("points", []), self._traces()
        with self._figure.batch_update():
            # Nothing of something is not the same as no selection: plotly pales what is left out.
            self._mark([points[at] if at < len(points) else [] for at in range(len(traces))] if selected else None)
            shapes = [_shape(area, color) for area in selected.get("areas", ()) if area["axes"] == 0]
            self._figure.layout.selections = [shape for shape in shapes if shape is not None]

    def allow(self, allowed: bool) -> None:
        """Take the tool away from who may not use it."""
        drag = self._figure.layout.dragmode
        if not allowed and drag in TOOLS.values():
            self._taken = drag
        if allowed != (drag in TOOLS.values()):
            self._figure.layout.dragmode = self._taken if allowed else False

    def stop(self) -> None:
        """Hear of it no more: plotly keeps the callbacks that it has once been given."""
        self._picked = None

    def _mark(self, points: list[list[int]] | None) -> None:
        self._shown = points
        with self._figure.batch_update():
            for at, trace in enumerate(self._traces()):
                trace.selectedpoints = None if points is None else points[at]

    def _traces(self) -> list[Any]:
        return [trace for trace in self._figure.data if "selectedpoints" in trace]

    def _points(self) -> list[list[int]]:
        return [[plain(point) for point in trace.selectedpoints or ()] for trace in self._traces()]

    def _selected(self, trace: Any, points: Any, selector: Any) -> None:
        """Its user has selected, or a page has laid areas anew that it was told, which no tool has gone around."""
        found, area = self._points(), _area(selector)
        clicks = "select" in (self._figure.layout.clickmode or "") and any(found) and found != self._shown
        if self._picked is None:
            return
        if selector is not None or clicks:
            self._shown = found
            self._picked(clean({"areas": [area] if area else [], "points": found}))
        elif found != self._shown:
            self._mark(self._shown)

    def _deselected(self, trace: Any, points: Any) -> None:
        self._shown = None
        if self._picked is not None:
            self._picked(None)


def _area(selector: Any) -> dict[str, Any] | None:
    """What a tool has gone around; ``None`` for a click, and outside the first axes."""
    lasso = hasattr(selector, "xs")
    x, y = (selector.xs, selector.ys) if lasso else (getattr(selector, f"{axis}range", None) for axis in "xy")
    if not isinstance(x, (list, tuple)) or not isinstance(y, (list, tuple)):
        return None
    found = ([plain(place) for place in (ends if lasso else _sorted(ends))] for ends in (x, y))
    return {"shape": "lasso" if lasso else "box", **dict(zip("xy", found, strict=True)), "axes": 0}


def _sorted(ends: Any) -> Any:
    return sorted(ends) if all(isinstance(end, (int, float)) for end in ends) else ends


def _shape(area: dict[str, Any], color: str) -> dict[str, Any] | None:
    """An area for ``layout.selections``; ``None`` for what cannot be one."""
    x, y, shown = area["x"], area.get("y"), {"xref": "x", "yref": "y", "line": {"color": color, "width": 2}}
    if area["shape"] == "box" and y is not None:
        return {"type": "rect", "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1], **shown}
    if y is None or not all(isinstance(place, (int, float)) or _DATE.fullmatch(place) for place in [*x, *y]):
        return None
    # A date is written into a path with _ for its space.
    corners = "L".join(f"{one},{other}".replace(" ", "_") for one, other in zip(x, y, strict=True))
    return {"type": "path", "path": f"M{corners}Z", **shown}
