"""Ranges: sets of ticks, against Python's own sets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest

from partyroom.protocols import ranges
from partyroom.protocols.ranges import Ticks
from partyroom.protocols.structs import Id, read_structs


def ticks(ids: Iterable[Id]) -> Ticks:
    each: Ticks = {}
    for client, clock in ids:
        each.setdefault(client, []).append((clock, clock + 1))
    return ranges.union(each)


def ids(of: Ticks) -> set[Id]:
    return {(client, clock) for client, spans in of.items() for start, end in spans for clock in range(start, end)}


def some(random: Random) -> set[Id]:
    return {(random.randrange(3), random.randrange(12)) for _ in range(random.randrange(20))}


@pytest.mark.parametrize("seed", range(200))
def test_sets_of_ticks_behave_as_sets(seed: int) -> None:
    random = Random(seed)
    mine, others = some(random), some(random)
    a, b = ticks(mine), ticks(others)
    assert ids(a) == mine
    assert ids(ranges.without(a, b)) == mine - others
    assert ids(ranges.common(a, b)) == mine & others
    assert ids(ranges.union(a, b)) == mine | others
    assert ranges.decode(ranges.encode(a)) == a
    assert all(
        ranges.holds(a, (client, clock)) == ((client, clock) in mine) for client in range(3) for clock in range(12)
    )
    ranges.add(a, b)
    assert {client: spans for client, spans in a.items() if spans} == ranges.union(ticks(mine), ticks(others))


@pytest.mark.parametrize("seed", range(50))
def test_pieces_cover_a_stretch_and_say_what_is_in_the_set(seed: int) -> None:
    mine = some(Random(seed))
    found = ranges.pieces(ticks(mine), 1, 2, 9)
    assert (found[0][0], found[-1][1]) == (2, 9)
    assert all(before[1] == after[0] for before, after in pairwise(found))
    inside = {clock for start, end, here in found if here for clock in range(start, end)}
    assert inside == {clock for client, clock in mine if client == 1 and 2 <= clock < 9}


def test_a_set_is_written_as_yjs_writes_a_delete_set() -> None:
    deleted: Ticks = {7: [(3, 5), (9, 10)], 300: [(0, 2)]}
    _, read = read_structs(b"\x00" + ranges.encode(deleted))
    assert read == deleted
    assert ranges.encode({}) == b"\x00"
