"""SharedText: it does what a ``str`` does, and its document says the same to the engine and to others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Text

from tests.unit.client.rooms import Room

texts = st.text(alphabet=st.sampled_from("abé漢😀\u0301\u200d\r\n\ufffc🇫"), max_size=8)
indices = st.integers(-12, 12)
steps = st.one_of(
    st.tuples(st.just("insert"), indices, texts),
    st.tuples(st.just("append"), texts),
    st.tuples(st.just("put"), indices, indices, texts),
    st.tuples(st.just("cut"), indices, indices),
    st.tuples(st.just("replace"), texts.filter(bool), texts, st.integers(-1, 3)),
    st.tuples(st.just("set"), texts),
)


def like_python(model: str, step: tuple[Any, ...]) -> str:
    """What the step makes of a plain ``str``."""
    match step:
        case "insert", index, new:
            characters = list(model)
            characters.insert(index, new)
            return "".join(characters)
        case "append", new:
            return model + str(new)
        case "put", start, stop, new:
            characters = list(model)
            characters[start:stop] = [new]
            return "".join(characters)
        case "cut", start, stop:
            characters = list(model)
            del characters[start:stop]
            return "".join(characters)
        case "replace", old, new, count:
            return model.replace(old, new, count)
        case "set", new:
            return str(new)
    raise AssertionError(step)


@given(st.lists(steps, max_size=12))
def test_it_does_what_a_str_does(played: list[tuple[Any, ...]]) -> None:
    room, model = Room(), ""
    text = room.text("t")
    for step in played:
        model = like_python(model, step)
        match step:
            case "insert", index, new:
                text.insert(index, new)
            case "append", new:
                text.append(new)
            case "put", start, stop, new:
                text[start:stop] = new
            case "cut", start, stop:
                del text[start:stop]
            case "replace", old, new, count:
                text.replace(old, new, count)
            case "set", new:
                text.set(new)
        assert text == model
    assert (str(text), len(text), list(text), text[1:-1]) == (model, len(model), list(model), model[1:-1])
    assert str(room.doc.get("t", type=Text)) == model
    other = Room()
    room.sync(other)
    assert other.text("t") == text


@given(st.lists(st.tuples(st.booleans(), steps), max_size=12))
def test_two_who_edit_at_the_same_time_see_the_same_in_the_end(played: list[tuple[bool, tuple[Any, ...]]]) -> None:
    one, other = Room(1), Room(2)
    one.text("t").set("ab😀é")
    one.sync(other)
    for first, step in played:
        room = one if first else other
        room.text("t").set(like_python(str(room.text("t")), step))
    one.sync(other)
    assert one.text("t") == other.text("t")
    assert str(one.doc.get("t", type=Text)) == str(other.doc.get("t", type=Text)) == str(one.text("t"))


def test_single_characters_are_set_and_deleted() -> None:
    text = Room().text("t")
    text.append("a😀b")
    text[1] = "é"
    del text[-1]
    text += "!"
    assert text == "aé!"
    assert "é!" in text
    assert repr(text) == "<SharedText t 'aé!'>"
    with pytest.raises(IndexError):
        text[7] = "x"
    with pytest.raises(IndexError):
        del text[-4]


def test_set_leaves_alone_what_both_have_in_common() -> None:
    room = Room()
    text = room.text("t")
    text.set("The quick brown fox\njumps over\nthe lazy dog\n")
    anchors = [text.position(4), text.position(16), text.position(31)]
    room.sent.clear()
    text.set("The slow brown fox\nleaps over\nthe dog\n")
    assert len(room.sent) == 1
    assert [str(text)[index : index + 3] for place in anchors if (index := text.locate(place)) is not None][1:] == [
        "fox",
        "the",
    ]


def test_set_compares_long_texts_by_lines() -> None:
    room = Room()
    text = room.text("t")
    lines = [f"line {number}, which is rather long as lines go\n" for number in range(200)]
    text.set("".join(lines))
    inside = text.position(str(text).index("line 150"))
    del lines[100]
    lines[20], lines[180] = "another\n", "yet another\n"
    room.sent.clear()
    text.set("".join(lines))
    assert text == "".join(lines)
    found = text.locate(inside)
    assert found is not None
    assert str(text)[found:].startswith("line 150")
    assert len(room.sent[0]) < 200


def test_set_replaces_what_is_too_long_to_compare() -> None:
    text = Room().text("t")
    text.set("a" * 3000)
    text.set("b" * 3000)
    assert text == "b" * 3000


def test_replace_says_how_often() -> None:
    text = Room().text("t")
    text.set("one one one")
    assert text.replace("one", "two😀", 2) == 2
    assert text == "two😀 two😀 one"
    assert text.replace("three", "x") == 0
    with pytest.raises(ValueError, match="look for"):
        text.replace("", "x")


def test_what_is_embedded_counts_as_one_character() -> None:
    room = Room()
    shared = room.doc.get("t", type=Text)
    shared.insert(0, "ab")
    shared.insert_embed(1, {"image": "😀"})
    text = room.text("t")
    assert text == "a\ufffcb"
    text.insert(2, "x")
    text[0] = "é"
    assert text == "é\ufffcxb"
    assert [part for part, _ in shared.diff()] == ["é", {"image": "😀"}, "xb"]
    del text[1]
    assert str(shared) == "éxb"


@pytest.mark.parametrize("wrong", [b"bytes", 5, None, ["a"]])
def test_only_text_goes_into_a_text(wrong: Any) -> None:
    text = Room().text("t")
    for put in (text.append, text.set, lambda value: text.insert(0, value)):
        with pytest.raises(TypeError, match="t: a text takes str"):
            put(wrong)


def test_half_of_a_character_is_no_text_and_changes_nothing() -> None:
    text = Room().text("t")
    text.set("whole")
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        text.append("😀".encode("utf-16", "surrogatepass")[2:4].decode("utf-16", "surrogatepass"))
    assert text == "whole"


def test_a_text_is_edited_in_slices_without_a_step() -> None:
    text = Room().text("t")
    text.set("abc")
    assert text[::-1] == "cba"
    with pytest.raises(ValueError, match="step"):
        text[::2] = "x"


def test_it_equals_a_str_and_has_no_hash() -> None:
    room = Room()
    room.text("t").set("abc")
    assert room.text("t") == "abc"
    assert room.text("t") != "abd"
    assert room.text("t") == room.text("t")
    assert room.text("t") != 5
    with pytest.raises(TypeError):
        hash(room.text("t"))
