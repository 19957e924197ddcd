"""One alarm a room: never early, at least once, tried again when its handler fails."""

from __future__ import annotations

import asyncio
import logging

import pytest

from partyroom import alarms as module
from partyroom.alarms import Alarms
from partyroom.http import Address
from partyroom.stores.base import Batch
from partyroom.stores.memory import MemoryStore
from partyroom.testing import ManualClock, settle

ROOM = Address("chat", "lobby")
OTHER = Address("chat", "other")


class Bell:
    """Alarms on a manual clock, and what rang when."""

    def __init__(self) -> None:
        self.clock = ManualClock(now=0.0)
        self.rung: list[tuple[float, str]] = []
        self.given_up: list[Address] = []
        self.errors: list[BaseException] = []
        self.held: asyncio.Event | None = None
        self.alarms = Alarms(self.clock, self.ring, self.give_up)

    async def ring(self, address: Address) -> None:
        self.rung.append((self.clock.now(), address.room))
        if self.held is not None:
            await self.held.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def give_up(self, address: Address) -> None:
        self.given_up.append(address)

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.rung]


@pytest.fixture
def bell() -> Bell:
    return Bell()


class TestRinging:
    async def test_rings_at_its_time_and_not_before(self, bell: Bell) -> None:
        bell.alarms.set(ROOM, 10.0)
        await bell.clock.advance(9.999)
        assert bell.rung == []
        await bell.clock.advance(0.001)
        assert bell.rung == [(10.0, "lobby")]
        await bell.clock.advance(1000)
        assert len(bell.rung) == 1

    async def test_one_that_is_past_rings_at_once(self, bell: Bell) -> None:
        bell.alarms.set(ROOM, -5.0)
        await bell.clock.advance(0)
        assert bell.rung == [(0.0, "lobby")]

    async def test_many_ring_in_order_of_time(self, bell: Bell) -> None:
        for when in (3.0, 1.0, 2.0):
            bell.alarms.set(Address("chat", str(when)), when)
        await bell.clock.advance(5)
        assert bell.rung == [(1.0, "1.0"), (2.0, "2.0"), (3.0, "3.0")]

    async def test_setting_again_replaces(self, bell: Bell) -> None:
        bell.alarms.set(ROOM, 1.0)
        bell.alarms.set(ROOM, 5.0)
        bell.alarms.set(OTHER, 9.0)
        bell.alarms.set(OTHER, 2.0)
        await bell.clock.advance(10)
        assert bell.rung == [(2.0, "other"), (5.0, "lobby")]

    async def test_deleting_silences(self, bell: Bell) -> None:
        bell.alarms.set(ROOM, 1.0)
        bell.alarms.set(ROOM, None)
        await bell.clock.advance(10)
        assert bell.rung == []
        assert bell.alarms.get(ROOM) is None

    async def test_one_far_off_rings_in_its_time(self, bell: Bell) -> None:
        day = 86_400.0
        bell.alarms.set(ROOM, 400 * day)
        await bell.clock.advance(400 * day - 1)
        assert bell.rung == []
        await bell.clock.advance(1)
        assert bell.times == [400 * day]

    async def test_a_clock_that_is_set_back_rings_nothing_early(self, bell: Bell) -> None:
        bell.alarms.set(ROOM, 10.0)
        bell.clock.call_later(9.0, lambda: setattr(bell.clock, "_now", 0.0))
        await bell.clock.advance(9.0)
        bell.clock._now = 0.0
        await bell.clock.advance(9.5)
        assert bell.rung == []
        await bell.clock.advance(0.5)
        assert bell.times == [10.0]

    async def test_a_room_is_busy_while_its_alarm_is_due_or_rings(self, bell: Bell) -> None:
        bell.held = asyncio.Event()
        bell.alarms.set(ROOM, 1.0)
        assert not bell.alarms.busy(ROOM)
        await bell.clock.advance(1)
        assert bell.alarms.busy(ROOM)
        assert bell.alarms.get(ROOM) is None, "none is set while it rings"
        bell.held.set()
        await settle()
        assert not bell.alarms.busy(ROOM)

    async def test_no_more_than_so_many_ring_at_a_time(self, bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "AT_ONCE", 3)
        bell.held = asyncio.Event()
        for number in range(10):
            bell.alarms.set(Address("chat", str(number)), 1.0)
        await bell.clock.advance(1)
        assert len(bell.rung) == 3
        bell.held.set()
        await bell.clock.advance(0)
        await bell.clock.advance(0)
        await bell.clock.advance(0)
        await bell.clock.advance(0)
        assert sorted(room for _, room in bell.rung) == [str(number) for number in range(10)]

    async def test_setting_an_alarm_again_and_again_does_not_fill_the_memory(self, bell: Bell) -> None:
        """A debounce: every message moves the alarm away."""
        bell.alarms.set(OTHER, 5.0)
        for number in range(10_000):
            bell.alarms.set(ROOM, 86_400.0 + number)
        assert len(bell.alarms._heap) < 1000
        assert len(bell.clock._timers) < 1000
        await bell.clock.advance(86_400.0 + 9_999)
        assert bell.rung == [(5.0, "other"), (86_400.0 + 9_999, "lobby")]


