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

    async def test_one_that_ends_the_process_does_so_after_the_others(self) -> None:
        """Ctrl-C may come in the midst of one, and the loop runs on to say goodbye to everyone."""
        tick, made, stopped = Tick(), list[str](), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: stopped.append(context["exception"]))
        tick.at_end(partial(_raise, Panic()))
        tick.at_end(partial(made.append, "flushed"))
        await settle()
        assert [type(one) for one in stopped] == [Panic]
        tick.at_end(partial(made.append, "again"))
        await settle()
        assert made == ["flushed", "again"]
        assert not tick.ending

    def test_a_tick_goes_on_in_the_next_event_loop(self) -> None:
        tick, made = Tick(), list[str]()

        async def main(name: str) -> None:
            tick.at_end(partial(made.append, name))
            await settle()

        for name in ("first", "second"):
            asyncio.run(main(name))
        assert made == ["first", "second"]

    async def test_what_a_client_causes_is_done_when_it_has_been_dealt_with(self) -> None:
        tick, made = Tick(), list[str]()

        def feed(data: bytes) -> None:
            tick.at_end(partial(made.append, "at the end"))
            tick.after_read(partial(made.append, "after it"))
            made.append(data.decode())

        tick.read(feed, b"read")
        assert made == ["read", "after it"]
        await asyncio.sleep(0)
        assert made == ["read", "after it", "at the end"]

    async def test_and_where_nothing_is_read_at_the_end_of_the_turn(self) -> None:
        tick, made = Tick(), list[str]()
        tick.after_read(partial(made.append, "done"))
        assert made == []
        await asyncio.sleep(0)
        assert made == ["done"]

    async def test_also_when_it_could_not_be_dealt_with(self) -> None:
        tick, made = Tick(), list[str]()

        def feed(data: bytes) -> None:
            tick.after_read(partial(made.append, "done"))
            raise ValueError(data)

        with pytest.raises(ValueError, match="bad"):
            tick.read(feed, b"bad")
        assert made == ["done"]
        assert not tick.ending


class Panic(BaseException):
    """As a library in Rust raises it."""


def _raise(error: BaseException) -> None:
    raise error


class TestLoopClock:
    async def test_a_timer_calls_back_and_may_be_cancelled(self) -> None:
        clock, rung = LoopClock(), asyncio.Event()
        clock.call_later(0, lambda: 1 / 0).cancel()
        clock.call_later(0, rung.set)
        await asyncio.wait_for(rung.wait(), 5)
