"""Values of traits in a document and back: nothing is lost, and what cannot be shared is named with its trait."""

from __future__ import annotations

import datetime
from typing import Any

import ipywidgets
import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from partyroom_widgets.codec import MOST_BYTES, Form, decode, encode, form_of

from tests.unit.client.rooms import Room

ANY = Form("value", encode, decode)
zones = st.none() | st.integers(-1439, 1439).map(lambda value: datetime.timezone(datetime.timedelta(minutes=value)))
datetimes = st.datetimes(timezones=zones).map(lambda value: value.replace(fold=0))
times = st.times(timezones=zones).map(lambda value: value.replace(fold=0))
texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=50)
    | st.dates()
    | datetimes
    | times
    | st.timedeltas()
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.binary(max_size=20).map(bytearray) | st.binary(max_size=20).map(lambda value: memoryview(value)),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=4).map(tuple)
        | st.dictionaries(texts | st.just("$"), inside, max_size=4)
        | st.dictionaries(scalars, inside, max_size=4)
    ),
    max_leaves=20,
)


def through(value: Any, form: Form = ANY) -> Any:
    """The value, after it was in a document and came to somebody else."""
    here, there = Room(1), Room(2)
    here.values.map("widgets")["key"] = form.encode(value, "it")
    here.sync(there)
    return form.decode(there.values.map("widgets")["key"], "it")


def exact(value: Any) -> Any:
    """The value with the types of all that is in it, to compare: ``1``, ``1.0`` and ``True`` are not the same."""
    if isinstance(value, (list, tuple)):
        return type(value), [exact(one) for one in value]
    if isinstance(value, dict):
        return dict, sorted(([exact(key), exact(one)] for key, one in value.items()), key=repr)
    if isinstance(value, (float, datetime.datetime, datetime.time)):
        return type(value), repr(value)
    return type(value), bytes(value) if isinstance(value, memoryview) else value


@given(values)
def test_any_value_comes_to_others_as_it_was(value: Any) -> None:
    assert exact(through(value)) == exact(value)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), -0.0, 1e300, 2**53, -(2**200), datetime.datetime.max])
def test_numbers_at_the_edges_too(value: Any) -> None:
    assert exact(through(value)) == exact(value)
    if isinstance(value, float):
        assert exact(through(value, form_of(traitlets.Float()))) == exact(value)
    assert repr(through(float("nan"))) == "nan"


WIDGETS: list[tuple[ipywidgets.Widget, st.SearchStrategy[Any]]] = [
    (ipywidgets.FloatSlider(min=-1e9, max=1e9), st.floats(-1e9, 1e9)),
    (ipywidgets.IntText(), st.integers()),
    (ipywidgets.Checkbox(), st.booleans()),
    (ipywidgets.Textarea(), texts),
    (ipywidgets.ColorPicker(), st.sampled_from(["red", "#aBc", "rgb(1, 2, 3)"])),
    (ipywidgets.FloatRangeSlider(min=0, max=99), st.lists(st.floats(0, 99), min_size=2, max_size=2).map(sorted)),
    (ipywidgets.DatePicker(), st.none() | st.dates()),
    (ipywidgets.TimePicker(), st.none() | st.times().map(lambda value: value.replace(fold=0))),
    (ipywidgets.DatetimePicker(), st.none() | datetimes.filter(lambda value: value.tzinfo is not None)),
    (ipywidgets.NaiveDatetimePicker(), st.none() | st.datetimes().map(lambda value: value.replace(fold=0))),
    (ipywidgets.TagsInput(), st.lists(texts.filter(str.strip), max_size=4)),
    (ipywidgets.FloatsInput(), st.lists(st.floats(allow_nan=False), max_size=4)),
    (
        ipywidgets.FileUpload(),
        st.lists(
            st.fixed_dictionaries(
                {
                    "name": texts,
                    "type": texts,
                    "size": st.integers(0, 50),
                    "content": st.binary(max_size=50).map(lambda value: memoryview(value)),
                    "last_modified": st.datetimes(timezones=st.just(datetime.UTC)).map(lambda at: at.replace(fold=0)),
                }
            ),
            max_size=2,
        ).map(tuple),
    ),
]


@pytest.mark.parametrize(("widget", "strategy"), WIDGETS, ids=lambda value: type(value).__name__)
def test_the_values_of_ipywidgets_come_to_others_as_they_were(
    widget: ipywidgets.Widget, strategy: st.SearchStrategy[Any]
) -> None:
    form = form_of(widget.traits()["value"])

    @settings(max_examples=25)
    @given(strategy)
    def check(value: Any) -> None:
        widget.value = value
        held = widget.value
        there = type(widget)(**({"min": widget.min, "max": widget.max} if hasattr(widget, "max") else {}))
        there.value = through(held, form)
        assert exact(there.value) == exact(held)
        there.close()

    check()


def test_what_json_can_say_is_stored_as_it_is() -> None:
    day = datetime.date(2024, 5, 1)
    assert form_of(traitlets.Float()).encode(2.0, "it") == 2.0
    assert form_of(ipywidgets.DatePicker().traits()["value"]).encode(day, "it") == "2024-05-01"
    assert form_of(ipywidgets.IntRangeSlider().traits()["value"]).encode((2, 8), "it") == [2, 8]
    assert encode({"a": [1, "x", None, 2.5]}, "it") == {"a": [1, "x", None, 2.5]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "set cannot be shared"),
        (object(), "object cannot be shared"),
        ([{"a": traitlets.Int()}], "Int cannot be shared"),
        ("\ud83d", "half of a surrogate pair"),
        (bytes(MOST_BYTES + 1), "at most 8 MiB"),
        ([["x" * 2**20]] * 9, "at most 8 MiB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_shared_is_named(value: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"Text.value.*{words}"):
        encode(value, "Text.value")


def test_what_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="in itself"):
        encode(endless, "it")


envelopes = st.sampled_from(["int", "float", "tuple", "dict", "datetime", "time", "timedelta", "bytearray", "?"])
stored = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=9),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.fixed_dictionaries({"$": envelopes, "v": inside})
        | st.dictionaries(texts, inside, max_size=3)
    ),
)


@given(stored, st.sampled_from([widget for widget, _ in WIDGETS]))
def test_whatever_a_stranger_stores_is_a_value_or_an_error_that_says_so(value: Any, widget: ipywidgets.Widget) -> None:
    for read in (decode, form_of(widget.traits()["value"]).decode):
        said = ""
        try:
            read(value, "the widget")
        except ValueError as error:
            said = str(error)
        assert said.startswith("the widget: ") or not said


def test_kinds_tell_widgets_apart() -> None:
    kinds = {type(widget).__name__: form_of(widget.traits()["value"]).kind for widget, _ in WIDGETS}
    assert kinds["FloatSlider"] == "number"
    assert kinds["IntText"] == "whole number"
    assert kinds["FloatRangeSlider"] == "list of number"
    assert kinds["TagsInput"] == "list of text"
    assert len(set(kinds.values())) > 8
