"""Values: batches, callbacks, and a document that others edit, replace, plant things in, and let go of."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any
from weakref import ref

import pytest
from pycrdt import Text

from partyroom.client import live
from partyroom.client.values import ABSENT, Change, KeyEdit, SpanEdit
from partyroom.protocols.replica import ReplicaBroken
from tests.unit.client.rooms import Room

ROOT = Path(__file__).parents[3]


def heard(room: Room) -> list[Change]:
    """What callbacks are told that watch the three roots ``m``, ``a`` and ``t``."""
    changes: list[Change] = []
    for shared in room.map("m"), room.array("a"), room.text("t"):
        shared.on_change(changes.append)
    return changes


# changes -----------------------------------------------------------------------------------------------------------


def test_a_change_says_what_was_and_what_is() -> None:
    room = Room()
    changes = heard(room)
    room.map("m")["k"] = 1
    room.map("m")["k"] = [2]
    del room.map("m")["k"]
    room.array("a").extend([1, "é", b"x"])
    room.array("a")[1] = None
    room.text("t").append("a😀b")
    room.text("t")[1:] = "漢"
    assert changes == [], "a callback was called within an edit"
    room.settle()
    assert [change.edits for change in changes] == [
        (KeyEdit((), "k", ABSENT, 1),),
        (KeyEdit((), "k", 1, [2]),),
        (KeyEdit((), "k", [2], ABSENT),),
        (SpanEdit((), 0, [1, "é", b"x"], []),),
        (SpanEdit((), 1, [None], ["é"]),),
        (SpanEdit((), 0, "a😀b", ""),),
        (SpanEdit((), 1, "漢", "😀b"),),
    ]
    assert not any(change.remote for change in changes)


def test_a_change_says_whose_it_was() -> None:
    one, other = Room(), Room()
    changes = heard(other)
    one.map("m")["k"] = 1
    one.sync(other)
    other.map("m")["k"] = 2
    other.doc.get("t", type=Text).insert(0, "by pycrdt")
    other.settle()
    assert [change.remote for change in changes] == [True, False, False]


def test_a_callback_that_edits_and_asks_to_be_told_keeps_the_order_for_all() -> None:
    room = Room()
    text, told = room.text("t"), list[tuple[str, str]]()

    def added(change: Change) -> str:
        (edit,) = change.edits
        assert isinstance(edit, SpanEdit)
        return str(edit.inserted)

    def first(change: Change) -> None:
        told.append(("first", added(change)))
        if len(told) == 1:
            text.append("2")
            room.values.tell()

    def second(change: Change) -> None:
        told.append(("second", added(change)))

    text.on_change(first)
    text.on_change(second)
    text.append("1")
    room.values.tell()
    assert told == [("first", "1"), ("second", "1"), ("first", "2"), ("second", "2")]


def test_a_batch_is_one_message_and_one_call() -> None:
    room = Room()
    state, calls = room.map("m"), list[Change]()
    state.on_change(calls.append)
    with room.batch():
        state["a"] = 1
        state["a"] = 2
        state["b"] = 3
        del state["b"]
        state.text("t").append("typed")
        assert state == {"a": 2, "t": "typed"}, "a batch does not read what it wrote"
        with room.batch():
            room.array("a").append("elsewhere")
    room.settle()
    assert len(room.sent) == 1
    assert [change.edits for change in calls] == [(KeyEdit((), "a", ABSENT, 2), KeyEdit((), "t", ABSENT, "typed"))]


def test_a_batch_that_fails_keeps_what_was_done() -> None:
    room = Room()

    def fail() -> None:
        with room.batch():
            room.map("m")["a"] = 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert room.map("m") == {"a": 1}
    assert len(room.sent) == 1


def test_changes_within_have_a_path() -> None:
    room = Room()
    state, calls = room.map("m"), list[Change]()
    state.array("rows").insert_map(0, {"name": "Ada"})
    state.map("deep").text("t").append("text")
    state.on_change(calls.append)
    state.array("rows").insert(0, "before")
    state.array("rows").map(1)["name"] = "Bob"
    state.map("deep").text("t").append("!")
    del state["deep"]
    room.settle()
    assert [change.edits for change in calls] == [
        (SpanEdit(("rows",), 0, ["before"], []),),
        (KeyEdit(("rows", 1), "name", "Ada", "Bob"),),
        (SpanEdit(("deep", "t"), 4, "!", ""),),
        (KeyEdit((), "deep", {"t": "text!"}, ABSENT),),
    ]


def test_what_lies_elsewhere_is_not_told() -> None:
    room = Room()
    inner, calls = room.map("m").map("inner"), list[Change]()
    inner.on_change(calls.append)
    room.map("m")["other"] = 1
    room.text("t").append("x")
    inner["k"] = 1
    inner["k"] = 2
    room.settle()
    assert [change.edits for change in calls] == [(KeyEdit((), "k", ABSENT, 1),), (KeyEdit((), "k", 1, 2),)]


@pytest.mark.parametrize("seed", range(20))
def test_spans_make_of_what_was_what_is(seed: int) -> None:
    dice = Random(seed)
    one, other = Room(1), Room(2)
    text, rows = one.text("t"), one.array("a")
    shown = [""]
    listed: list[list[Any]] = [[]]

    def follow_text(change: Change) -> None:
        for edit in change.edits:
            assert isinstance(edit, SpanEdit)
            was = shown[0]
            assert was[edit.index : edit.index + len(edit.deleted)] == edit.deleted
            shown[0] = was[: edit.index] + edit.inserted + was[edit.index + len(edit.deleted) :]

    def follow_rows(change: Change) -> None:
        for edit in change.edits:
            assert isinstance(edit, SpanEdit)
            assert listed[0][edit.index : edit.index + len(edit.deleted)] == edit.deleted
            listed[0][edit.index : edit.index + len(edit.deleted)] = edit.inserted

    text.on_change(follow_text)
    rows.on_change(follow_rows)
    for _ in range(30):
        room = dice.choice([one, other])
        with room.batch():
            for _ in range(dice.randrange(4)):
                start = dice.randrange(len(room.text("t")) + 1)
                room.text("t")[start : start + dice.randrange(3)] = dice.choice(["", "é", "😀x"])
                start = dice.randrange(len(room.array("a")) + 1)
                room.array("a")[start : start + dice.randrange(3)] = dice.choice([[], [1], ["a", 2]])
        if dice.random() < 0.3:
            one.sync(other)
        if dice.random() < 0.5:
            one.settle()
    one.settle()
    assert shown[0] == text
    assert listed[0] == rows


def test_a_callback_may_edit_and_one_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    state = room.map("m")

    def count(change: Change) -> None:
        if "count" not in state:
            state["count"] = 1

    def fail(change: Change) -> None:
        raise ValueError("the callback's own")

    state.on_change(fail)
    state.on_change(count)
    state["k"] = 1
    with caplog.at_level(logging.ERROR, "partyroom.client"):
        room.settle()
    assert state == {"k": 1, "count": 1}
    assert "the callback's own" in caplog.text


def test_a_callback_that_was_taken_away_is_not_called() -> None:
    room = Room()
    calls: list[Change] = []
    remove = room.map("m").on_change(calls.append)
    room.map("m")["a"] = 1
    remove()
    remove()
    room.map("m")["b"] = 1
    room.settle()
    assert calls == []


# the document ------------------------------------------------------------------------------------------------------


def test_pycrdt_and_values_edit_one_document() -> None:
    room = Room()
    text = room.doc.get("t", type=Text)
    room.text("t").append("ab")
    text.insert(1, "x")
    assert room.text("t") == "axb"
    other = Room()
    room.sync(other)
    assert other.text("t") == str(text) == "axb"


def test_both_in_one_transaction_give_no_tick_out_twice() -> None:
    room = Room()
    room.text("t").append("ab")
    text = room.doc.get("t", type=Text)
    with room.doc.transaction():
        text.insert(2, "c")
        room.text("t").insert(0, "x")
        text.insert(0, "y")
        room.map("m")["z"] = 2
    assert room.text("t") == str(text) == "yxabc"
    other = Room()
    room.sync(other)
    assert other.text("t") == "yxabc"
    assert other.map("m") == {"z": 2}


def test_values_that_are_first_used_in_a_transaction_of_pycrdt_say_so() -> None:
    room = Room()
    with room.doc.transaction(), pytest.raises(ReplicaBroken, match="first used outside"):
        room.text("t").append("x")
    room.text("t").append("x")
    assert room.text("t") == "x"


def test_a_document_that_is_built_anew_is_followed() -> None:
    one, other = Room(1), Room(2)
    changes = heard(other)
    one.text("t").append("a😀b")
    one.sync(other)
    other.settle()
    before = other.doc
    other.receive(b"\x00\x01\x01\x01\x02\x01")  # client 1 deletes the second half of the emoji
    assert other.doc is not before
    assert other.text("t") == "a\ufffdb"
    other.text("t").append("!")
    other.settle()
    assert [change.edits for change in changes] == [
        (SpanEdit((), 0, "a😀b", ""),),
        (SpanEdit((), 1, "\ufffd", "😀"),),
        (SpanEdit((), 3, "!", ""),),
    ]


def test_nobody_who_looks_costs_no_memory() -> None:
    room = Room()
    assert room.text("t") == ""
    text = room.doc.get("t", type=Text)
    for _ in range(live.MOST_QUEUED + 10):
        text.insert(0, "x")
    assert len(room.values._live._queue) <= live.MOST_QUEUED
    assert len(room.text("t")) == live.MOST_QUEUED + 10


def test_a_room_that_is_let_go_is_freed_with_its_document() -> None:
    room = Room()
    calls: list[Change] = []
    room.text("t").on_change(calls.append)
    room.text("t").append("x")
    room.settle()
    gone: list[Any] = [ref(room), ref(room.doc), ref(room.values._live)]
    del room
    gc.collect()
    assert [one() for one in gone] == [None, None, None]


def test_a_name_is_one_kind() -> None:
    room = Room()
    room.map("x")
    with pytest.raises(TypeError, match="'x' has been opened as a map, and is not a text too"):
        room.text("x")
    name: Any = 5
    with pytest.raises(TypeError, match="the name of a root"):
        room.map(name)


def test_an_engine_that_panics_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    room = Room()
    room.text("t").append("x")

    def panic(update: bytes) -> None:
        raise PanicException("called unwrap on None")

    monkeypatch.setattr(room.doc, "apply_update", panic)
    with pytest.raises(ReplicaBroken, match="the engine failed in an edit: called unwrap"):
        room.text("t").append("y")


def test_threads_take_turns() -> None:
    room = Room()

    def type_on(number: int) -> None:
        for _ in range(100):
            with room.lock:
                room.text("t").append(str(number))
                room.array("a").append(number)

    threads = [threading.Thread(target=type_on, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(room.text("t"))) == sorted("0123" * 100)
    assert sorted(room.array("a")) == sorted([0, 1, 2, 3] * 100)


@pytest.mark.slow
def test_text_planted_among_values_hangs_nothing() -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.unit.client.planted"], capture_output=True, text=True, timeout=30, cwd=ROOT
    )
    assert child.stdout == "lived\n", child.stderr
