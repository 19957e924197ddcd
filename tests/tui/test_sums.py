"""Sums give what a plain list gives, whatever was put in and taken out."""

from __future__ import annotations

from random import Random

import pytest
from partyroom_tui.sums import BLOCK, Sums


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_those_of_a_list_after_any_splices(seed: int) -> None:
    random = Random(seed)
    plain = [random.randrange(1, 5) for _ in range(random.choice((1, 3, BLOCK, 5 * BLOCK)))]
    sums = Sums(plain)
    for _ in range(60):
        start = random.randint(0, len(plain))
        stop = min(len(plain), start + random.choice((0, 1, 2, 700)))
        new = [random.randrange(1, 5) for _ in range(random.choice((0, 1, 2, 700)))]
        if len(plain) - (stop - start) + len(new) == 0:
            new = [1]
        plain[start:stop] = new
        sums.splice(start, stop, new)
        assert (len(sums), sums.total) == (len(plain), sum(plain))
        for index in {0, len(plain), *(random.randint(0, len(plain)) for _ in range(9))}:
            assert sums.before(index) == sum(plain[:index])
        for amount in {0, sums.total - 1, *(random.randrange(sums.total) for _ in range(9))}:
            at, left = sums.find(amount)
            assert sum(plain[:at]) + left == amount
            assert 0 <= left < plain[at]


def test_what_is_beyond_the_total_is_in_the_last_number() -> None:
    sums = Sums([2, 3, 0])
    assert sums.find(4) == (1, 2)
    assert sums.find(5) == (2, 0)
    assert sums.find(7) == (2, 2)


def test_nothing_sums_to_nothing() -> None:
    assert (len(Sums()), Sums().total, Sums().before(0)) == (0, 0, 0)
