"""Selections on plots, each with the real library, told what its page would tell: what one selects, the other has."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import altair
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from partyroom_widgets.plots import clean, plot_of
from partyroom_widgets.select import Selection

from .conftest import Join
from .waiting import until

with warnings.catch_warnings():  # ipympl asks for names that matplotlib means to rename
    warnings.simplefilter("ignore")
    from ipympl.backend_nbagg import Canvas, FigureManager
from plotly import graph_objects

HOSTILE = "$\\frac$ <b>x</b>"
LEFT, RIGHT = (0.5, 0.5, 2.5, 3.5), (3.5, 0.5, 4.5, 5.5)


class Page(Protocol):
    """A plot of five points, and what its page does."""

    figure: Any

    def drag(self, left: float, bottom: float, right: float, top: float) -> None:
        """Somebody drags over an area."""

    def undrag(self) -> None:
        """Somebody takes back what is selected."""

    def again(self) -> None:
        """The page says again what it shows, as pages do a moment after they were told."""

    def shown(self) -> Any:
        """What the figure shows as selected; false for nothing."""


X, Y = [1, 2, 3, 4, 5], [2, 1, 5, 4, 3]


class Matplotlib:
    """A figure on ipympl's canvas."""

    def __init__(self) -> None:
        self.figure = Figure()
        self._axes: Any = self.figure.add_subplot()
        self._axes.set(xlim=(0, 6), ylim=(0, 6))
        self._axes.scatter(X, Y)
        with warnings.catch_warnings():  # traitlets does not like how ipympl makes its toolbar
            warnings.simplefilter("ignore")
            FigureManager(Canvas(self.figure), 1)
        self.figure.canvas.draw()

    def drag(self, left: float, bottom: float, right: float, top: float) -> None:
        self._mouse("button_press", left, bottom)
        self._mouse("motion_notify", (left + right) / 2, top)
        self._mouse("motion_notify", right, top)
        self._mouse("button_release", right, top)

    def undrag(self) -> None:
        self._mouse("button_press", 1, 1)
        self._mouse("button_release", 1, 1)

    def again(self) -> None:
        self.figure.canvas.draw()

    def shown(self) -> list[Any]:
        return [patch for patch in self._axes.patches if patch.get_visible() and patch.get_zorder() == 100]

    @property
    def names(self) -> list[str]:
        return [text.get_text() for text in self._axes.texts]

    def _mouse(self, kind: str, x: float, y: float) -> None:
        across, up = self._axes.transData.transform((x, y))
        canvas: Any = self.figure.canvas
        ratio = canvas.device_pixel_ratio
        place = {"x": across / ratio, "y": (self.figure.bbox.height - up) / ratio}
        held = {"button": 0, "buttons": int(kind != "button_release"), "modifiers": []}
        canvas._handle_message(canvas, {"type": kind, **place, **held}, [])


class Plotly:
    """A ``FigureWidget``. Its page says again what it shows without saying which tool has selected it."""

    def __init__(self) -> None:
        traces = [graph_objects.Scatter(x=X, y=Y, mode="markers"), graph_objects.Scatter(x=X, y=X, mode="markers")]
        self.figure = graph_objects.FigureWidget(traces)

    def drag(self, left: float, bottom: float, right: float, top: float) -> None:
        ends = {"xrange": [right, left], "yrange": [bottom, top]}
        self._say("plotly_selected", self._inside(left, bottom, right, top), {"type": "box", "selector_state": ends})

    def undrag(self) -> None:
        self._say("plotly_deselect", [], None)

    def again(self) -> None:
        areas = [(one.x0, one.y0, one.x1, one.y1) for one in self.figure.layout.selections]
        self._say("plotly_selected", [found for area in areas for found in self._inside(*area)], None)

    def click(self, trace: int, point: int) -> None:
        self._say("plotly_selected", [(trace, point)], None)

    def shown(self) -> list[Any] | None:
        points = [trace.selectedpoints for trace in self.figure.data]
        return None if points == [None, None] else [list(one) for one in points]

    def _inside(self, left: float, bottom: float, right: float, top: float) -> list[tuple[int, int]]:
        values = [(0, Y), (1, X)]
        return [
            (at, point)
            for at, ys in values
            for point, (x, y) in enumerate(zip(X, ys, strict=True))
            if left < x < right and bottom < y < top
        ]

    def _say(self, event: str, found: list[tuple[int, int]], selector: Any) -> None:
        points = {
            "trace_indexes": [trace for trace, _ in found],
            "point_indexes": [point for _, point in found],
            "xs": [X[point] for _, point in found],
            "ys": [Y[point] for _, point in found],
        }
        say(self.figure, _js2py_pointsCallback={"event_type": event, "points": points, "selector": selector})


