"""SharedMap: it does what a ``dict`` does, and its document says the same to the engine and to others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Map

from tests.unit.client.rooms import Room
from tests.unit.client.test_array import plain

keys = st.sampled_from(["a", "é", "😀", ""])
steps = st.one_of(
    st.tuples(st.just("set"), keys, plain),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("pop"), keys),
    st.tuples(st.just("setdefault"), keys, plain),
    st.tuples(st.just("update"), st.dictionaries(keys, plain)),
    st.tuples(st.just("clear")),
)


def play(state: Any, step: tuple[Any, ...]) -> Any:
    """Do the step to a dict or to what is like one; returns what came out of it, an error's class included."""
    try:
        match step:
            case "set", key, value:
                state[key] = value
            case "delete", key:
                del state[key]
            case "pop", key:
                return state.pop(key)
            case "setdefault", key, value:
                return state.setdefault(key, value)
            case "update", new:
                state.update(new)
            case _:
                state.clear()
    except KeyError as error:
        return type(error)
    return None


@given(st.lists(steps, max_size=10))
def test_it_does_what_a_dict_does(played: list[tuple[Any, ...]]) -> None:
    room = Room()
    state = room.map("state")
    model: dict[str, Any] = {}
    for step in played:
        assert play(state, step) == play(model, step)
        assert state == model
    assert len(state) == len(model)
    assert sorted(state) == sorted(model)
    assert state.keys() == model.keys()
    assert state | {"a": 1} == model | {"a": 1}
    assert {"a": 1} | state == {"a": 1} | model
    assert [state.get(key, "none") for key in ("a", "é", "zz")] == [model.get(key, "none") for key in ("a", "é", "zz")]
    assert room.doc.get("state", type=Map).to_py() == model
    other = Room()
    room.sync(other)
    assert other.map("state") == state


@given(st.lists(st.tuples(st.booleans(), steps), max_size=12))
def test_two_who_edit_at_the_same_time_see_the_same_in_the_end(played: list[tuple[bool, tuple[Any, ...]]]) -> None:
    one, other = Room(1), Room(2)
    one.map("state").update({"a": 1, "é": [2]})
    one.sync(other)
    for first, step in played:
        play((one if first else other).map("state"), step)
    one.sync(other)
    assert one.map("state") == other.map("state")
    assert one.doc.get("state", type=Map).to_py() == one.map("state").copy()


def test_several_keys_are_set_at_once_or_not_at_all() -> None:
    room = Room()
    state = room.map("state")
    state.update({"a": 1}, b=2)
    state |= {"c": 3}
    state |= [("d", 4)]
    assert state == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert len(room.sent) == 3
    with pytest.raises(TypeError, match=r"state\['b'\]\[0\]: object cannot be stored"):
        state.update({"a": 5, "b": [object()]})
    assert state["a"] == 1
    assert len(room.sent) == 3
    state.update()
    state.clear()
    state.clear()
    assert len(room.sent) == 4


@pytest.mark.parametrize("key", [5, None, ("a",), b"a"])
def test_a_key_is_a_str(key: Any) -> None:
    state = Room().map("state")
    assert key not in state
    with pytest.raises(TypeError, match="keys are str"):
        state[key] = 1


def test_bytes_stay_bytes_and_tuples_become_lists() -> None:
    state = Room().map("state")
    state.update(a=b"x", b=bytearray(b"y"), c=(1, b"z"), d={"e": ()})
    assert state == {"a": b"x", "b": b"y", "c": [1, b"z"], "d": {"e": []}}
    assert type(state["a"]) is bytes


def test_what_was_read_is_a_copy() -> None:
    state = Room().map("state")
    state["a"] = {"b": [1]}
    state["a"]["b"].append(2)
    assert state["a"] == {"b": [1]}


def test_maps_texts_and_arrays_within_are_live() -> None:
    one, other = Room(1), Room(2)
    state = one.map("state")
    assert state.map("people").map("ada") == {}
    assert not one.sent, "reading made something"
    state.map("people").map("ada")["age"] = 36
    state.text("title").append("Notes")
    state.array("rows").append(1)
    one.sync(other)
    other.map("state").map("people").map("ada")["name"] = "Ada"
    other.map("state").text("title").insert(0, "My ")
    state.map("people")["bob"] = {"age": 1}
    one.sync(other)
    assert (
        state
        == other.map("state")
        == {
            "people": {"ada": {"age": 36, "name": "Ada"}, "bob": {"age": 1}},
            "title": "My Notes",
            "rows": [1],
        }
    )
    assert "bob" in state.map("people")


def test_what_is_within_follows_its_key() -> None:
    state = Room().map("state")
    inner = state.map("inner")
    inner["a"] = 1
    del state["inner"]
    assert inner == {}
    inner["b"] = 2
    assert state == {"inner": {"b": 2}}


def test_a_key_that_holds_something_else_is_not_opened() -> None:
    state = Room().map("state")
    state["a"] = {"plain": True}
    state.text("t").append("text")
    with pytest.raises(TypeError, match=r"state\['a'\] is a plain value, not a map"):
        state.map("a")
    with pytest.raises(TypeError, match=r"state\['t'\] is a text, not an array"):
        state.array("t")
    inner = state.map("later")
    state["later"] = 5
    with pytest.raises(TypeError, match="plain value"):
        inner["x"] = 1
    with pytest.raises(TypeError, match="plain value"):
        inner.copy()


def test_it_says_what_it_holds() -> None:
    state = Room().map("state")
    state.map("a")["b"] = 1
    assert repr(state) == "<SharedMap state {'a': {'b': 1}}>"
    assert repr(state.map("a")) == "<SharedMap state['a'] {'b': 1}>"
