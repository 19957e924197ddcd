"""Differences make the one text of the other, in edits that are few, small, and found in time."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from partyroom.documents.difference import Edit, differences

TEXTS = st.text(alphabet="ab\n🎉é\r", max_size=40)


def edited(text: str, edits: list[Edit]) -> str:
    for start, stop, new in reversed(edits):
        text = text[:start] + new + text[stop:]
    return text


@given(TEXTS, TEXTS)
def test_applied_to_the_old_text_they_give_the_new_one(old: str, new: str) -> None:
    edits = differences(old, new)
    assert edited(old, edits) == new
    assert all(before[1] <= after[0] for before, after in pairwise(edits))


def test_what_is_the_same_in_both_is_not_touched() -> None:
    assert differences("same", "same") == []
    assert differences("good morning, all", "good evening, all") == [(5, 12, "evening")]
    assert differences("a 🎉 b", "a 🎉 c b") == [(4, 4, "c ")]
    assert differences("one\ntwo\nthree\n", "one\nthree\n") == [(4, 8, "")]


def test_in_a_long_text_the_lines_that_have_changed_are_found() -> None:
    lines = [f"line {number}\n" for number in range(20_000)]
    old = "".join(lines)
    chosen = random.Random(7).sample(range(len(lines)), 50)
    for number in chosen:
        lines[number] = lines[number].replace("line", "LINE")
    edits = differences(old, "".join(lines))
    assert edited(old, edits) == "".join(lines)
    assert sum(stop - start for start, stop, _ in edits) == 50 * len("line")


def test_texts_that_would_take_for_ever_are_replaced_at_once() -> None:
    old, new = "a\n" + "x\n" * 5000 + "b", "c\n" + "x\n" * 5001 + "d"
    assert differences(old, new) == [(0, len(old), new)]


def test_two_who_rewrite_one_word_have_nothing_in_common() -> None:
    assert differences("two", "by another") == [(0, 3, "by another")]
    assert differences("two", "three") == [(0, 3, "three")]