class Altair:
    """A ``JupyterChart``. Its page says again what it shows, with another last digit."""

    FIELDS = ({"field": "x", "channel": "x", "type": "R"}, {"field": "y", "channel": "y", "type": "R"})

    def __init__(self) -> None:
        brush = altair.selection_interval(name="brush")
        chart = altair.Chart(pandas.DataFrame({"x": X, "y": Y})).mark_point().encode(x="x", y="y")
        self.figure = altair.JupyterChart(chart.add_params(brush))

    def drag(self, left: float, bottom: float, right: float, top: float) -> None:
        for end in ((left + right) / 2, right):  # pages tell all the while
            self._say([{"unit": "", "fields": [*self.FIELDS], "values": [[left, end], [top, bottom]]}])

    def undrag(self) -> None:
        self._say([])

    def again(self) -> None:
        store = self.figure._vl_selections["brush"]["store"]
        moved = [[[end * (1 + 1e-12) for end in ends] for ends in record["values"]] for record in store]
        self._say([{**record, "values": values} for record, values in zip(store, moved, strict=True)])

    def shown(self) -> Any:
        return getattr(self.figure.selections, "brush").value  # noqa: B009  (made as the chart has it)

    def _say(self, store: list[Any]) -> None:
        value = {field["field"]: ends for record in store for field, ends in zip(self.FIELDS, record["values"])}  # noqa: B905
        say(self.figure, _vl_selections={"brush": {"value": value, "store": store}})


def say(widget: Any, **state: Any) -> None:
    """What a page sends when it has changed something."""
    widget._handle_msg({"content": {"data": {"method": "update", "state": state}}})


@pytest.fixture(params=[Matplotlib, Plotly, Altair])
def make(request: pytest.FixtureRequest) -> Callable[[], Page]:
    """Makes plots of one library, all with the same points."""
    return request.param  # type: ignore[no-any-return]


def pair(join: Join, here: Page, there: Page, *modes: Any) -> tuple[Selection, Selection]:
    """Ada has a plot, and then Bob has one too, who is called something that should be harmless."""
    ada, bob = join("Ada"), join(HOSTILE)
    first, second = modes or ("all", "all")
    one = ada.select(here.figure, mode=first)
    until(lambda: "selection" in bob.client.map("widgets"), ada, bob)
    return one, bob.select(there.figure, mode=second)


def test_what_one_selects_is_selected_for_all_and_for_who_comes_later(join: Join, make: Callable[[], Page]) -> None:
    here, there, later = make(), make(), make()
    one, two = pair(join, here, there)
    ada, bob = one.room, two.room
    told: list[Any] = []
    two.on_change(told.append)
    here.drag(*LEFT)
    assert one.value
    until(lambda: two.value == one.value == (told[-1] if told else None) and there.shown(), ada, bob)
    assert (one.by, two.by) == ("Ada", "Ada")
    assert there.shown() == here.shown() or make is Matplotlib
    three = join("Eve").select(later.figure)
    assert three.value == one.value
    assert later.shown()
    there.undrag()
    until(lambda: one.value is None and not here.shown() and not later.shown(), ada, bob)


def test_what_a_page_says_again_is_nobodys_selection(join: Join, make: Callable[[], Page]) -> None:
    here, there = make(), make()
    one, two = pair(join, here, there)
    ada, bob = one.room, two.room
    told: list[Any] = []
    here.drag(*LEFT)
    until(lambda: two.value == one.value and there.shown(), ada, bob)
    one.on_change(told.append)
    for page in (there, here, there):
        page.again()
    shown = there.shown()
    ada.saved()
    bob.saved()
    assert (one.by, two.by, told) == ("Ada", "Ada", [])
    assert shown == there.shown()


def test_a_page_that_is_late_says_again_what_was_before(join: Join) -> None:
    page = Altair()
    here, there = pair(join, Altair(), page)
    stores: list[Any] = []
    for area in (LEFT, RIGHT):
        here.value = altair_value(*area)
        wanted = {"x": [area[0], area[2]], "y": [area[1], area[3]]}
        until(lambda wanted=wanted: page.shown() == wanted, here.room, there.room)  # type: ignore[misc]
        stores.append(page.figure._vl_selections["brush"]["store"])
    for store in stores:
        page._say(store)
    assert (there.by, there.value) == ("Ada", altair_value(*RIGHT))


