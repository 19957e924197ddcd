"""A tick makes its calls once, in order, when the turn of the event loop ends."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest

from partyroom.clock import LoopClock, Tick
from partyroom.testing import settle


class TestTick:
    async def test_calls_are_made_in_order_when_the_turn_ends(self) -> None:
        tick, made = Tick(), list[str]()
        for name in ("a", "b", "c"):
            tick.at_end(partial(made.append, name))
        assert made == []
        await asyncio.sleep(0)
        assert made == ["a", "b", "c"]

    async def test_a_call_that_asks_for_another_has_it_made_in_the_same_turn(self) -> None:
        tick, made = Tick(), list[str]()

        def first() -> None:
            made.append("first")
            tick.at_end(partial(made.append, "second"))

        tick.at_end(first)
        await asyncio.sleep(0)
        assert made == ["first", "second"]

    async def test_a_call_that_fails_costs_none_of_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        """A socket whose flush is skipped would never be flushed again."""
        tick, made = Tick(), list[str]()
        tick.at_end(lambda: 1 / 0)
        tick.at_end(partial(made.append, "flushed"))
        with caplog.at_level(logging.ERROR):
            await settle()
        tick.at_end(partial(made.append, "again"))
        await settle()
        assert made == ["flushed", "again"]
        assert len(caplog.records) == 1


class TestLoopClock:
    async def test_a_timer_calls_back_and_may_be_cancelled(self) -> None:
        clock, rung = LoopClock(), asyncio.Event()
        clock.call_later(0, lambda: 1 / 0).cancel()
        clock.call_later(0, rung.set)
        await asyncio.wait_for(rung.wait(), 5)
