"""LinesDocument: the text it was given and edited to, exactly; where Textual's own can hold that text, as that one."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from partyroom_tui.document import LinesDocument
from partyroom_tui.lines import split
from textual.document._document import Document

from tests.tui.texts import few, tame, texts


@few
@given(texts, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 8), texts), max_size=8))
def test_after_any_edits_it_is_the_edited_text_in_its_lines(text: str, edits: list[tuple[int, int, str]]) -> None:
    document = LinesDocument(text)
    for at, length, new in edits:
        start = at % (len(text) + 1)
        stop = min(len(text), start + length)
        lines = document.lines[:]
        splice = document.splice(start, stop, new)
        text = text[:start] + new + text[stop:]
        assert document.text == text
        assert len(document) == len(text)
        assert document.lines == LinesDocument(text).lines
        lines[splice.row : splice.row + len(splice.gone)] = document.lines[splice.row : splice.row + splice.new]
        assert lines == document.lines, "the splice does not say what has changed"


@few
@given(texts)
def test_indices_and_locations_are_each_others(text: str) -> None:
    document = LinesDocument(text)
    before = 0
    for row, line in enumerate(split(text)):
        for column in range(len(document[row]) + 1):
            assert document.get_index_from_location((row, column)) == before + column
            assert document.get_location_from_index(before + column) == (row, column)
        before += len(line)
    assert document.get_location_from_index(len(text)) == document.end
    assert document.get_text_range(document.start, document.end) == text
    with pytest.raises(ValueError, match="no index"):
        document.get_location_from_index(len(text) + 1)


@few
@given(tame, st.randoms(use_true_random=False))
def test_it_is_as_textuals_own_where_that_can_hold_the_text(text: str, random: Random) -> None:
    ours, theirs = LinesDocument(text), Document(text)

    def place() -> tuple[int, int]:
        row = random.randrange(len(theirs.lines))
        return row, random.randint(0, len(theirs[row]))

    for _ in range(5):
        start, end, new = place(), place(), random.choice(["", "x", "\n", "a\nb\n"])
        assert ours.get_text_range(start, end) == theirs.get_text_range(start, end)
        assert ours.replace_range(start, end, new) == theirs.replace_range(start, end, new)
        assert (ours.text, ours.lines, ours.line_count, ours.end) == (
            *(theirs.text, theirs.lines, theirs.line_count, theirs.end),
        )
        assert ours.get_size(4) == theirs.get_size(4)


def test_an_edit_within_a_line_end_and_one_that_makes_one() -> None:
    document = LinesDocument("a\r\nb")
    document.splice(2, 2, "x")
    assert (document.text, document.lines) == ("a\rx\nb", ["a", "x", "b"])
    document.splice(2, 3, "")
    assert (document.text, document.lines) == ("a\r\nb", ["a", "b"])
    assert document.get_location_from_index(2) == (0, 1), "within a line end is before it"


def test_a_new_line_has_the_line_end_of_its_neighbours() -> None:
    document = LinesDocument("one\r\ntwo\rthree\nlast")
    assert [document.newline_at(row) for row in range(4)] == ["\r\n", "\r", "\n", "\n"]
    assert document.newline == "\r\n"
    assert LinesDocument("").newline == "\n"