def altair_value(left: float, bottom: float, right: float, top: float) -> dict[str, Any]:
    return {"params": {"brush": [{"fields": [*Altair.FIELDS], "values": [[left, right], [bottom, top]]}]}}


def test_pages_of_a_chart_that_come_later_begin_with_what_is_selected(join: Join) -> None:
    """And those that are there are not made to begin anew."""
    page = Altair()
    selection = join("Ada").select(page.figure)
    sent: list[str] = []
    page.figure.send_state = lambda key=None: sent.append(key)
    page.drag(*RIGHT)
    assert page.figure.spec["params"][0]["value"] == {"x": [3.5, 4.5], "y": [5.5, 0.5]}
    selection.clear()
    assert "value" not in page.figure.spec["params"][0]
    assert "spec" not in sent


def test_charts_move_the_rectangle_by_the_signals_of_vega_lite(join: Join) -> None:
    page = Altair()
    selection = join("Ada").select(page.figure)
    selection.value = altair_value(*LEFT)
    updates = {(one["namespace"], one["name"]): one["value"] for one in page.figure._py_to_js_updates}
    assert updates["signal", "brush_x"] == [0.5, 2.5]
    assert ("signal", "brush_scale_trigger") in updates
    assert updates["data", "brush_store"][0]["values"] == [[0.5, 2.5], [0.5, 3.5]]


def test_areas_and_points_are_said_in_the_units_of_the_plot(join: Join) -> None:
    area = {"shape": "box", "x": [0.5, 2.5], "y": [0.5, 3.5], "axes": 0}
    for page in (Matplotlib(), Plotly()):
        selection = join("Ada", room=type(page).__name__).select(page.figure)
        page.drag(*LEFT)
        assert selection.value is not None
        (found,) = selection.value["areas"]
        assert {**found, "x": pytest.approx(found["x"]), "y": pytest.approx(found["y"])} == area
    assert selection.value is not None
    assert selection.value["points"] == [[0, 1], [0, 1]]
    selection.room.saved()
    assert join("Eve", room="Plotly").client.map("widgets")["selection"]["color"] == selection.room.me.color


@pytest.mark.parametrize(("shape", "corners"), [("lasso", 4), ("span", 2)])
def test_a_matplotlib_figure_has_lassos_and_spans(join: Join, shape: Any, corners: int) -> None:
    page = Matplotlib()
    selection = join("Ada").select(page.figure, shape=shape)
    page.drag(*LEFT)
    assert selection.value is not None
    assert (selection.value["areas"][0]["shape"], len(selection.value["areas"][0]["x"])) == (shape, corners)
    assert len(page.shown()) == 1


def test_a_plotly_figure_has_the_tool_for_the_shape(join: Join) -> None:
    layout = Plotly().figure.layout
    for shape, tool, directions in (("lasso", "lasso", "any"), ("span", "select", "h"), ("box", "select", "any")):
        figure = graph_objects.FigureWidget([graph_objects.Scatter(x=X, y=Y)], layout)
        layout = figure.layout
        join("Ada", room=shape).select(figure, shape=shape)  # type: ignore[arg-type]
        assert (layout.dragmode, layout.selectdirection) == (tool, directions)
    join("Bob", room="box").select(figure, mode="read-only")
    assert layout.dragmode is False


def test_a_name_is_neither_mathematics_nor_markup(join: Join) -> None:
    page = Matplotlib()
    selection = join(HOSTILE).select(page.figure)
    page.drag(*LEFT)
    page.figure.canvas.draw()
    assert page.names == [HOSTILE]
    assert selection._tag.text == f"selected by {HOSTILE}"


def test_a_click_on_a_point_selects_it_where_clicks_do(join: Join) -> None:
    page = Plotly()
    page.figure.layout.clickmode = "event+select"
    selection = join("Ada").select(page.figure)
    page.click(1, 3)
    assert selection.value == {"points": [[], [3]]}


def test_who_may_only_look_cannot_select_and_a_driver_can(join: Join, make: Callable[[], Page]) -> None:
    here, there = make(), make()
    one, two = pair(join, here, there, "driver", "read-only")
    ada, bob = one.room, two.room
    here.drag(*LEFT)
    until(lambda: two.value == one.value and there.shown(), ada, bob)
    assert one.share.driver == ada.me
    there.drag(*RIGHT)
    until(lambda: two._picker.value and two._picker.value["by"] == "Ada", ada, bob)
    assert two.value == one.value
    assert (one.by, two.by) == ("Ada", "Ada")


