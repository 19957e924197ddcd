"""A trace: edits of a copy find their places in what the text has become, and nothing that anybody wrote is lost."""

from __future__ import annotations

from random import Random

import pytest
from partyroom_tui.merging import Trace

from partyroom.client.text import differences


def merge(base: str, text: str, copy: str) -> str:
    """What ``copy`` has done to ``base``, done to ``text``, which others have made of it."""
    trace = Trace(len(base))
    for start, stop, part in reversed(differences(base, text)):
        trace.follow(start, stop - start, len(part))
    for start, stop, part in reversed(trace.patches(differences(base, copy))):
        text = text[:start] + part + text[stop:]
    return text


@pytest.mark.parametrize(
    ("base", "text", "copy", "merged"),
    [
        ("one two three", "ONE two three", "one two THREE", "ONE two THREE"),
        ("one two three", "one three", "one two three four", "one three four"),
        ("", "theirs", "", "theirs"),
        ("abc", "abc", "", ""),
        ("abc", "", "abcd", "d"),
        ("line\n", "line\nx", "line\ny", "line\nyx"),
        ("abcdef", "abXdef", "af", "aXf"),
    ],
)
def test_both_sides_edits_are_there(base: str, text: str, copy: str, merged: str) -> None:
    assert merge(base, text, copy) == merged


@pytest.mark.parametrize("seed", range(50))
def test_nothing_that_was_inserted_is_lost_and_nothing_that_both_left_alone_moves(seed: int) -> None:
    random = Random(seed)
    base = "".join(chr(0x4E00 + number) for number in range(40))  # each character once

    def edited(letters: str) -> str:
        parts = list(base)
        for letter in letters:
            start = random.randint(0, len(parts))
            parts[start : start + random.choice((0, 0, 3))] = [letter]
        return "".join(parts)

    ours, theirs = edited("abcdefg"), edited("TUVWXYZ")
    merged = merge(base, ours, theirs)
    assert set(merged) & set("abcdefgTUVWXYZ") == (set(ours) | set(theirs)) - set(base)
    assert "".join(char for char in merged if char in base) == "".join(
        char for char in base if char in ours and char in theirs
    )
    assert [char for char in merged if char in ours and char in "abcdefg"] == [c for c in ours if c in "abcdefg"]


def test_one_side_alone_is_what_that_side_has() -> None:
    for seed in range(20):
        random = Random(seed)
        base = "".join(random.choice("ab\n") for _ in range(30))
        other = "".join(random.choice("ab\n") for _ in range(30))
        assert merge(base, base, other) == other
        assert merge(base, other, base) == other
