"""SharedArray: it does what a ``list`` does, and its document says the same to the engine and to others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array

from partyroom.client.values import Removed
from tests.unit.client.rooms import Room

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet="aé😀", max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(alphabet="ké", max_size=2), inner, max_size=2),
    max_leaves=4,
)
values = st.lists(plain, max_size=4)
indices = st.integers(-8, 8)
optional = st.none() | indices
steps = st.one_of(
    st.tuples(st.just("insert"), indices, plain),
    st.tuples(st.just("append"), plain),
    st.tuples(st.just("extend"), values),
    st.tuples(st.just("set"), indices, plain),
    st.tuples(
        st.just("put"), st.builds(slice, optional, optional, st.none() | st.sampled_from([-2, -1, 1, 2])), values
    ),
    st.tuples(st.just("delete"), indices),
    st.tuples(st.just("cut"), st.builds(slice, optional, optional, st.none() | st.sampled_from([-2, -1, 1, 2]))),
    st.tuples(st.just("pop"), indices),
    st.tuples(st.just("clear")),
)


def play(rows: Any, step: tuple[Any, ...]) -> Any:
    """Do the step to a list or to what is like one; returns what came out of it, an error's class included."""
    try:
        match step:
            case "insert", index, value:
                rows.insert(index, value)
            case "append", value:
                rows.append(value)
            case "extend", new:
                rows.extend(new)
            case "set" | "put", index, value:
                rows[index] = value
            case "delete" | "cut", index:
                del rows[index]
            case "pop", index:
                return rows.pop(index)
            case _:
                rows.clear()
    except (IndexError, ValueError) as error:
        return type(error)
    return None


@given(st.lists(steps, max_size=10))
def test_it_does_what_a_list_does(played: list[tuple[Any, ...]]) -> None:
    room = Room()
    rows = room.array("rows")
    model: list[Any] = []
    for step in played:
        assert play(rows, step) == play(model, step)
        assert rows == model
    assert (rows.copy(), len(rows), list(rows), list(reversed(rows))) == (model, len(model), model, model[::-1])
    for start in range(-3, 3):
        assert rows[start:] == model[start:]
        assert rows[:start:-2] == model[:start:-2]
    assert room.doc.get("rows", type=Array).to_py() == model
    other = Room()
    room.sync(other)
    assert other.array("rows") == rows


@given(st.lists(st.tuples(st.booleans(), steps), max_size=12))
def test_two_who_edit_at_the_same_time_see_the_same_in_the_end(played: list[tuple[bool, tuple[Any, ...]]]) -> None:
    one, other = Room(1), Room(2)
    one.array("rows").extend([1, "two", [3]])
    one.sync(other)
    for first, step in played:
        play((one if first else other).array("rows"), step)
    one.sync(other)
    assert one.array("rows") == other.array("rows")
    assert one.doc.get("rows", type=Array).to_py() == one.array("rows").copy()


def test_whole_numbers_come_back_whole_whoever_wrote_them() -> None:
    room = Room()
    room.doc.get("rows", type=Array).extend([1, 2.0, 2**40, 2.5])
    assert [repr(one) for one in room.array("rows")] == ["1", "2", "1099511627776", "2.5"]


def test_values_are_found_and_counted() -> None:
    rows = Room().array("rows")
    rows.extend(["a", "b", "a"])
    assert (rows.index("a"), rows.index("a", 1), rows.count("a"), "b" in rows, "c" in rows) == (0, 2, 2, True, False)
    with pytest.raises(ValueError, match="c"):
        rows.index("c")
    rows.remove("a")
    rows += ["c"]
    assert rows == ["b", "a", "c"]
    assert repr(rows) == "<SharedArray rows ['b', 'a', 'c']>"


def test_assigning_to_all_of_it_writes_what_has_changed() -> None:
    room = Room()
    rows = room.array("rows")
    rows.extend(range(1000))
    place = rows.position(900)
    room.sent.clear()
    rows[:] = [*range(500), "new", *range(501, 1000)]
    assert len(room.sent[0]) < 60
    assert rows.locate(place) == 900
    room.sent.clear()
    rows[:] = rows.copy()
    assert not room.sent


def test_true_is_not_one() -> None:
    rows = Room().array("rows")
    rows.extend([1, 0])
    rows[:] = [True, 0]
    assert repr(rows.copy()) == "[True, 0]"


def test_what_was_read_is_a_copy() -> None:
    rows = Room().array("rows")
    given = {"a": [1]}
    rows.append(given)
    given["a"].append(2)
    rows[0]["a"].append(3)
    assert rows == [{"a": [1]}]


def test_there_is_no_sorting_in_place() -> None:
    rows = Room().array("rows")
    rows.extend([2, 1])
    with pytest.raises(TypeError, match=r"rows\[:\] = sorted"):
        rows.sort()
    with pytest.raises(TypeError, match="replaces"):
        rows.reverse()
    rows[:] = sorted(rows)
    assert rows == [1, 2]


def test_one_value_that_cannot_be_stored_leaves_all_out() -> None:
    room = Room()
    rows = room.array("rows")
    with pytest.raises(TypeError, match=r"rows\[1\]\['a'\]: set cannot be stored"):
        rows.extend([1, {"a": {2}}])
    assert not rows
    assert not room.sent


def test_items_of_their_own_are_edited_live() -> None:
    one, other = Room(), Room()
    rows = one.array("rows")
    row = rows.insert_map(0, {"name": "Ada"})
    rows.insert_text(1, "hello")
    rows.insert_array(-1, [1, 2])
    assert rows == [{"name": "Ada"}, [1, 2], "hello"]
    one.sync(other)
    theirs = other.array("rows").map(0)
    theirs["age"] = 36
    other.array("rows").insert(0, "before")
    row["name"] = "Ada L."
    one.sync(other)
    assert one.array("rows") == other.array("rows") == ["before", {"name": "Ada L.", "age": 36}, [1, 2], "hello"]
    assert row == theirs
    rows.text(3).append(" world")
    rows.array(2)[0] = "one"
    assert rows[2:] == [["one", 2], "hello world"]
    with pytest.raises(TypeError, match=r"rows\[0\] is no map"):
        rows.map(0)


def test_an_item_of_its_own_that_was_removed_says_so() -> None:
    rows = Room().array("rows")
    row = rows.insert_map(0)
    del rows[0]
    with pytest.raises(Removed, match=r"a map that was rows\[0\] has been removed"):
        row["a"] = 1
    with pytest.raises(Removed):
        row.copy()
    assert not rows


def test_an_index_that_is_not_there_is_an_error() -> None:
    rows = Room().array("rows")
    rows.append(1)
    with pytest.raises(IndexError, match="rows has 1 items, and no index 1"):
        rows[1]