class TestWhileRinging:
    async def test_one_set_meanwhile_rings_next(self, bell: Bell) -> None:
        bell.held = asyncio.Event()
        bell.alarms.set(ROOM, 1.0)
        await bell.clock.advance(1)
        bell.alarms.set(ROOM, 5.0)
        assert bell.alarms.get(ROOM) == 5.0
        bell.held.set()
        await bell.clock.advance(10)
        assert bell.times == [1.0, 5.0]

    async def test_one_that_is_due_meanwhile_waits_for_the_present_one(self, bell: Bell) -> None:
        bell.held = asyncio.Event()
        bell.alarms.set(ROOM, 1.0)
        await bell.clock.advance(1)
        bell.alarms.set(ROOM, 2.0)
        await bell.clock.advance(3)
        assert bell.times == [1.0]
        bell.held.set()
        await bell.clock.advance(0)
        await bell.clock.advance(0)
        assert bell.times == [1.0, 4.0]

    async def test_one_set_by_a_handler_that_then_fails_still_rings_in_its_time(self, bell: Bell) -> None:
        bell.held = asyncio.Event()
        bell.errors = [RuntimeError("after it had set the next one")]
        bell.alarms.set(ROOM, 1.0)
        await bell.clock.advance(1)
        bell.alarms.set(ROOM, 100.0)
        bell.held.set()
        await bell.clock.advance(2)
        assert bell.times == [1.0, 3.0], "the failed one is tried again"
        assert bell.alarms.get(ROOM) == 100.0
        await bell.clock.advance(200)
        assert bell.times == [1.0, 3.0, 100.0]

    async def test_one_deleted_after_a_failure_is_not_tried_again(self, bell: Bell) -> None:
        bell.errors = [RuntimeError("no")]
        bell.alarms.set(ROOM, 1.0)
        await bell.clock.advance(1)
        bell.alarms.set(ROOM, None)
        await bell.clock.advance(100)
        assert bell.times == [1.0]


class TestFailing:
    async def test_is_tried_again_from_2_seconds_doubling_six_times_and_then_given_up(
        self, bell: Bell, caplog: pytest.LogCaptureFixture
    ) -> None:
        bell.errors = [RuntimeError(f"no {number}") for number in range(100)]
        bell.alarms.set(ROOM, 0.0)
        with caplog.at_level(logging.WARNING):
            await bell.clock.advance(10_000)
        assert bell.times == [0, 2, 6, 14, 30, 62, 126]
        assert bell.given_up == [ROOM]
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 6 + ["ERROR"]
        assert "no 6" in caplog.records[-1].message

    async def test_a_success_forgets_the_failures(self, bell: Bell) -> None:
        bell.errors = [RuntimeError("no"), RuntimeError("no")]
        bell.alarms.set(ROOM, 0.0)
        await bell.clock.advance(100)
        assert bell.times == [0, 2, 6]
        bell.errors = [RuntimeError("no")]
        bell.alarms.set(ROOM, 200.0)
        await bell.clock.advance(200)
        assert bell.times == [0, 2, 6, 200, 202]

    async def test_setting_a_new_one_forgets_the_failures(self, bell: Bell) -> None:
        bell.errors = [RuntimeError("no")] * 5
        bell.alarms.set(ROOM, 0.0)
        await bell.clock.advance(20)
        assert bell.times == [0, 2, 6, 14]
        bell.alarms.set(ROOM, 20.0)
        await bell.clock.advance(3)
        assert bell.times == [0, 2, 6, 14, 20, 22]

    async def test_one_that_fails_disturbs_no_other(self, bell: Bell) -> None:
        bell.errors = [RuntimeError("no")]
        bell.alarms.set(ROOM, 1.0)
        bell.alarms.set(OTHER, 1.5)
        await bell.clock.advance(5)
        assert bell.rung == [(1.0, "lobby"), (1.5, "other"), (3.0, "lobby")]

    @pytest.mark.parametrize("error", [asyncio.CancelledError(), BaseException("a panic")])
    async def test_a_handler_that_ends_with_a_cancellation_or_a_panic_is_tried_again(
        self, bell: Bell, error: BaseException
    ) -> None:
        """It awaited something that somebody else had cancelled, or a library in Rust has failed."""
        bell.errors = [error]
        bell.alarms.set(ROOM, 1.0)
        await bell.clock.advance(5)
        assert bell.times == [1.0, 3.0]


class TestLife:
    async def test_a_restart_takes_up_what_is_stored(self, bell: Bell) -> None:
        store = MemoryStore()
        await store.apply(ROOM, Batch(alarm=5.0))
        await store.apply(OTHER, Batch(alarm=-100.0))
        await bell.alarms.load(store)
        await bell.clock.advance(10)
        assert bell.rung == [(0.0, "other"), (5.0, "lobby")]

    async def test_one_set_before_the_store_has_been_read_stands(self, bell: Bell) -> None:
        store = MemoryStore()
        await store.apply(ROOM, Batch(alarm=5.0))
        bell.alarms.set(ROOM, 7.0)
        await bell.alarms.load(store)
        await bell.clock.advance(10)
        assert bell.times == [7.0]

    async def test_closed_rings_no_more_and_stops_what_rings(self, bell: Bell) -> None:
        bell.held = asyncio.Event()
        bell.alarms.set(ROOM, 1.0)
        bell.alarms.set(OTHER, 2.0)
        await bell.clock.advance(1)
        await bell.alarms.close(within=5.0)
        assert not bell.alarms.busy(ROOM)
        bell.alarms.set(ROOM, 3.0)
        await bell.clock.advance(10)
        assert bell.rung == [(1.0, "lobby")]
