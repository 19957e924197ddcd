"""Shared types in shared types: nobody may nest them so deep that the engine's stack ends the process."""

from __future__ import annotations

import pytest
from pycrdt import Array, Doc

from partyroom.errors import ProtocolError
from partyroom.protocols.guard import Link, links
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.nesting import FEW, MAX_NESTING, deepest
from partyroom.protocols.replica import Replica, ReplicaBroken
from tests.unit.protocols.mutants import honest


def chain(levels: int, *, start: int = 0, client: int = 7, sidestep: bool = False) -> bytes:
    """An update that nests arrays; with ``sidestep`` each lies beside a letter, so that it names no parent itself."""
    out = Encoder().varuint(1).varuint(levels * (2 if sidestep else 1)).varuint(client).varuint(start)
    clock = start
    for _ in range(levels):
        if sidestep:
            out.data.append(4)
            _place(out, client, clock)
            out.string("x")
            out.data.append(0x87)
            out.varuint(client).varuint(clock)
            clock += 1
        else:
            out.data.append(7)
            _place(out, client, clock)
        out.varuint(0)
        clock += 1
    return bytes(out.varuint(0))


def _place(out: Encoder, client: int, clock: int) -> None:
    if clock == 0:
        out.varuint(1).string("a")
    else:
        out.varuint(0).varuint(client).varuint(clock - 1)


@pytest.mark.parametrize("sidestep", [False, True])
def test_the_depth_is_found_by_parents_and_neighbours(sidestep: bool) -> None:
    assert deepest([], links(chain(1, sidestep=sidestep))) == (0, 0)
    assert deepest([], links(chain(40, sidestep=sidestep))) == (39, 39)


def test_the_depth_of_new_items_counts_what_they_are_put_in() -> None:
    assert deepest(links(chain(40)), links(chain(3, start=40))) == (42, 42)
    assert deepest(links(chain(40)), [Link(8, 0, 1, 7, 9, True)]) == (39, 10)


def test_items_in_a_circle_or_in_nothing_are_no_depth() -> None:
    circle = [Link(1, 0, 1, 2, 0, True), Link(2, 0, 1, 1, 0, True)]
    assert deepest([], circle)[0] <= 2
    assert deepest([], [Link(3, 0, 1, 9, 9, True)]) == (1, 1)


def test_honest_documents_are_shallow() -> None:
    for updates in honest().values():
        for update in updates:
            assert deepest([], links(update))[0] < 5


@pytest.mark.slow
@pytest.mark.parametrize("sidestep", [False, True])
def test_one_update_that_nests_too_deeply_is_refused_before_the_engine_sees_it(sidestep: bool) -> None:
    replica = Replica()
    with pytest.raises(ProtocolError, match="nested") as caught:
        replica.apply(chain(60_000, sidestep=sidestep))
    assert not isinstance(caught.value, ReplicaBroken)
    assert replica.apply(chain(10))


@pytest.mark.parametrize("sidestep", [False, True])
def test_many_small_updates_cannot_nest_too_deeply_either(sidestep: bool) -> None:
    replica = Replica()
    ticks = 400 if sidestep else 200
    updates = [chain(200, start=number * ticks, sidestep=sidestep) for number in range(100)]
    with pytest.raises(ProtocolError, match="nested"):
        replica.load(updates)
    accepted = replica._clocks[7] // ticks
    assert MAX_NESTING // 200 <= accepted <= (FEW + MAX_NESTING) // 200
    with pytest.raises(ProtocolError, match="nested"):
        replica.apply(chain(1, start=accepted * ticks, sidestep=sidestep))


def test_a_wide_document_is_looked_at_now_and_then_and_goes_on() -> None:
    replica = Replica()
    far: Doc[Array] = Doc()  # type: ignore[type-arg]
    root = far.get("a", type=Array)
    with far.transaction():
        root.extend([Array([1]) for _ in range(FEW + 10)])
    assert replica.apply(far.get_update())
    assert not replica._nesting._parents
    root.append(Array([Array([2])]))
    assert replica.apply(far.get_update(replica.state_vector()))
