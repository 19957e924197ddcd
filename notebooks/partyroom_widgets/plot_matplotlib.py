"""matplotlib: figures on an interactive canvas, such as ipympl's. Its own selectors select; a click takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ipywidgets
import matplotlib.widgets
from matplotlib.backend_bases import FigureCanvasBase, MouseButton
from matplotlib.patches import Patch, Polygon, Rectangle

from .plots import MOST_CORNERS, Picked, Selected, Shape, plain

__all__ = ["MatplotlibPlot"]

CLICK: Final = 3
"""Pixels: what moves less is no drag."""
ABOVE: Final = 100
"""Above all that is plotted."""


class MatplotlibPlot:
    """A selector for each of the figure's axes, and a patch with a name for each area that is selected."""

    def __init__(self, figure: Any, shape: Shape) -> None:
        if (
            type(figure.canvas).draw_idle is FigureCanvasBase.draw_idle
        ):  # which all that have a window or a page replace
            raise ValueError(
                f"nobody can select on a {type(figure.canvas).__name__}, which is a picture: "
                "pip install ipympl, run %matplotlib widget, and make the figure again"
            )
        if not figure.axes:
            raise ValueError("the figure has no axes yet: plot first")
        self._figure = figure
        self._shape = shape
        self._selectors: list[Any] = []
        self._drawn: list[Any] = []
        self._down: tuple[float, float] | None = None
        self._connections: list[int] = []

    @property
    def widget(self) -> ipywidgets.Widget | None:
        """ipympl's canvas."""
        canvas = self._figure.canvas
        return canvas if isinstance(canvas, ipywidgets.Widget) else None

    def watch(self, picked: Picked, color: str) -> None:
        """Have its user select with matplotlib's selectors."""
        self._picked = picked
        self._selectors = [self._selector(at, axes, color) for at, axes in enumerate(self._figure.axes)]
        connect = self._figure.canvas.mpl_connect
        self._connections = [
            connect("button_press_event", self._pressed),
            connect("button_release_event", self._released),
        ]

    def read(self) -> Selected:
        """Figures have no selections of their own."""
        return None

    def show(self, selected: Selected, color: str, name: str) -> None:
        """Draw the areas that are in axes that this figure has."""
        self._wipe()
        axes = self._figure.axes
        for area in (selected or {}).get("areas", ()):
            at = area["axes"]
            places = [*area["x"], *area.get("y", ())]
            if at < len(axes) and not any(isinstance(place, str) for place in places):
                self._draw(axes[at], area, color, name)
        self._figure.canvas.draw_idle()

    def allow(self, allowed: bool) -> None:
        """Have the selectors answer or not."""
        for selector in self._selectors:
            selector.set_active(allowed)

    def stop(self) -> None:
        """Take the selectors and what they have selected out of the figure."""
        for connection in self._connections:
            self._figure.canvas.mpl_disconnect(connection)
        for selector in self._selectors:
            selector.disconnect_events()
            for artist in selector.artists:
                artist.remove()
        self._selectors.clear()
        self._wipe()
        self._figure.canvas.draw_idle()

    # -- its user selects --------------------------------------------------------------------------------------------

    def _selector(self, at: int, axes: Any, color: str) -> Any:
        fill = {"facecolor": color, "edgecolor": color, "alpha": 0.25, "fill": True}
        match self._shape:
            case "lasso":
                return matplotlib.widgets.LassoSelector(
                    axes, lambda corners: self._lassoed(at, corners), props={"color": color}, button=[MouseButton.LEFT]
                )
            case "span":
                return matplotlib.widgets.SpanSelector(
                    axes, lambda low, high: self._pick(at, x=[low, high]), "horizontal",
                    useblit=True, props=fill, button=[MouseButton.LEFT],
                )  # fmt: skip
        return matplotlib.widgets.RectangleSelector(
            axes, lambda *ends: self._pick(at, x=[end.xdata for end in ends], y=[end.ydata for end in ends]),
            useblit=True, props=fill, button=[MouseButton.LEFT], minspanx=CLICK, minspany=CLICK, spancoords="pixels",
        )  # fmt: skip

    def _lassoed(self, at: int, corners: Any) -> None:
        if len(corners) >= 3:
            some = corners[:: 1 + len(corners) // MOST_CORNERS]
            self._pick(at, x=[x for x, _ in some], y=[y for _, y in some], sort=False)

    def _pick(self, at: int, *, sort: bool = True, **places: Any) -> None:
        found = {name: [plain(place) for place in (sorted(ends) if sort else ends)] for name, ends in places.items()}
        self._picked({"areas": [{"shape": self._shape, **found, "axes": at}]})

    def _pressed(self, event: Any) -> None:
        free = (
            event.inaxes is not None
            and event.button == MouseButton.LEFT
            and not self._figure.canvas.widgetlock.locked()
        )
        self._down = (event.x, event.y) if free else None

    def _released(self, event: Any) -> None:
        down, self._down = self._down, None
        still = down is not None and max(abs(event.x - down[0]), abs(event.y - down[1])) <= CLICK
        if still and self._drawn and all(selector.active for selector in self._selectors):
            self._picked(None)

    # -- what is selected --------------------------------------------------------------------------------------------

    def _draw(self, axes: Any, area: dict[str, Any], color: str, name: str) -> None:
        patch = _PATCHES[area["shape"]](axes, area)
        patch.set(facecolor=(color, 0.18), edgecolor=color, linewidth=1.5, zorder=ABOVE, in_layout=False)
        flag = axes.text(
            min(area["x"]), max(area.get("y", [1])), name, transform=patch.get_data_transform(), fontsize="small",
            color="white", parse_math=False, usetex=False, verticalalignment="bottom", clip_on=True, zorder=ABOVE + 1,
            in_layout=False, bbox={"boxstyle": "round,pad=0.25", "facecolor": color, "edgecolor": "none"},
        )  # fmt: skip
        self._drawn += [axes.add_artist(patch), flag]  # and not add_patch: the axes stay as wide as they are

    def _wipe(self) -> None:
        for artist in self._drawn:
            if artist.axes is not None:  # and the axes have not been cleared meanwhile
                artist.remove()
        self._drawn.clear()


def _box(axes: Any, area: dict[str, Any]) -> Patch:
    (left, right), (bottom, top) = area["x"], area["y"]
    return Rectangle((left, bottom), right - left, top - bottom, transform=axes.transData)


def _lasso(axes: Any, area: dict[str, Any]) -> Patch:
    return Polygon([*zip(area["x"], area["y"], strict=True)], closed=True, transform=axes.transData)


def _span(axes: Any, area: dict[str, Any]) -> Patch:
    left, right = area["x"]
    return Rectangle((left, 0), right - left, 1, transform=axes.get_xaxis_transform())


_PATCHES: Final[dict[str, Callable[[Any, dict[str, Any]], Patch]]] = {"box": _box, "lasso": _lasso, "span": _span}
