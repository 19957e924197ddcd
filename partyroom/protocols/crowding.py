"""Crowding: how long the engine may need at most to read a state, beyond the time that its length takes.

An item goes between its two origins: its neighbours when it was written. Where others have written there meanwhile, the
engine walks over theirs from the left origin on, past what has the same left origin and what was written behind that
(``integrate`` of Yjs and of yrs). So what many wrote in one place at one time takes its number squared.

But a left origin is *quiet* if the items behind it wait for each other: the first has some right origin, and each of
the others has the one before it. It finds that right behind the left origin, or something at which the walk ends at
once. That is how a place looks where people write in turns, for whoever knew what is there put theirs before it. Items
without a left origin begin the list that they are in; there it is the same. (Of a key's values only one may: the engine
walks over all of them to find the first.)

The rest is *loose*, and each of it may take a walk over all there is: items behind what is not quiet; what cuts a
struct in half, for all that follows is moved then; and *seams*, structs with nothing between them, which become one
once they have been read, and all their characters are counted anew. Where an item refers to what is in no list, all are
loose: who knows where they go.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from .places import Place, Places

__all__ = ["Crowding", "crowding"]

TICKS: Final = 64
"""So many characters are counted, or clients passed over, in the time of a step from item to item."""


class Crowding(NamedTuple):
    """A state comes to at most so many ``items``, and takes the engine at most so many ``steps`` between them."""

    items: int
    steps: int


def crowding(state: bytes) -> Crowding:
    """How crowded a state is that the engine has written. Raises ``ProtocolError`` where ``guard.check`` would."""
    places = Places(state)
    starts = set(places.starts)
    hidden = _outside(starts, places.behind)
    cuts = hidden + _outside(starts, places.rights.values()) + _outside(starts, places.edges)
    items = len(places.starts) - places.clients + cuts
    loose = items if _is_odd(places, starts) else cuts + hidden + _walking(places) + _seams(places)
    return Crowding(items, loose * (items + places.ticks // TICKS) + places.clients**2 // TICKS)


def _outside(starts: set[int], places: Collection[int]) -> int:
    """How many places are within structs."""
    return 0 if starts.issuperset(places) else len(set(places) - starts)


def _is_odd(places: Places, starts: set[int]) -> bool:
    """Whether items refer to what is in no list, or structs hold nothing."""
    return (
        len(starts) < len(places.starts)
        or not places.behind.keys().isdisjoint(places.gone)
        or any(isinstance(parent, int) and parent not in places.types for parent, _ in places.heads.values())
    )


def _walking(places: Places) -> int:
    """How many items are behind, or begin, what is not quiet, each with one more for the place itself."""
    walking = sum(len(crowd) + 1 for crowd in places.crowds.values() if not _quiet(places, crowd))
    for place, crowd in _beginnings(places).items():
        if place is None or (len(crowd) > 1 and (place[1] or not _quiet(places, crowd))):
            walking += len(crowd) + 1
    return walking


def _quiet(places: Places, crowd: list[int]) -> bool:
    """Whether each of these items waits for another one, and the first for none."""
    rights = {places.rights.get(item) for item in crowd}
    return len(rights) == len(crowd) and len(rights.difference(crowd)) == 1


def _beginnings(places: Places) -> dict[Place | None, list[int]]:
    """The items without a left origin by their places, which the engine takes from the right one."""
    known: dict[int, Place | None] = {**places.heads}
    for item in places.fronts:
        path = []
        while item in places.fronts and item not in known:
            known[item] = None
            path.append(item)
            item = places.rights[item]
        known.update(dict.fromkeys(path, known.get(item)))
    crowds: dict[Place | None, list[int]] = {}
    for item, place in known.items():
        crowds.setdefault(place, []).append(item)
    return crowds


def _seams(places: Places) -> int:
    """How many structs follow the one before, and nobody who knew both has written between them."""
    return sum(all(places.rights.get(item) != seam for item in places.crowds.get(seam, ())) for seam in places.seams)
