"""A tick makes its calls once, in order, when the turn of the event loop ends."""

from __future__ import annotations

import asyncio

from partyroom.clock import LoopClock, Tick
from partyroom.testing import settle


class TestTick:
    async def test_calls_are_made_in_order_when_the_turn_ends(self) -> None:
        tick, made = Tick(), []
        for number in range(3):
            tick.at_end(lambda number=number: made.append(number))
        assert made == []
        await asyncio.sleep(0)
        assert made == [0, 1, 2]

    async def test_a_call_that_asks_for_another_has_it_made_in_the_same_turn(self) -> None:
        tick, made = Tick(), []
        tick.at_end(lambda: (made.append("first"), tick.at_end(lambda: made.append("second"))))
        await asyncio.sleep(0)
        assert made == ["first", "second"]

    async def test_a_call_that_fails_costs_none_of_the_others(self) -> None:
        """A socket whose flush is skipped would never be flushed again."""
        tick, made, logged = Tick(), [], []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context))
        tick.at_end(lambda: made.append(1 / 0))
        tick.at_end(lambda: made.append("flushed"))
        await settle()
        tick.at_end(lambda: made.append("again"))
        await settle()
        assert made == ["flushed", "again"]


class TestLoopClock:
    async def test_a_timer_calls_back_and_may_be_cancelled(self) -> None:
        clock, rung = LoopClock(), asyncio.Event()
        clock.call_later(0, lambda: 1 / 0).cancel()
        clock.call_later(0, rung.set)
        await asyncio.wait_for(rung.wait(), 5)
