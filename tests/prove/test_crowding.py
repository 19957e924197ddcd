"""What is read in one go takes the engine no longer than its length allows, whoever wrote it."""

from __future__ import annotations

from random import Random
from time import thread_time
from typing import Any

import pytest
from pycrdt import Doc

from partyroom.protocols.crowding import crowding
from partyroom.protocols.engine import READ_AT_ONCE, READ_WHOLE
from tests.unit.protocols.crowds import CALM, CROWDED, Walk, strange
from tests.unit.protocols.test_crowding import together, written

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]

SIZES = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
HONEST = "two who write in turns"


def seconds(state: bytes) -> float:
    """The processor time that the engine takes for each item of a state."""
    least = 1e9
    for _ in range(3):
        doc: Doc[Any] = Doc()
        before = thread_time()
        doc.apply_update(state)
        least = min(least, thread_time() - before)
    return least / crowding(state).items


@pytest.mark.parametrize("name", CALM | CROWDED)
def test_what_is_read_at_once_takes_at_most_fifty_times_what_an_honest_state_takes(name: str) -> None:
    honest = seconds(CALM[HONEST](8_000))
    for size in SIZES:
        crafted = (CALM | CROWDED)[name](size)
        for state in (crafted, written(crafted)):
            if len(state) <= READ_WHOLE and crowding(state).steps <= READ_AT_ONCE and crowding(state).items > 100:
                assert seconds(state) < 50 * honest


def test_many_take_no_more_steps_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, dice = Walk(monkeypatch), Random(2)
    for _ in range(30_000):
        state = written(strange(dice.randrange(2**40)))
        assert walk.past(state) <= crowding(state).steps
    for _ in range(2_000):
        state = together(dice.randrange(2**40))
        assert walk.past(state) <= crowding(state).steps
