"""Waiting for a change, for time to pass, and not for too long."""

from __future__ import annotations

import asyncio

import pytest

from partyroom.client.waiting import Changes, deadline, sleep
from partyroom.testing import ManualClock, settle


async def test_whoever_waits_goes_on_when_it_is_as_wanted() -> None:
    changed, value = Changes(), [0]
    waiting = asyncio.create_task(changed.until(lambda: value[0] == 2))
    for value[0] in (1, 2):
        assert not waiting.done()
        changed()
        await settle()
    await waiting


async def test_what_is_so_already_is_not_waited_for() -> None:
    await Changes().until(lambda: True)


async def test_one_that_stops_waiting_does_not_hold_the_others_up() -> None:
    changed, go = Changes(), [False]
    first, second = (asyncio.create_task(changed.until(lambda: go[0])) for _ in range(2))
    await settle()
    first.cancel()
    go[0] = True
    changed()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_sleep_is_as_long_as_the_clock_says() -> None:
    clock = ManualClock()
    sleeping = asyncio.create_task(sleep(clock, 10))
    await clock.advance(9.9)
    assert not sleeping.done()
    await clock.advance(0.1)
    await sleeping


async def test_a_block_that_takes_too_long_is_cut() -> None:
    clock = ManualClock()

    async def block() -> None:
        async with deadline(clock, 10):
            await asyncio.get_running_loop().create_future()

    running = asyncio.create_task(block())
    await clock.advance(9.9)
    assert not running.done()
    await clock.advance(0.1)
    with pytest.raises(TimeoutError):
        await running


async def test_no_time_at_all_is_what_can_be_done_without_waiting() -> None:
    with pytest.raises(TimeoutError):
        async with deadline(ManualClock(), 0):
            await asyncio.get_running_loop().create_future()
    async with deadline(ManualClock(), 0):
        pass


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    clock = ManualClock()
    async with deadline(clock, 10):
        pass
    await clock.advance(20)
