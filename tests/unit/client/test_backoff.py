"""Waits grow as documented, are left to chance as documented, and spread a crowd."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.client.backoff import Backoff


def test_the_ceiling_grows_from_the_initial_wait_to_the_maximum() -> None:
    backoff = Backoff(initial=1, maximum=10, growth=2)
    assert [backoff.ceiling(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_the_defaults_are_the_documented_ones() -> None:
    shortest, longest = Backoff(random=lambda: 0.999999), Backoff(random=lambda: 0.0)
    bounds = [(round(shortest.delay(n), 2), round(longest.delay(n), 2)) for n in (1, 2, 8, 100)]
    assert bounds == [(0.2, 2.0), (0.3, 3.0), (3.0, 30.0), (3.0, 30.0)]


@given(attempt=st.integers(1, 1_000_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_the_documented_formula_however_often_it_was_tried(attempt: int, chance: float) -> None:
    backoff = Backoff(initial=0.5, maximum=20, growth=1.7, jitter=0.8, random=lambda: chance)
    assert backoff.delay(attempt) == backoff.ceiling(attempt) * (1 - 0.8 * chance)
    assert 0.1 * (1 - 1e-9) <= backoff.delay(attempt) <= 20


def test_without_jitter_a_wait_is_its_ceiling() -> None:
    assert Backoff(initial=3, jitter=0).delay(1) == 3


def test_a_seed_gives_the_same_waits_again() -> None:
    one, other = Backoff(random=Random(7).random), Backoff(random=Random(7).random)
    assert [one.delay(n) for n in range(1, 20)] == [other.delay(n) for n in range(1, 20)]


def test_a_thousand_clients_that_lose_a_server_together_come_back_spread_out() -> None:
    """The first waits lie between 0.2 s and 2 s: some 56 of 1,000 come in each tenth of a second of it."""
    chance = Random(4)
    tenths = Counter(int(Backoff(random=chance.random).delay(1) * 10) for _ in range(1_000))
    assert set(tenths) == set(range(2, 20))
    assert max(tenths.values()) <= 85, sorted(tenths.items())
    assert min(tenths.values()) >= 30, sorted(tenths.items())


@pytest.mark.parametrize(
    "wrong",
    [{"initial": 0}, {"initial": 60}, {"growth": 0.5}, {"jitter": 1.5}, {"jitter": -0.1}, {"min_uptime": -1}],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"initial|growth|jitter|min_uptime"):
        Backoff(**wrong)  # type: ignore[arg-type]
