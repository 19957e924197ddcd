"""altair: a ``JupyterChart``, with the selections that are its chart's ``params``.

``params`` of a selection has for each of them what Vega-Lite's own data set of it holds (``brush_store``): records with
``fields`` and their ``values``, or with the number of a row, ``_vgsid_``.

altair tells a notebook what is selected, and has no way to be told. So this uses three traits of ``JupyterChart``
(altair 5.1 to 6) that are not public: ``_vl_selections``, from which its ``selections`` follow; ``_py_to_js_updates``,
which sets signals and data of the page's view; and ``spec``, from which pages that come later begin. The rectangle of
an interval moves by the signals that Vega-Lite makes for it (``brush_FIELD``, ``brush_scale_trigger``), which are there
where the chart has one view, or layers; in charts of several views what is selected is shown, but not the rectangle.
"""

from __future__ import annotations

import copy
import math
import re
from datetime import datetime
from typing import Any, Final

import ipywidgets

from .plots import LONGEST, MOST_AREAS, Picked, Selected, Shape, plain

__all__ = ["AltairPlot"]

MOST_RECORDS: Final = 10_000
MOST_TOLD: Final = 20
TYPES: Final = ("E", "R", "R-E", "R-RE", "R-LE")
"""What a field's values are, in Vega-Lite: some, or a range."""
PRIVATE: Final = ("_vl_selections", "_py_to_js_updates", "spec")
Store = list[dict[str, Any]]


class AltairPlot:
    """Selections of a chart by name. A chart's own tools select, so it has no shape."""

    def __init__(self, chart: Any, shape: Shape | None) -> None:
        if shape is not None:
            raise ValueError("an altair chart says itself what a drag selects: leave out shape=...")
        if not all(map(chart.has_trait, PRIVATE)) or not isinstance(chart.spec, dict):
            raise ValueError("this altair cannot be told what is selected: pip install -U 'altair>=5.1'")
        self._units = {
            param["name"]: (param.get("views") or [""])[0]
            for param in chart.spec.get("params", [])
            if "select" in param and param["name"] in chart._vl_selections
        }
        if not self._units:
            raise ValueError("nothing can be selected in this chart: add_params(altair.selection_interval())")
        self._chart = chart
        self._picked: Picked | None = None
        self._shown = self._stores()
        self._setting = False
        self._telling: list[dict[str, Store]] = []
        """What the page has been told, and has not said again yet."""

    @property
    def widget(self) -> ipywidgets.Widget:
        """The chart itself."""
        return self._chart

    def watch(self, picked: Picked, color: str) -> None:
        """Have its user select with the chart's tools."""
        self._picked = picked
        self._chart.observe(self._told, "_vl_selections")

    def read(self) -> Selected:
        """What is selected in it now."""
        stores = self._stores()
        return {"params": stores} if stores else None

    def show(self, selected: Selected, color: str, name: str) -> None:
        """Select it, on the page and in ``chart.selections``."""
        stores = {
            name: store for name, store in _stores((selected or {}).get("params")).items() if self._has(name, store)
        }
        news = not _near(stores, self._shown)
        self._shown = stores
        whole = {name: self._store(name) for name in self._units}
        self._begin_with(whole)
        if news:
            self._tell(whole)

    def allow(self, allowed: bool) -> None:
        """A chart has no switch: what may not be selected is taken back."""

    def stop(self) -> None:
        """Hear of it no more."""
        self._picked = None
        self._chart.unobserve(self._told, "_vl_selections")

    # -- its user selects --------------------------------------------------------------------------------------------

    def _told(self, change: Any) -> None:
        """The page says what is selected, by its user or by us: that comes back, a moment later, but for the last
        digits, and of several that follow each other perhaps the last only."""
        if self._setting:
            return
        stores = self._stores()
        echoed = next((at for at, told in enumerate(self._telling) if _near(stores, told)), None)
        if echoed is not None:
            del self._telling[: echoed + 1]
        elif self._picked is not None and not _near(stores, self._shown):
            self._shown = stores
            self._picked({"params": stores} if stores else None)

    def _stores(self) -> dict[str, Store]:
        told = self._chart._vl_selections
        return _stores({name: (told.get(name) or {}).get("store") for name in self._units})

    # -- what is selected --------------------------------------------------------------------------------------------

    def _tell(self, whole: dict[str, Store]) -> None:
        chart, kinds = self._chart, self._chart._selection_types
        self._setting = True
        try:
            chart._vl_selections = {
                name: {"value": _signal(store, kinds[name]), "store": store} for name, store in whole.items()
            }
        finally:
            self._setting = False
        self._telling = [*self._telling[-MOST_TOLD:], self._shown]
        chart._py_to_js_updates = [update for name, store in whole.items() for update in self._updates(name, store)]

    def _has(self, name: str, store: Store) -> bool:
        """Whether this chart has a selection of this name and kind: others may have another chart."""
        kind = self._chart._selection_types.get(name) if name in self._units else None
        if kind == "interval":
            return all(isinstance(value, list) for record in store for value in record.get("values", [None]))
        return kind is not None and all(("_vgsid_" in record) == (kind == "index") for record in store)

    def _store(self, name: str) -> Store:
        """As Vega-Lite has it: ours are the same but for the view's name."""
        return [{"unit": self._units[name], **record} for record in self._shown.get(name, [])]

    def _begin_with(self, whole: dict[str, Store]) -> None:
        """Have pages that come later begin with this. Those that are there would begin anew, and are not told."""
        spec = copy.copy(self._chart.spec)
        spec["params"] = [_with_value(param, whole.get(param["name"])) for param in spec["params"]]
        with self._chart._lock_property(**({"spec": spec} if self._picked is not None else {})):
            self._chart.spec = spec

    def _updates(self, name: str, store: Store) -> list[dict[str, Any]]:
        kept = {"namespace": "data", "name": f"{name}_store", "scope": [], "value": store}
        signals: dict[str, Any] = {}
        if self._chart._selection_types[name] == "interval" and {"mark", "layer"} & self._chart.spec.keys():
            signals = _moving(name, store, self._chart.spec)
        return [kept, *({"namespace": "signal", "name": key, "scope": [], "value": signals[key]} for key in signals)]


