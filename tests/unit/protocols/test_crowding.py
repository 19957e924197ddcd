"""Crowding: no state takes more steps than it says, and none where people wrote in turns."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from partyroom.errors import ProtocolError
from partyroom.protocols import guard
from partyroom.protocols.crowding import crowding
from partyroom.protocols.engine import AT_ONCE, Engine, exhausted
from partyroom.protocols.replica import Replica
from tests.unit.client.test_mirror import Client
from tests.unit.protocols.crowds import CALM, CROWDED, Walk, strange
from tests.unit.protocols.test_engine import prepended
from tests.unit.protocols.test_portions import HONEST


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Walk:
    return Walk(monkeypatch)


def written(*updates: bytes) -> bytes:
    """What the engine makes of updates."""
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc.get_update()


def together(seed: int) -> bytes:
    """What a few people come to who write at the same time, and hear of each other now and then."""
    dice = Random(seed)
    clients = [Client(dice) for _ in range(dice.randrange(2, 5))]
    often = dice.choice([0.1, 0.5, 1])
    for _ in range(dice.randrange(5, 40)):
        for client in clients:
            client.edit()
        if dice.random() < often:
            one, other = dice.sample(clients, 2)
            other.doc.apply_update(one.doc.get_update(other.doc.get_state()))
    for client in clients:
        client.close()
    return written(*(client.doc.get_update() for client in clients))


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_people_who_write_at_the_same_time_take_no_more_steps_than_it_says(first: int, walk: Walk) -> None:
    walked = 0
    for seed in range(first, first + 10):
        state = together(seed)
        past = walk.past(state)
        assert past <= crowding(state).steps
        walked += past
    assert walked


@pytest.mark.parametrize("scene", HONEST)
def test_what_yjs_writes_takes_no_more_steps_than_it_says(scene: str, walk: Walk) -> None:
    state = written(*HONEST[scene])
    assert walk.past(state) <= crowding(state).steps


@pytest.mark.parametrize("seeds", [range(400), pytest.param(range(400, 2_000), marks=pytest.mark.slow)], ids=len)
def test_strangers_take_no_more_steps_than_it_says(seeds: range, walk: Walk) -> None:
    calm = crowded = 0
    for seed in seeds:
        state = written(strange(seed))
        past, (items, steps) = walk.past(state), crowding(state)
        assert past <= steps
        assert guard.check(state).structs <= items
        calm += steps == 0
        crowded += past > 0
    assert calm > len(seeds) / 25
    assert crowded > len(seeds) / 4


def test_people_who_write_in_turns_take_no_steps(walk: Walk) -> None:
    dice = Random(1)
    docs: list[Doc[Any]] = [Doc(client_id=dice.randrange(2**32)) for _ in range(8)]
    docs[0].get("t", type=Text).insert(0, "A place of one's own. " * len(docs))
    for turn in range(1200):
        doc = docs[turn % len(docs)]
        doc.apply_update(docs[turn % len(docs) - 1].get_update(doc.get_state()))
        text, values, keys = doc.get("t", type=Text), doc.get("a", type=Array), doc.get("m", type=Map)
        at = dice.randrange(len(text))
        if dice.random() < 0.4:
            del text[at : at + 1]
        else:
            text.insert(at, dice.choice("abc"))
        values.insert(dice.choice([0, len(values)]), turn)
        keys[dice.choice("xyz")] = turn
    state = docs[1199 % len(docs)].get_update()
    assert guard.check(state).structs > 3_000
    assert walk.past(state) == 0
    assert crowding(state).steps <= len(docs)


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes the engine was given at a time."""
    applied: list[int] = []
    apply = Engine.apply

    def noted(self: Engine, update: bytes, **how: bool) -> bool:
        applied.append(len(update))
        return apply(self, update, **how)

    monkeypatch.setattr(Engine, "apply", noted)
    return applied


@pytest.mark.parametrize("name", CALM)
def test_what_is_calm_is_read_at_once(name: str, applied: list[int]) -> None:
    state = written(CALM[name](4_000))
    engine = Engine()
    engine.items = len(state)
    copy = exhausted(engine.built(state, own=True))
    assert applied == [len(state)]
    assert copy.items >= guard.check(copy.doc.get_update()).structs
    assert crowding(copy.doc.get_update()) == crowding(state)


@pytest.mark.parametrize("name", CROWDED)
def test_what_is_crowded_is_not(name: str) -> None:
    state = CROWDED[name](6_000)
    guard.check(state)
    assert crowding(state).steps > AT_ONCE


def test_two_who_prepended_offline_are_read_in_portions(applied: list[int]) -> None:
    replica = Replica()
    for update in (prepended(1, 3_000, "a"), prepended(2, 3_000, "b")):
        replica.apply(update)
    applied.clear()
    snapshot = replica.compact()
    assert snapshot == replica.snapshot()
    assert len(applied) > 5
    assert max(applied) < len(snapshot) / 4


def test_what_the_guard_refuses_is_refused() -> None:
    with pytest.raises(ProtocolError, match="no struct has the number 2"):
        crowding(b"\x01\x01\x01\x00\x02\x01\x01t\x01\x011\x00")
