"""Positions: the bytes and JSON of a place that stays. tests/interop asks Yjs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.client.positions import Position
from partyroom.errors import ProtocolError
from tests.unit.client.rooms import Room

ids = st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 2**31 - 1))


@given(ids, st.text(), st.integers(-3, 3))
def test_a_position_comes_back_from_its_bytes_and_its_json(item: tuple[int, int], name: str, assoc: int) -> None:
    for position in Position(item, assoc=assoc), Position(tname=name, assoc=assoc), Position(type=item, assoc=assoc):
        assert Position.decode(position.encode()) == position
        assert Position.from_json(position.to_json()) == position
    whole = Position(item, name, None, assoc)
    assert Position.decode(whole.encode()) == Position(item, assoc=assoc)
    assert Position.from_json(whole.to_json()) == whole


def test_the_json_of_an_editor_may_have_nulls_and_lack_the_assoc() -> None:
    json = {"type": None, "tname": "body", "item": {"client": 5, "clock": 7}}
    assert Position.from_json(json) == Position((5, 7), "body")


@pytest.mark.parametrize("data", [b"", b"\x03\x01", b"\x00\x05", b"\x01\x05ab", b"\x01\x01\xff", b"\x00" + b"\xff" * 9])
def test_bytes_that_are_no_position_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Position.decode(data)


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        {},
        {"item": None},
        {"tname": 5},
        {"item": {"client": "5", "clock": 7}},
        {"item": {"client": -5, "clock": 7}},
        {"item": {"client": 5, "clock": 2**60}},
        {"item": [5, 7]},
        {"tname": "t", "assoc": "left"},
        {"tname": "t", "assoc": True},
        {"tname": ["t"], "item": {"client": 5, "clock": 7}},
    ],
)
def test_json_that_is_no_position_is_refused(json: Any) -> None:
    with pytest.raises(ProtocolError):
        Position.from_json(json)


def test_a_position_that_is_nowhere_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        Position().encode()


def test_a_position_clings_to_its_side() -> None:
    text = Room().text("t")
    text.set("ab")
    right, left = text.position(1), text.position(1, -1)
    text.insert(1, "😀😀")
    assert (text.locate(right), text.locate(left)) == (3, 1)


def test_a_position_whose_character_is_deleted_stays_where_that_was() -> None:
    text = Room().text("t")
    text.set("a😀b漢c")
    places = [text.position(3), text.position(4, -1)]
    del text[1:4]
    assert [text.locate(place) for place in places] == [1, 1]
    text.insert(0, "xx")
    assert [text.locate(place) for place in places] == [3, 3]


def test_the_ends_of_a_text_stay_its_ends() -> None:
    text = Room().text("t")
    begin, end = text.position(0, -1), text.position(0)
    text.set("grown")
    assert (text.locate(begin), text.locate(end)) == (0, 5)


def test_a_position_in_what_is_not_known_yet_is_nowhere() -> None:
    one, other = Room(), Room()
    one.text("t").set("later")
    position = one.text("t").position(2)
    assert other.text("t").locate(position) is None
    one.sync(other)
    assert other.text("t").locate(position) == 2
    assert other.text("t").locate(Position((12345, 0))) is None
    assert other.text("t").locate(Position(type=(12345, 0))) is None


def test_a_position_in_a_text_that_was_removed_is_nowhere() -> None:
    one, other = Room(), Room()
    text = one.map("m").text("t")
    text.set("gone soon")
    places = [text.position(4), text.position(9)]
    one.sync(other)
    del one.map("m")["t"]
    one.sync(other)
    for room in one, other:
        assert [room.map("m").text("t").locate(place) for place in places] == [None, None]


def test_a_position_in_another_text_is_not_in_this_one() -> None:
    room = Room()
    room.text("one").set("abc")
    room.text("other").set("abc")
    assert room.text("other").locate(room.text("one").position(1)) is None
    assert room.text("other").locate(room.text("one").position(3)) is None


def test_a_place_beyond_the_text_is_an_error() -> None:
    text = Room().text("t")
    text.set("ab")
    for index in -1, 3:
        with pytest.raises(IndexError):
            text.position(index)


def test_positions_in_a_list_stay_at_their_items() -> None:
    rows = Room().array("rows")
    rows.extend([1, 2, 3])
    here = rows.position(1)
    rows.insert(0, "new")
    assert rows.locate(here) == 2
    del rows[2]
    assert rows.locate(here) == 2
