"""The partner of a bracket is the one that Textual finds; only not farther away than some hundred lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from partyroom_tui.brackets import FARTHEST, matching
from textual.widgets import TextArea

from tests.tui.texts import few


@few
@given(st.text("()[]{}a\n", min_size=1, max_size=40))
def test_brackets_have_the_partners_that_textual_finds(text: str) -> None:
    area = TextArea(text)
    lines = area.document.lines
    for row, line in enumerate(lines):
        for column, char in enumerate(line):
            found = matching(lines, (row, column))
            expected = area.find_matching_bracket(char, (row, column))
            assert found in (expected, None)
            if found is None and expected is not None:
                assert "mismatch" in _between(lines, (row, column), expected)
        assert matching(lines, (row, len(line))) is None


def _between(lines: list[str], one: tuple[int, int], other: tuple[int, int]) -> str:
    """Textual goes on behind a bracket of another kind, such as the ``]`` in ``(]``: that is no partner's place."""
    first, last = sorted((one, other))
    stack: list[str] = []
    for row in range(first[0], last[0] + 1):
        for column, char in enumerate(lines[row]):
            if first <= (row, column) <= last:
                if char in "([{":
                    stack.append(char)
                elif char in ")]}" and (not stack or stack.pop() + char not in ("()", "[]", "{}")):
                    return "mismatch"
    return "nested"


def test_a_bracket_without_a_partner_costs_no_walk_through_a_whole_file() -> None:
    lines = ["("] + ["x"] * FARTHEST + [")"]
    assert matching(lines, (0, 0)) is None
    assert matching(lines[1:], (FARTHEST, 0)) is None
    assert matching(["(", *lines[3:]], (0, 0)) == (FARTHEST - 1, 0)
