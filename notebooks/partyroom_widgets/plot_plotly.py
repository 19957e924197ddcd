"""plotly: a ``FigureWidget``, with what its own tools for boxes and lassos select, and what clicks do."""

from __future__ import annotations

import re
from typing import Any, Final

import ipywidgets

from .plots import Picked, Selected, Shape, clean, plain

__all__ = ["PlotlyPlot"]

TOOLS: Final = {"box": "select", "span": "select", "lasso": "lasso"}
"""The ``dragmode`` for each shape."""
_AXES = re.compile(r"x\d* y\d*")
_DATE = re.compile(r"[\d:_.T+-]+")
_CORNER = re.compile(r"[ML]([^,ML]+),([^,MLZ]+)")


class PlotlyPlot:
    """The figure has both: the areas in ``layout.selections``, and the points in each trace's ``selectedpoints``."""

    def __init__(self, figure: Any, shape: Shape | None) -> None:
        if not figure.data:
            raise ValueError("the figure has no traces yet: add them first")
        self._figure = figure
        self._picked: Picked | None = None
        self._showing = False
        self._shown = self.read()
        self._taken = TOOLS[shape or "box"]
        """The tool that its user had, while he may not use it."""
        if shape is not None or figure.layout.dragmode not in TOOLS.values():
            figure.layout.dragmode = TOOLS[shape or "box"]
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
        last.on_selection(lambda *told: self._tell(), append=True)
        last.on_deselect(lambda *told: self._tell(), append=True)
        self._figure.layout.on_change(lambda *told: self._tell(), "selections", append=True)

    def read(self) -> Selected:
        """What is selected in it now, by its user or by the notebook."""
        areas = [area for one in self._figure.layout.selections if (area := _area(one)) is not None]
        points = [[plain(point) for point in trace.selectedpoints or ()] for trace in self._traces()]
        return clean({"areas": areas, "points": points})

    def show(self, selected: Selected, color: str, name: str) -> None:
        """Select it, in one message to the page."""
        selected = selected or {}
        points = selected.get("points", [])
        self._showing = True
        try:
            with self._figure.batch_update():
                for at, trace in enumerate(self._traces()):
                    # None of some is not the same as no selection: that is how plotly shows what is left out.
                    trace.selectedpoints = (points[at] if at < len(points) else []) if selected else None
                self._figure.layout.selections = [
                    shape for area in selected.get("areas", ()) if (shape := _shape(area, color)) is not None
                ]
        finally:
            self._showing = False
            self._shown = self.read()

    def allow(self, allowed: bool) -> None:
        """Take the tools away from who may not use them."""
        drag = self._figure.layout.dragmode
        if not allowed and drag in TOOLS.values():
            self._taken, self._figure.layout.dragmode = drag, False
        elif allowed and drag is False:
            self._figure.layout.dragmode = self._taken

    def stop(self) -> None:
        """Hear of it no more: plotly keeps the callbacks that it has once been given."""
        self._picked = None

    def _traces(self) -> list[Any]:
        return [trace for trace in self._figure.data if "selectedpoints" in trace]

    def _tell(self) -> None:
        if self._picked is None or self._showing:
            return
        selected = self.read()
        if selected != self._shown:  # and not what the page says again
            self._shown = selected
            self._picked(selected)


def _area(selection: Any) -> dict[str, Any] | None:
    """One of ``layout.selections``."""
    axes = f"{selection.xref or 'x'} {selection.yref or 'y'}"
    if selection.type == "rect":
        x, y = ([plain(one) for one in ends] for ends in ((selection.x0, selection.x1), (selection.y0, selection.y1)))
        return {"shape": "box", "x": _sorted(x), "y": _sorted(y), "axes": axes}
    corners = _CORNER.findall(selection.path or "")
    x, y = ([_place(corner[at]) for corner in corners] for at in (0, 1))
    return {"shape": "lasso", "x": x, "y": y, "axes": axes} if corners else None


def _shape(area: dict[str, Any], color: str) -> dict[str, Any] | None:
    """What ``_area`` reads."""
    axes = area["axes"] or "x y"
    if not isinstance(axes, str) or not _AXES.fullmatch(axes):
        return None
    xref, _, yref = axes.partition(" ")
    shown = {"xref": xref, "yref": yref, "line": {"color": color, "width": 2}}
    x, y = area["x"], area.get("y")
    if area["shape"] == "lasso":
        if not all(isinstance(place, (int, float)) or _DATE.fullmatch(place) for place in [*x, *(y or ())]):
            return None
        corners = "L".join(f"{one},{other}" for one, other in zip(x, y or (), strict=True))
        return {"type": "path", "path": f"M{corners}Z", **shown}
    if y is None:  # a span goes over all of the axis
        return None
    return {"type": "rect", "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1], **shown}


def _sorted(ends: list[Any]) -> list[Any]:
    return sorted(ends) if all(isinstance(end, (int, float)) for end in ends) else ends


def _place(written: str) -> Any:
    """A corner's place, as it is in a path: a number, a date or a name."""
    try:
        return plain(float(written))
    except ValueError:
        return written
