"""Wrapping: rows where Textual's own has them, kept up with edits without a look at the other lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from partyroom_tui.document import LinesDocument
from partyroom_tui.graphemes import ceiling, cells, floor
from partyroom_tui.navigation import GraphemeNavigator
from partyroom_tui.wrapping import Wrapping
from textual.document._document import Document
from textual.document._wrapped_document import WrappedDocument
from textual.geometry import Offset

from tests.tui.texts import few, tame, texts

widths = st.sampled_from([0, 3, 5, 10, 40])


@few
@given(tame, widths)
def test_rows_are_those_of_textuals_own_wrapped_document(text: str, width: int) -> None:
    ours, theirs = Wrapping(LinesDocument(text), width), WrappedDocument(Document(text), width)
    assert (ours.height, ours.lines) == (theirs.height, theirs.lines)
    for row, line in enumerate(ours.document.lines):
        assert ours.get_offsets(row) == theirs.get_offsets(row)
        assert ours.get_sections(row) == theirs.get_sections(row)
        for column in range(len(line) + 1):
            assert ours.location_to_offset((row, column)) == theirs.location_to_offset((row, column))
    for y in range(ours.height):
        assert ours.line_at(y) == theirs._offset_to_line_info[y]
        for x in range(12):
            assert ours.offset_to_location(Offset(x, y)) == theirs.offset_to_location(Offset(x, y))


@few
@given(texts, widths, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 8), texts), max_size=6))
def test_after_edits_it_is_as_if_wrapped_anew(text: str, width: int, edits: list[tuple[int, int, str]]) -> None:
    document = LinesDocument(text)
    wrapping = Wrapping(document, width)
    for at, length, new in edits:
        start = at % (len(document) + 1)
        wrapping.splice(document.splice(start, min(len(document), start + length), new))
        fresh = Wrapping(LinesDocument(document.text), width)
        assert (wrapping.lines, wrapping.height, wrapping.widest) == (fresh.lines, fresh.height, fresh.widest)
        assert wrapping.widest == (0 if width else max(cells(line, 4) for line in document.lines))


@few
@given(texts, widths)
def test_a_location_is_found_again_where_it_is_shown(text: str, width: int) -> None:
    wrapping = Wrapping(LinesDocument(text), width)
    for row, line in enumerate(wrapping.document.lines):
        for column in range(len(line) + 1):
            if floor(line, column) == column:
                found = wrapping.offset_to_location(wrapping.location_to_offset((row, column)))
                between = line[min(found[1], column) : max(found[1], column)]
                assert found[0] == row
                assert cells(between, 4) == 0 or "\t" in line, "another place than where it is shown"


@few
@given(texts)
def test_no_row_is_wider_than_the_screen_unless_one_character_is(text: str) -> None:
    wrapping = Wrapping(LinesDocument(text), 10)
    for y in range(wrapping.height):
        row, part = wrapping.line_at(y)
        start, stop = wrapping.part(row, part)
        line = wrapping.document[row]
        assert "\t" in line or wrapping.cells(y) <= 10 or floor(line, stop - 1) == start


@few
@given(texts, st.integers(0, 30), st.integers(1, 20))
def test_what_is_seen_of_a_line_is_what_lies_between_two_edges(text: str, left: int, width: int) -> None:
    wrapping = Wrapping(LinesDocument(text))
    for row, line in enumerate(wrapping.document.lines):
        cut, first, last = wrapping.window(row, 0, left, width)

        def at(column: int, row: int = row) -> int:
            return wrapping.location_to_offset((row, column)).x

        assert 0 <= cut < 4
        if first < last:
            assert at(first) - cut == left, "what is seen begins elsewhere"
            assert at(last) <= left + width, "more is seen than there is room for"
            assert last == len(line) or at(ceiling(line, last + 1)) > left + width, (
                "less is seen than there is room for"
            )
        else:
            assert at(len(line)) <= left or cut or at(ceiling(line, first + 1)) > left + width


@pytest.mark.parametrize("line", ["ae\u0301b", "👩\u200d👩\u200d👧x", "漢\t字\t", "❤\ufe0f!", "👍🏽"])
def test_the_cursor_goes_from_grapheme_to_grapheme_and_back(line: str) -> None:
    navigator = GraphemeNavigator(Wrapping(LinesDocument(line)))
    there, at = [(0, 0)], (0, 0)
    while (at := navigator.get_location_right(at)) != there[-1]:
        there.append(at)
    back = [at]
    while (at := navigator.get_location_left(at)) != back[-1]:
        back.append(at)
    assert back == there[::-1]
    assert all(floor(line, column) == column for _, column in there)
    assert there[-1] == (0, len(line))
