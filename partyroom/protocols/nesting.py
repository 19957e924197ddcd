"""Nesting: how deep the shared types of a document lie in each other, which the bytes tell only in part.

The engine recurses over them, when it deletes one for instance, and from some 30,000 levels on (with the usual stack
of 8 MiB) that ends the process. Nobody nests types so deep in earnest, and one level takes a client ten bytes.

Only the first item in a type names its parent, and the others a neighbour; so an item's depth is found by following
neighbours and parents through the whole document. That is too slow for every edit, and not needed: each level has a
parent of its own. It is done each time that ``FEW`` more types have become parents.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from ..errors import CloseCode, ProtocolError
from .engine import Steps, elsewhere
from .guard import Link, Summary, links

__all__ = ["FEW", "MAX_NESTING", "Nesting", "deepest"]

MAX_NESTING: Final = 1_000
"""How deep shared types may lie in each other."""

FEW: Final = 5_000
"""How many more types may become parents before the depth is looked at again: a depth that is safe."""

_UNDER_WAY: Final = -1


class Nesting:
    """Watches how deep the types of one document nest."""

    def __init__(self) -> None:
        self._parents: set[tuple[int, int]] = set()

    def take(self, update: bytes, summary: Summary, states: Callable[[], list[bytes]]) -> Steps[None]:
        """Before an update comes to what ``states`` gives; raises ``ProtocolError`` where it nests too deep."""
        self._parents.update(summary.parents)
        if len(self._parents) <= FEW:
            return
        whole = states()
        depth, new = yield from elsewhere(sum(map(len, whole)), lambda: _depths(whole, update))
        if new > MAX_NESTING:
            reason = f"this update cannot be applied: shared types nested more than {MAX_NESTING} deep"
            raise ProtocolError(reason, CloseCode.POLICY_VIOLATION)
        if depth <= MAX_NESTING:
            self._parents.clear()


def _depths(states: list[bytes], update: bytes) -> tuple[int, int]:
    return deepest([link for state in states for link in links(state)], links(update))


def deepest(links: list[Link], new: list[Link]) -> tuple[int, int]:
    """The depth of the deepest item in a document and ``new`` items together, and of the deepest new one.

    A reference to what is not among them, or in a circle, counts as a root: such items are not in the document.
    """
    everything = sorted([*links, *new])
    places: dict[int, tuple[list[int], int]] = {}
    for at, link in enumerate(everything):
        places.setdefault(link.client, ([], at))[0].append(link.clock)
    depths: list[int | None] = [None] * len(everything)
    for at in range(len(everything)):
        path = [] if depths[at] is not None else [at]
        while path:
            here = path[-1]
            link = everything[here]
            there = _find(everything, places, link.who, link.when)
            below = 0 if there is None else depths[there]
            if below is None:
                depths[here] = _UNDER_WAY
                path.append(there)  # type: ignore[arg-type]  # below is None only where there is something
                continue
            depths[here] = max(below, 0) + (link.inside and link.who >= 0)
            path.pop()
    known = dict(zip(everything, depths, strict=True))
    of_new = [known[link] or 0 for link in new]
    return max((depth or 0 for depth in depths), default=0), max(of_new, default=0)


def _find(everything: list[Link], places: dict[int, tuple[list[int], int]], client: int, clock: int) -> int | None:
    """Which item holds a clock of a client."""
    place = places.get(client)
    if place is None:
        return None
    clocks, first = place
    at = first + bisect_right(clocks, clock) - 1
    if at < first or clock >= everything[at].clock + everything[at].length:
        return None
    return at
