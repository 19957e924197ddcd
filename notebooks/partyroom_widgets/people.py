"""People: who is in a room, as clients show it. Strangers wrote that, so it is made fit to show."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["COLORS", "FIELD", "Person", "clean_color", "clean_name", "color_for", "initials", "read"]

COLORS: Final = (
    "#d6336c", "#c2410c", "#a16207", "#15803d", "#0f766e", "#0369a1", "#4f46e5", "#7c3aed", "#a21caf",
)  # fmt: skip
"""What people are painted in, on the home page too: white text on each has a contrast of at least 4.5 : 1."""

FIELD: Final = "widgets"
"""The field of presence in which notebooks say who they are and what they are moving."""

LONGEST_NAME: Final = 40
NOBODYS_COLOR: Final = "#6b7280"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_UNSHOWN: Final = {"Cc", "Cf", "Zl", "Zp", "Cs"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the room: in a notebook, on a web page, in a terminal or a program that shows a user."""

    id: str
    """Who this is in this room, for as long as they stay: not a name, of which there may be two."""
    client: int = field(compare=False)
    """The id of their client among those present."""
    name: str
    color: str
    """As ``#rrggbb``."""
    me: bool = False
    typing: bool = False
    moving: tuple[str, ...] = ()
    """The keys of the shared widgets that they are moving now."""
    wants: tuple[str, ...] = ()
    """The keys of the shared widgets that they would like to drive."""
    shows: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """All that they show, unchecked."""

    @property
    def initials(self) -> str:
        """One or two letters that stand for the name."""
        return initials(self.name)


def read(client: int, state: Mapping[str, Any], *, me: bool = False) -> Person | None:
    """The person that a client shows; ``None`` for a client that shows no user (a program that only listens)."""
    user = state.get("user")
    if not isinstance(user, Mapping):
        return None
    ours = state.get(FIELD)
    ours = ours if isinstance(ours, Mapping) else {}
    claimed = ours.get("id")
    return Person(
        id=claimed[:64] if isinstance(claimed, str) and claimed else str(client),
        client=client,
        name=clean_name(user.get("name")) or "Someone",
        color=clean_color(user.get("color")),
        me=me,
        typing=bool(state.get("typing")),
        moving=_keys(ours.get("moving")),
        wants=_keys(ours.get("wants")),
        shows=state,
    )


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def clean_name(name: object) -> str:
    """A name made fit to show: one line, no characters that control or turn text around, at most 40 of them."""
    if not isinstance(name, str):
        return ""
    plain = "".join(" " if unicodedata.category(one) in _UNSHOWN else one for one in name[: 10 * LONGEST_NAME])
    return " ".join(plain.split())[:LONGEST_NAME].rstrip()


def clean_color(color: object) -> str:
    """A colour that is nothing but one, as ``#rrggbb``; grey for what is none."""
    return color if isinstance(color, str) and _COLOR.fullmatch(color) else NOBODYS_COLOR


def color_for(name: str, taken: Collection[str] = ()) -> str:
    """The colour that a name always has, or where somebody else has it already, the next that is free."""
    first = zlib.crc32(name.encode("utf-8", "replace")) % len(COLORS)
    wheel = COLORS[first:] + COLORS[:first]
    return next((color for color in wheel if color not in taken), wheel[0])


def initials(name: str) -> str:
    """One or two letters that stand for a name."""
    words = [word for word in name.split() if word[0].isalnum()] or name.split()
    ends: Iterable[str] = words[:1] + words[1:][-1:]
    return "".join(word[0] for word in ends).upper()