def test_undo_takes_back_a_selection_and_stop_ends_it(join: Join, make: Callable[[], Page]) -> None:
    here, there = make(), make()
    one, two = pair(join, here, there)
    ada, bob = one.room, two.room
    here.drag(*LEFT)
    assert one.share.undo()
    assert one.value is None
    assert not here.shown()
    two.stop()
    two.stop()
    here.drag(*RIGHT)
    ada.saved()
    bob.saved()
    assert not there.shown()
    there.drag(*LEFT)
    assert HOSTILE not in str(ada.client.map("widgets")["selection"])
    again = bob.select(there.figure)
    until(lambda: again.value == one.value and there.shown(), ada, bob)
    assert bob.select(there.figure) is not again
    assert again.share.stopped


def test_programs_select_too_and_what_is_no_selection_is_refused(join: Join, make: Callable[[], Page]) -> None:
    page = make()
    ada, eve = join("Ada"), join("Eve")
    selection = ada.select(page.figure)
    value = {"areas": [{"shape": "box", "x": [0.5, 2.5], "y": [0.5, 3.5]}], "points": [[1], []], **altair_value(*LEFT)}
    ada.saved()
    until(lambda: "selection" in eve.client.map("widgets"), eve)
    eve.client.map("widgets")["selection"] = {**value, "by": "Eve"}
    until(lambda: selection.by == "Eve" and page.shown(), ada, eve)
    selection.clear()
    assert not page.shown()
    selection.value = clean(value)
    assert page.shown()
    with pytest.raises(ValueError, match="a selection is as in"):
        selection.value = {"areas": [{"shape": "star", "x": [1], "y": [1]}]}


@pytest.mark.parametrize(
    ("figure", "error"),
    [
        (Figure(), "pip install ipympl, run %matplotlib widget"),
        (graph_objects.Figure(), "FigureWidget\\(figure\\)"),
        (graph_objects.FigureWidget(), "no traces yet"),
        (altair.Chart(), "altair.JupyterChart\\(chart\\)"),
        (altair.JupyterChart(altair.Chart(pandas.DataFrame({"x": X})).mark_point()), "add_params"),
        (Figure().add_subplot(), "axes.figure"),
        (pandas.DataFrame(), "select\\(\\) takes a matplotlib figure .* not pandas"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plot_to_select_on_is_told_what_is(figure: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        plot_of(figure, None)


def test_a_shape_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'box', 'lasso', 'span'"):
        plot_of(Plotly().figure, "star")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leave out shape"):
        plot_of(Altair().figure, "box")


def test_a_library_is_not_loaded_before_somebody_has_a_plot_of_it() -> None:
    code = """
import sys, partyroom_widgets.select
from partyroom_widgets.plots import plot_of
try: plot_of(object(), None)
except TypeError: print({"matplotlib", "plotly", "altair"} & {*sys.modules})
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "set()\n"


places = st.floats() | st.integers() | st.text(max_size=4) | st.none()
areas = st.fixed_dictionaries(
    {"shape": st.sampled_from(["box", "lasso", "span", "star"]), "x": st.lists(places, max_size=4)},
    optional={"y": st.lists(places, max_size=4), "axes": places},
)
anything = st.recursive(places, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one))
records = st.fixed_dictionaries(
    {},
    optional={
        "_vgsid_": places,
        "fields": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["E", "R", 1]), "field": places}), max_size=2
        ),
        "values": st.lists(places | st.lists(places, max_size=2), max_size=2),
    },
)
selections = st.fixed_dictionaries(
    {},
    optional={
        "areas": st.lists(areas, max_size=3) | anything,
        "points": st.lists(st.lists(places, max_size=3) | anything, max_size=3) | anything,
        "params": st.dictionaries(st.just("brush"), st.lists(records, max_size=2)) | anything,
    },
)
PLOTS: list[Any] = []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(selections | anything)
def test_whatever_is_stored_is_a_selection_or_none_and_can_be_shown(stored: Any) -> None:
    PLOTS[:] = PLOTS or [plot_of(page().figure, None) for page in (Matplotlib, Plotly, Altair)]
    selected = clean(stored)
    assert selected is None or selected == clean(selected)
    for plot in PLOTS:
        plot.show(selected, "#d6336c", "Eve")


def test_it_shows_itself_with_the_plot(join: Join) -> None:
    selection: Selection = join("Ada").select(Plotly().figure)
    assert selection.figure in selection.view.children
    bundle = selection._repr_mimebundle_()
    assert "run this cell to join in" in str(bundle)
