"""Portions: an update in parts comes to the same document as the whole; what lacks something waits for just that."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from pycrdt import Doc

from partyroom.protocols.content import read
from partyroom.protocols.guard import check, state_vector
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.portions import Portions
from partyroom.protocols.structs import COLLECTED, read_structs
from tests.unit.protocols.mutants import honest

HONEST = {name: updates for name, updates in honest().items() if not name.startswith("two people")}
"""Without two people who cut emoji in half, which is nothing for the engine alone: see ``test_replica``."""
LACKING = {"merged with gaps (Skip structs)", "a state with pending structs"}


class Taker:
    """A document that takes portions, and notes how many structs or deletions each had."""

    def __init__(self, most: int) -> None:
        self.doc: Doc[Any] = Doc()
        self.clocks: dict[int, int] = {}
        self.sizes: list[int] = []
        self._most = most
        self._waiting: list[Portions] = []

    def take(self, *updates: bytes) -> None:
        portions = Portions(*((update, check(update)) for update in updates))
        self._waiting.append(portions)
        moved = self._drain(portions)
        while moved:
            woken = [one for one in self._waiting if one.wakes(moved, self.clocks)]
            moved = {client for one in woken for client in self._drain(one)}
        self._waiting = [one for one in self._waiting if not one.done]

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def _drain(self, portions: Portions) -> set[int]:
        moved = set()
        while (portion := portions.take(self.clocks, self._most)) is not None:
            summary = check(portion.update)
            collected = sum(
                struct.kind == COLLECTED for of in read_structs(portion.update)[0].values() for struct in of
            )
            assert portion.size == (summary.structs - collected or len(summary.marks) // 2) <= self._most
            self.doc.apply_update(portion.update)
            self.sizes.append(portion.size)
            self.clocks.update(portion.ends)
            moved |= set(portion.ends)
            assert self.clocks == known(self.doc)  # the engine has kept nothing for later
        return moved


def known(doc: Doc[Any]) -> dict[int, int]:
    return {client: clock for client, clock in state_vector(doc.get_state()).items() if clock}


def straight(updates: Iterable[bytes]) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def content(doc: Doc[Any]) -> Any:
    return read(doc.get_update()).json()


@pytest.mark.parametrize("most", [1, 2, 7, 1000])
@pytest.mark.parametrize("scene", HONEST)
def test_portions_of_any_size_come_to_the_same_document(scene: str, most: int) -> None:
    whole = straight(HONEST[scene])
    once, again = Taker(most), Taker(most)
    once.take(whole.get_update())
    for update in HONEST[scene]:
        again.take(update)
    for taker in once, again:
        assert taker.waits == (taker is again and scene in LACKING)
        assert known(taker.doc) == known(whole)
        assert content(taker.doc) == content(whole)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scene", ["typing", "rich text", "maps and arrays", "xml"])
def test_updates_in_any_order_and_more_than_once_come_to_the_same(scene: str, seed: int) -> None:
    dice = Random(seed)
    updates = HONEST[scene] * 2
    dice.shuffle(updates)
    taker, whole = Taker(dice.choice([1, 3, 100])), straight(HONEST[scene])
    for update in updates:
        taker.take(update)
    assert not taker.waits
    assert content(taker.doc) == content(whole)


def test_several_updates_are_taken_as_one_of_which_each_builds_on_those_before_it() -> None:
    taker, whole = Taker(5), straight(HONEST["rich text"])
    half = len(HONEST["rich text"]) // 2
    first, rest = straight(HONEST["rich text"][:half]), HONEST["rich text"][half:]
    taker.take(first.get_update(), *rest)
    assert not taker.waits
    assert content(taker.doc) == content(whole)


def chain(client: int, clock: int, after: tuple[int, int] | None, count: int = 1, *, root: bool = False) -> bytes:
    """Letters of a client, each after the one before and the first after something else."""
    out = Encoder().varuint(1).varuint(count).varuint(client).varuint(clock)
    for number in range(count):
        if number == 0 and root:
            out.data.append(4)
            out.varuint(1).string("t")
        else:
            out.data.append(0x84)
            who, when = after if number == 0 and after is not None else (client, clock + number - 1)
            out.varuint(who).varuint(when)
        out.string("x")
    return bytes(out.varuint(0))


def test_what_lacks_something_is_looked_at_again_only_when_that_is_there() -> None:
    update = chain(9, 0, after=(5, 3), count=4)
    portions = Portions((update, check(update)))
    assert portions.take({}, 100) is None
    assert not portions.wakes([5], {5: 3})
    assert not portions.wakes([6], {6: 100})
    assert portions.wakes([5], {5: 4})
    taken = portions.take({5: 4}, 100)
    assert taken is not None
    assert (taken.size, taken.ends, portions.done) == (4, {9: 4}, True)


def test_what_is_known_already_is_passed_over() -> None:
    taker = Taker(100)
    taker.take(chain(5, 0, None, 10, root=True))
    taker.take(chain(5, 8, None, 4))
    assert taker.clocks == {5: 12}
    taker.take(chain(5, 2, None, 4))
    assert taker.sizes == [10, 2]


def test_a_deletion_of_what_is_partly_known_is_taken_as_far_as_that() -> None:
    deletion = bytes(Encoder().varuint(0).varuint(1).varuint(5).varuint(1).varuint(2).varuint(6))
    portions = Portions((deletion, check(deletion)))
    first = portions.take({5: 4}, 100)
    assert first is not None
    assert check(first.update).marks == [(5, 2), (5, 4)]
    assert not portions.done
    assert not portions.wakes([5], {5: 4})
    assert portions.wakes([5], {5: 20})
    rest = portions.take({5: 20}, 100)
    assert rest is not None
    assert check(rest.update).marks == [(5, 4), (5, 8)]
    assert portions.done


@pytest.mark.slow
def test_twenty_thousand_clients_that_wait_for_one_another_are_taken_in_time() -> None:
    """Each client's only letter stands after one of client 1's, which are in the same update and come last."""
    out = Encoder().varuint(20_001)
    for client in range(20_001, 1, -1):
        out.varuint(1).varuint(client).varuint(0)
        out.data.append(0x84)
        out.varuint(1).varuint(client - 2).string("x")
    out.varuint(20_000).varuint(1).varuint(0)
    out.data.append(4)
    out.varuint(1).string("t").string("y")
    for clock in range(19_999):
        out.data.append(0x84)
        out.varuint(1).varuint(clock).string("y")
    update = bytes(out.varuint(0))
    portions = Portions((update, check(update)))
    clocks: dict[int, int] = {}
    taken = 0
    while (portion := portions.take(clocks, 1000)) is not None:
        clocks.update(portion.ends)
        taken += portion.size
    assert portions.done
    assert taken == 40_000
