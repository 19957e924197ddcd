"""Lines are the text, cut where editors in browsers cut it; what is shown of them cannot command a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from partyroom_tui.lines import body, ending, shown, split

from tests.tui.texts import few, texts


@few
@given(texts)
def test_lines_with_their_ends_are_the_text(text: str) -> None:
    lines = split(text)
    assert "".join(lines) == text
    assert [body(line) + ending(line) for line in lines] == lines
    assert [body(line) for line in lines] == re.split(
        r"\r\n?|\n", text
    )  # as CodeMirror does (EditorState.lineSeparator)


@few
@given(texts)
def test_what_is_shown_is_one_character_for_one_and_moves_no_cursor(text: str) -> None:
    for line in split(text):
        assert len(shown(line)) == len(body(line))
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown(line))


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("plain\n", "plain"),
        ("\x1b]0;evil\x07", "␛]0;evil␇"),
        ("a\u2028b", "a␤b"),
        ("x\u202e)", "x\ufffd)"),
        ("\t👍🏽\r\n", "\t👍🏽"),
        ("\u0301a\t\u200db", "◌a\t◌b"),
    ],
)
def test_harmful_characters_are_shown_as_symbols_and_others_as_they_are(line: str, seen: str) -> None:
    assert shown(line) == seen
