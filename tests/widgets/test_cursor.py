"""Everybody's pointer: where it is, in parts of the area, and nothing of it kept."""

from __future__ import annotations

from typing import Any

import ipywidgets
from hypothesis import given
from hypothesis import strategies as st
from partyroom_widgets.cursor import CursorView, _part

from .conftest import Join
from .waiting import until

HOSTILE = "<img src=x onerror=alert(1)>"


def point(view: CursorView, **content: Any) -> None:
    """The page's user points somewhere."""
    view._heard(view, {"type": "pointer", **content}, [])


def test_pointers_are_where_the_others_point(join: Join) -> None:
    ada, bob = join("Ada"), join(HOSTILE)
    here, there, elsewhere = ada.cursor(), bob.cursor(), ada.cursor(key="other")
    point(there, x=0.25, y=0.5)
    until(lambda: here.pointers, ada)
    shown = {"id": bob.me.id, "name": HOSTILE, "color": bob.me.color, "x": 0.25, "y": 0.5}
    assert here.pointers == [shown]
    assert there.pointers == elsewhere.pointers == []
    point(there)
    until(lambda: not here.pointers, ada)


def test_who_moves_fast_is_told_a_few_times_a_second_and_the_last_place_is_told(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here, there = ada.cursor(), bob.cursor()
    told: list[Any] = []
    here._room.client.on_presence(lambda *clients: told.append(clients))
    for step in range(500):
        point(there, x=step / 1000, y=0.5)
    until(lambda: here.pointers and here.pointers[0]["x"] == 0.499, ada)
    assert len(told) < 50


def test_who_leaves_or_stops_points_no_more(join: Join) -> None:
    ada, bob, eve = join("Ada"), join("Bob"), join("Eve")
    here, there, third = ada.cursor(), bob.cursor(), eve.cursor()
    for view in (there, third):
        point(view, x=0.5, y=0.5)
    until(lambda: len(here.pointers) == 2, ada)
    there.stop()
    until(lambda: [one["name"] for one in here.pointers] == ["Eve"], ada)
    eve.close()
    until(lambda: not here.pointers, ada)
    point(there, x=0.5, y=0.5)
    assert bob.client.others or here.pointers == []
    assert "pointer" not in str(ada.client.map("widgets"))


def test_it_lies_over_the_widgets_that_it_was_given(join: Join) -> None:
    slider = ipywidgets.IntSlider()
    view = join("Ada").cursor(slider)
    box: Any = view.view
    assert box.children == (slider, view)
    assert "run this cell to join in" in str(view._repr_mimebundle_())


@given(st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.booleans())
def test_whatever_is_shown_as_a_place_is_one_in_the_area_or_none(value: Any) -> None:
    place = _part(value)
    assert place is None or 0 <= place <= 1
