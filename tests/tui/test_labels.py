"""Names stand where there is room: at the end of the line, above the caret, below it, or nowhere."""

from __future__ import annotations

from partyroom_tui.labels import Caret, Label, placed
from textual.color import Color
from textual.geometry import Offset

RED = Color(255, 0, 0)


def places(carets: list[tuple[int, int, str]], taken: list[int], width: int = 20) -> list[tuple[int, int, str]]:
    """Where (row, cell) which name is, for carets at (row, cell), on a screen with so much taken of each row."""
    found = placed(
        [Caret(Offset(x, y), name, RED) for y, x, name in carets],
        lambda y: taken[y] if 0 <= y < len(taken) else None,
        0,
        width,
    )
    return [(y, label.x, label.name) for y in sorted(found) for label in found[y]]


def test_a_name_stands_at_the_end_of_the_line() -> None:
    assert places([(0, 2, "Ada")], [8]) == [(0, 9, "Ada")]


def test_two_names_of_one_line_stand_side_by_side() -> None:
    assert places([(0, 2, "Ada"), (0, 5, "Bo")], [6]) == [(0, 7, "Ada"), (0, 13, "Bo")]


def test_where_the_line_is_full_the_name_stands_above_or_below() -> None:
    assert places([(1, 6, "Ada")], [3, 19, 3]) == [(0, 6, "Ada")]
    assert places([(1, 6, "Ada")], [19, 19, 3]) == [(2, 6, "Ada")]


def test_a_name_covers_no_text_and_no_other_name_nor_leaves_the_screen() -> None:
    assert places([(1, 6, "Ada")], [19, 19, 19]) == []
    assert places([(1, 17, "Ada")], [3, 19, 3]) == []
    assert places([(0, 1, "Ada"), (1, 6, "Bob")], [4, 19, 19]) == [(0, 5, "Ada")]


def test_a_label_is_as_wide_as_its_name_is_shown() -> None:
    assert Label(0, "漢字", RED).end == 6