def _moving(name: str, store: Store, spec: dict[str, Any]) -> dict[str, Any]:
    """The signals that move the rectangle of an interval: where it goes, and that it should."""
    if not store:
        select: Any = next((param["select"] for param in spec["params"] if param["name"] == name), {})
        channels = select.get("encodings") if isinstance(select, dict) else None
        return {f"{name}_{channel}": [0, 0] for channel in channels or ("x", "y")}
    fields, values = store[0]["fields"], store[0]["values"]
    moved = {f"{name}_{_variable(field['field'])}": value for field, value in zip(fields, values, strict=True)}
    return {**moved, f"{name}_scale_trigger": {}}


def _variable(field: str) -> str:
    """The name that Vega-Lite makes of a field's (``varName`` in its ``util.ts``)."""
    name = re.sub(r"\W", "_", field, flags=re.ASCII)
    return f"_{name}" if name[:1].isdigit() else name


def _with_value(param: dict[str, Any], store: Store | None) -> dict[str, Any]:
    """A param that begins with what is selected."""
    if store is None:
        return param
    bare = {name: value for name, value in param.items() if name != "value"}
    select = param["select"]
    if not store:
        return bare
    if (select if isinstance(select, str) else select["type"]) == "interval":
        ends = zip(store[0]["fields"], store[0]["values"], strict=True)
        return {**bare, "value": {field.get("channel", "x"): value for field, value in ends}}
    return {**bare, "value": [_point(record) for record in store]}


def _signal(store: Store, kind: str) -> Any:
    """The signal that Vega-Lite makes of a store, which altair reads."""
    if kind == "interval":
        return _point(store[0]) if store else {}
    return {"vlPoint": {"or": [_point(record) for record in store]}} if store else {}


def _point(record: dict[str, Any]) -> dict[str, Any]:
    if "_vgsid_" in record:
        return {"_vgsid_": record["_vgsid_"]}
    return {field["field"]: value for field, value in zip(record["fields"], record["values"], strict=True)}


# -- what pages say and strangers have stored ------------------------------------------------------------------------


def _stores(value: Any) -> dict[str, Store]:
    """Selections by name, made fit to show; without what is none, and those in which nothing is selected."""
    if not isinstance(value, dict):
        return {}
    found = {
        name: [record for one in store[:MOST_RECORDS] if (record := _record(one)) is not None]
        for name, store in value.items()
        if isinstance(store, list)
    }
    return {name: store for name, store in found.items() if store}


def _record(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    row = value.get("_vgsid_")
    if isinstance(row, int):
        return {"_vgsid_": row}
    fields, values = value.get("fields"), value.get("values")
    if not isinstance(fields, list) or not isinstance(values, list) or not 0 < len(fields) == len(values) < MOST_AREAS:
        return None
    kept = [_field(field) for field in fields]
    places = [[_place(end) for end in one] if isinstance(one, list) else _place(one) for one in values]
    if None in kept or any(None in one if isinstance(one, list) else one is None for one in places):
        return None
    return {"fields": kept, "values": places}


def _field(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict) or value.get("type") not in TYPES or not isinstance(value.get("field"), str):
        return None
    channel = value.get("channel")
    kept = {"field": value["field"], "type": value["type"]}
    return {**kept, "channel": channel} if isinstance(channel, str) else kept


def _place(value: Any) -> Any:
    """A value on an axis: times, which a page says as ISO 8601, are milliseconds; ``None`` for what is none."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        return plain(datetime.fromisoformat(value).timestamp() * 1000)
    if isinstance(value, (bool, str)):
        return value if isinstance(value, bool) or len(value) <= LONGEST else None
    return plain(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _near(one: Any, other: Any) -> bool:
    """Whether two are the same but for what is lost on the way to pixels and back."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return (
            isinstance(one, (int, float)) and isinstance(other, (int, float)) and math.isclose(one, other, rel_tol=1e-6)
        )
    return bool(one == other)
