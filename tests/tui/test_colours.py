"""Colours and names of strangers: whatever they show, it is readable, and nothing else."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest
from partyroom_tui.colours import ANONYMOUS, CONTRAST, PALETTE, colour_of, contrast, ink, name_of, readable, user
from textual.color import Color

BACKGROUNDS = ["#000000", "#1e1e1e", "#272822", "#f0f0f0", "#ffffff", "#808080", "#fdf6e3"]


@pytest.mark.parametrize(
    ("colour", "background"), list(product([*PALETTE, "#000000", "#ffffff", "#808080", "#30bced"], BACKGROUNDS))
)
def test_every_colour_stands_out_from_every_background_and_its_name_from_it(colour: str, background: str) -> None:
    shown = readable(Color.parse(colour), Color.parse(background))
    assert contrast(shown, Color.parse(background)) >= CONTRAST
    assert contrast(ink(shown), shown) >= 4.5


def test_the_palette_can_be_told_apart_by_lightness_too() -> None:
    """Of any two, the one is brighter or the hue is another; no two are the same grey and the same hue."""
    for one, other in combinations(map(Color.parse, PALETTE), 2):
        hues = abs(one.hsl.h - other.hsl.h)
        assert abs(one.brightness - other.brightness) > 0.04 or min(hues, 1 - hues) > 0.1


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ({"name": "Ada"}, "Ada"),
        ({"name": " Ada\n\x1b[31mLovelace "}, "Ada [31mLovelace"),
        ({"name": ""}, ANONYMOUS),
        ({"name": 7}, ANONYMOUS),
        ({}, ANONYMOUS),
        ("nobody", ANONYMOUS),
        ({"name": "x" * 1000}, "x" * 19 + "…"),
        ({"name": "漢" * 30}, "漢" * 9 + "…"),
    ],
)
def test_names_are_one_short_line_without_control_characters(shown: Any, name: str) -> None:
    assert name_of({"user": shown}) == name


@pytest.mark.parametrize("color", ["#d6336c", "#D6336CFF", "rgb(1,2,3)", "hsl(10,20%,30%)"])
def test_colours_are_taken_as_browsers_write_them(color: str) -> None:
    assert colour_of({"user": {"color": color}}, 1) == Color.parse(color).with_alpha(1.0)


@pytest.mark.parametrize("color", ["", "no colour", "ansi_red", "#12", None, 5, "x" * 10_000, "transparent"])
def test_who_shows_no_colour_has_one_of_the_palette(color: Any) -> None:
    assert colour_of({"user": {"color": color}}, 9) == Color.parse(PALETTE[9 % len(PALETTE)])


def test_a_name_always_has_the_same_colour_and_browsers_can_read_it() -> None:
    assert user("Ada") == user("Ada")
    assert user("Ada", "#123456") == {"name": "Ada", "color": "#123456", "colorLight": "#12345633"}
