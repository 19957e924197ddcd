"""Plots: what a selection is, and what ``select`` needs of a plot. Each library has a file of its own: ``plot_...``.

A selection is JSON, as it is in the document::

    {"areas": [{"shape": "box", "x": [1, 3], "y": [0, 20], "axes": 0}], "by": "Ada", "color": "#d6336c"}

``areas`` are in the units of the plot. A ``"box"`` has two ``x`` and two ``y``; a ``"span"`` two ``x``; a ``"lasso"``
as many of both as it has corners. ``axes`` says in which part of the figure it is, in the order of matplotlib's
``figure.axes``. A plotly figure has ``points`` as well, the indices of what is selected, a list for each trace. An
altair chart has ``params`` instead of areas: see ``plot_altair``.

A library is imported only when somebody has given a plot of it, which is seen by the names of its classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

import ipywidgets

__all__ = ["Picked", "Plot", "Selected", "Shape", "clean", "plain", "plot_of"]

Shape: TypeAlias = Literal["box", "lasso", "span"]
"""What a drag selects: a rectangle, what a line is drawn around, or a part of the x axis."""

Selected: TypeAlias = dict[str, Any] | None
"""A selection; ``None`` where nothing is selected."""

Picked: TypeAlias = Callable[[Selected], object]

MOST_AREAS: Final = 50
MOST_CORNERS: Final = 5000
LONGEST: Final = 64
"""Characters of a place on an axis of names or dates."""

ACCEPTED: Final = (
    "a matplotlib figure on an interactive canvas (pip install ipympl, then %matplotlib widget), "
    "a plotly.graph_objects.FigureWidget (pip install plotly anywidget) or an altair.JupyterChart (pip install altair)"
)
NEARLY: Final = {
    "matplotlib.Axes": "give its figure, axes.figure",
    "plotly.BaseFigure": "make it a widget, plotly.graph_objects.FigureWidget(figure)",
    "altair.TopLevelMixin": "make it a widget, altair.JupyterChart(chart)",
}


class Plot(Protocol):
    """A figure on which its user selects, and where what others have selected is shown. In the kernel's thread.

    What is shown before it is watched is what it begins with.
    """

    @property
    def widget(self) -> ipywidgets.Widget | None:
        """What shows it in a notebook; ``None`` where it has a window of its own."""

    def watch(self, picked: Picked, color: str) -> None:
        """Have ``picked(selected)`` called when its user selects something, in this colour."""

    def read(self) -> Selected:
        """What is selected in it now."""

    def show(self, selected: Selected, color: str, name: str) -> None:
        """Show that somebody has selected this, which was made fit to show by ``clean``."""

    def allow(self, allowed: bool) -> None:
        """Whether its user may select."""

    def stop(self) -> None:
        """Let go of the figure."""


def plot_of(figure: Any, shape: Shape | None) -> Plot:
    """The plot that a figure is. Raises ``TypeError`` and ``ValueError``, which say what is accepted."""
    if shape is not None and shape not in get_args(Shape):
        raise ValueError(f"the shape is one of {', '.join(map(repr, get_args(Shape)))}, not {shape!r}")
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(figure).__mro__}
    if "matplotlib.Figure" in kinds:
        from .plot_matplotlib import MatplotlibPlot

        return MatplotlibPlot(figure, shape or "box")
    if "plotly.BaseFigureWidget" in kinds:
        from .plot_plotly import PlotlyPlot

        return PlotlyPlot(figure, shape)
    if "altair.JupyterChart" in kinds:
        from .plot_altair import AltairPlot

        return AltairPlot(figure, shape)
    advice = next((f": {what}" for kind, what in NEARLY.items() if kind in kinds), "")
    raise TypeError(f"select() takes {ACCEPTED}, not {type(figure).__module__}.{type(figure).__name__}{advice}")


def plain(value: Any) -> Any:
    """A number as a document has it, of whatever kind it was (numpy's too): whole ones are ``int``."""
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


# -- what strangers have stored --------------------------------------------------------------------------------------


def clean(stored: Any) -> Selected:
    """A selection made fit to show: what is none of it is left out, and ``None`` where nothing is left."""
    if not isinstance(stored, dict):
        return None
    areas = [area for one in _list(stored.get("areas"))[:MOST_AREAS] if (area := _area(one)) is not None]
    points = [[one for one in _list(of_trace) if _is_index(one)] for of_trace in _list(stored.get("points"))]
    params = stored.get("params")
    found = {"areas": areas, "points": points if any(points) else [], "params": params}
    return {name: value for name, value in found.items() if value and isinstance(value, (list, dict))} or None


def _area(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or value.get("shape") not in get_args(Shape):
        return None
    shape, axes = value["shape"], value.get("axes", 0)
    x, y = _list(value.get("x")), _list(value.get("y")) if shape != "span" else []
    fits = len(x) == len(y) >= 3 if shape == "lasso" else len(x) == 2 and len(y) == (2 if shape == "box" else 0)
    if not fits or len(x) > MOST_CORNERS or not all(map(_is_place, [*x, *y])) or not _is_index(axes):
        return None
    return {"shape": shape, "x": x, **({"y": y} if y else {}), "axes": axes}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _is_place(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
