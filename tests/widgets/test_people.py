"""People, from what clients show of themselves: whatever they send is fit to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from partyroom_widgets.people import COLORS, clean_color, clean_name, color_for, initials, read

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=10,
)


@given(st.text(), anything)
def test_a_name_is_one_line_without_control(name: str, other: object) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= 40
    assert not {unicodedata.category(one) for one in cleaned} & {"Cc", "Cf", "Zl", "Zp", "Cs"}
    assert clean_name(cleaned) == cleaned
    assert len(initials(cleaned)) <= 2 * 3  # ß and its like grow as capitals
    clean_name(other)


@given(st.dictionaries(st.sampled_from(["user", "widgets", "typing", "cursor"]), anything))
def test_whatever_is_shown_is_somebody_or_nobody(state: dict[str, object]) -> None:
    person = read(7, state)
    if person is not None:
        assert person.name
        assert clean_color(person.color) == person.color
        assert all(isinstance(key, str) for key in (*person.moving, *person.wants))


def test_what_people_show_is_read() -> None:
    state = {
        "user": {"name": " Ada\u202e\nLovelace ", "color": "#C2185B"},
        "widgets": {"id": "me", "moving": ["speed", 3], "wants": "speed"},
        "typing": True,
    }
    person = read(7, state)
    assert person is not None
    assert (person.id, person.name, person.color, person.initials) == ("me", "Ada Lovelace", "#C2185B", "AL")
    assert (person.moving, person.wants, person.typing) == (("speed",), (), True)
    assert read(7, {"cursor": 1}) is None
    nameless = read(7, {"user": {"color": "url(x)"}})
    assert nameless is not None
    assert (nameless.id, nameless.name, nameless.color) == ("7", "Someone", "#6b7280")


@pytest.mark.parametrize("name", ["Ada", "", "grüße 🎉"])
def test_a_name_has_its_colour_and_gives_way_to_others(name: str) -> None:
    mine = color_for(name)
    assert mine == color_for(name)
    assert color_for(name, {mine}) in set(COLORS) - {mine}
    assert color_for(name, COLORS) == mine
