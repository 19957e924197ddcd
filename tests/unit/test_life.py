"""A room's party is started once, put to sleep, woken and stopped, and never two of these at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from partyroom.errors import CloseCode, RoomStopped
from partyroom.http import Address
from partyroom.life import Life
from partyroom.limits import Limits
from partyroom.party import Party
from partyroom.testing import ManualClock, settle

Hook = Callable[[], Awaitable[None] | None]


class FakeRoom:
    """What a life needs of a room, and what became of it."""

    address = Address("chat", "lobby")

    def __init__(self, *, start: Hook, stop: Hook, limits: Limits, hibernate: bool) -> None:
        self.limits = limits
        self.occupied = False
        self.busy = False
        self.silent = False
        self.log: list[str] = []
        self.parties: list[Party] = []
        self.may_wind_down = asyncio.Event()
        self.may_wind_down.set()
        self._hooks = (start, stop)
        self.clock = ManualClock()
        self.life = Life(self, self.clock, hibernate=hibernate)

    @property
    def phase(self) -> str:
        return self.life.phase.value

    @property
    def owes_on_close(self) -> bool:
        return self.occupied and not self.silent

    def make_party(self) -> Party:
        room, (start, stop) = self, self._hooks

        class Made(Party):
            def on_start(self) -> Any:
                room.log.append("on_start")
                return start()

            def on_stop(self) -> Any:
                room.log.append("on_stop")
                return stop()

        party = Made(None)  # type: ignore[arg-type]
        self.parties.append(party)
        return party

    async def wind_down(self, code: int, reason: str) -> None:
        self.log.append(f"wind down {int(code)}")
        await self.may_wind_down.wait()
        await self.life.stop_party()

    def ended(self) -> None:
        self.log.append("ended")


def nothing() -> None:
    """A hook that does nothing."""


def make(*, start: Hook = nothing, stop: Hook = nothing, hibernate: bool = False, **limits: Any) -> FakeRoom:
    return FakeRoom(start=start, stop=stop, limits=Limits(**{"idle": 10.0, **limits}), hibernate=hibernate)


class TestStarting:
    async def test_however_many_ask_it_starts_once(self) -> None:
        go = asyncio.Event()

        async def start() -> None:
            await go.wait()

        room = make(start=start)
        asking = [asyncio.ensure_future(room.life.ready()) for _ in range(20)]
        await settle()
        assert room.phase == "starting"
        go.set()
        parties = await asyncio.gather(*asking)
        assert set(parties) == {room.parties[0]}
        assert await room.life.ready() is room.parties[0]
        assert room.log == ["on_start"]

    async def test_one_who_stops_waiting_does_not_stop_the_start(self) -> None:
        go = asyncio.Event()

        async def start() -> None:
            await go.wait()

        room = make(start=start)
        impatient = asyncio.ensure_future(room.life.ready())
        patient = asyncio.ensure_future(room.life.ready())
        await settle()
        impatient.cancel()
        await settle()
        go.set()
        assert await patient is room.parties[0]

    async def test_a_start_that_nobody_waits_for_any_more_is_not_idle(self) -> None:
        go = asyncio.Event()

        async def start() -> None:
            await go.wait()

        room = make(start=start)
        impatient = asyncio.ensure_future(room.life.ready())
        await settle()
        impatient.cancel()
        await room.clock.advance(100)
        assert room.phase == "starting"
        go.set()
        await settle()
        assert room.phase == "live"
        await room.clock.advance(100)
        assert room.log == ["on_start", "wind down 1001", "on_stop", "ended"]

    @pytest.mark.parametrize("error", [RuntimeError("no database"), asyncio.CancelledError()])
    async def test_a_start_that_fails_turns_all_away_and_ends_the_room(
        self, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def start() -> None:
            await asyncio.sleep(0)
            raise error

        room = make(start=start)
        with caplog.at_level(logging.ERROR):
            outcomes = await asyncio.gather(*(room.life.ready() for _ in range(3)), return_exceptions=True)
            await room.life.stopped
        assert [type(outcome) for outcome in outcomes] == [RoomStopped] * 3
        assert room.log == ["on_start", "wind down 1013", "ended"], "a party that never started is not stopped"
        assert [record.message for record in caplog.records] == ["chat/lobby: on_start failed"]
        with pytest.raises(RoomStopped):
            await room.life.ready()

    async def test_a_start_that_takes_too_long_has_failed(self) -> None:
        room = FakeRoom(start=_for_ever, stop=nothing, limits=Limits(start=0.0), hibernate=False)
        with pytest.raises(RoomStopped):
            await room.life.ready()
        await room.life.stopped


class TestIdling:
    async def test_an_empty_room_leaves_after_its_time(self) -> None:
        room = make()
        await room.life.ready()
        await room.clock.advance(9.9)
        assert room.phase == "live"
        await room.clock.advance(0.2)
        assert room.phase == "stopped"
        assert room.log == ["on_start", "wind down 1001", "on_stop", "ended"]

    async def test_a_room_that_was_never_started_leaves_too(self) -> None:
        room = make()
        await room.clock.advance(10.1)
        assert room.log == ["wind down 1001", "ended"]

    async def test_every_touch_gives_it_its_whole_time_again(self) -> None:
        room = make()
        await room.life.ready()
        for _ in range(10):
            await room.clock.advance(9)
            room.life.touch()
        assert room.phase == "live"
        await room.clock.advance(10.1)
        assert room.phase == "stopped"

    async def test_people_work_and_business_each_keep_it(self) -> None:
        room = make()
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(100)
        room.occupied = False
        with room.life.work():
            await room.clock.advance(100)
        room.busy = True
        await room.clock.advance(100)
        assert room.phase == "live"
        room.busy = False
        await room.clock.advance(10.1)
        assert room.phase == "stopped"

    async def test_a_hundred_touches_keep_one_timer(self) -> None:
        room = make()
        for _ in range(100):
            room.life.touch()
        assert len(room.clock._timers) == 1


class TestHibernating:
    async def test_an_idle_room_with_people_sleeps_and_wakes_with_a_new_party(self) -> None:
        room = make(hibernate=True)
        first = await room.life.ready()
        room.occupied = True
        await room.clock.advance(11)
        assert room.phase == "asleep"
        assert room.life.party is None
        second = await room.life.ready()
        assert second is not first
        assert room.log == ["on_start", "on_stop", "on_start"]

    async def test_with_people_it_stays_for_a_time_of_its_own(self) -> None:
        room = make(hibernate=True, doze=60.0)
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(59)
        assert room.phase == "live"
        room.occupied = False
        await room.clock.advance(2)
        assert room.phase == "stopped"

    async def test_which_may_be_shorter_than_without(self) -> None:
        room = make(hibernate=True, doze=2.0)
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(3)
        assert room.phase == "asleep"

    async def test_waking_waits_until_the_old_party_has_stopped(self) -> None:
        go = asyncio.Event()

        async def stop() -> None:
            await go.wait()

        room = make(hibernate=True, stop=stop)
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(11)
        waking = asyncio.ensure_future(room.life.ready())
        await settle()
        assert room.log == ["on_start", "on_stop"]
        go.set()
        await waking
        assert room.log == ["on_start", "on_stop", "on_start"]

    async def test_a_room_that_does_not_hibernate_stays_while_people_are_there(self) -> None:
        room = make()
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(1000)
        assert room.phase == "live"

    async def test_stopping_wakes_a_sleeping_room_because_its_people_are_owed_a_goodbye(self) -> None:
        room = make(hibernate=True)
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(11)
        await room.life.stop(CloseCode.GOING_AWAY, "")
        assert room.log == ["on_start", "on_stop", "on_start", "wind down 1001", "on_stop", "ended"]

    async def test_stopping_does_not_wake_it_where_nobody_needs_its_party_to_leave(self) -> None:
        go = asyncio.Event()

        async def stop() -> None:
            await go.wait()

        room = make(hibernate=True, stop=stop)
        await room.life.ready()
        room.occupied = room.silent = True
        await room.clock.advance(11)
        stopping = asyncio.ensure_future(room.life.stop(CloseCode.GOING_AWAY, ""))
        await settle()
        assert room.log == ["on_start", "on_stop"], "the first one's is not over"
        go.set()
        await stopping
        assert room.log == ["on_start", "on_stop", "wind down 1001", "ended"]

    async def test_when_the_last_has_left_while_it_slept_it_leaves_too(self) -> None:
        room = make(hibernate=True)
        await room.life.ready()
        room.occupied = True
        await room.clock.advance(11)
        room.occupied = False
        room.life.touch()
        await room.clock.advance(11)
        assert room.log == ["on_start", "on_stop", "wind down 1001", "ended"]

    async def test_an_on_stop_that_fails_does_not_keep_it_asleep(self, caplog: pytest.LogCaptureFixture) -> None:
        async def stop() -> None:
            raise RuntimeError("no")

        room = make(hibernate=True, stop=stop)
        await room.life.ready()
        room.occupied = True
        with caplog.at_level(logging.ERROR):
            await room.clock.advance(11)
        assert [record.message for record in caplog.records] == ["chat/lobby: on_stop failed"]
        await room.life.ready()


class TestStopping:
    async def test_twice_at_once_stops_once(self) -> None:
        room = make()
        await room.life.ready()
        await asyncio.gather(*(room.life.stop(1001, "") for _ in range(3)))
        assert room.log == ["on_start", "wind down 1001", "on_stop", "ended"]
        await room.life.stop(1001, "")

    async def test_returns_only_when_the_room_has_ended(self) -> None:
        room = make()
        await room.life.ready()
        room.may_wind_down.clear()
        stopping = [asyncio.ensure_future(room.life.stop(1001, "")) for _ in range(2)]
        await settle()
        assert not any(one.done() for one in stopping)
        assert room.phase == "stopping"
        room.may_wind_down.set()
        await asyncio.gather(*stopping)
        assert room.phase == "stopped"

    async def test_waits_for_a_start_that_is_under_way(self) -> None:
        go = asyncio.Event()

        async def start() -> None:
            await go.wait()

        room = make(start=start)
        ready = asyncio.ensure_future(room.life.ready())
        await settle()
        stopping = asyncio.ensure_future(room.life.stop(1001, ""))
        await settle()
        go.set()
        assert await ready is room.parties[0]
        await stopping
        assert room.log == ["on_start", "wind down 1001", "on_stop", "ended"]

    async def test_a_start_that_hangs_is_cut_and_those_who_wait_are_told_the_room_has_stopped(self) -> None:
        """They were not cancelled themselves, so they may not see a cancellation."""
        room = make(start=_for_ever, close=0.0)
        waiting = asyncio.ensure_future(room.life.ready())
        await settle()
        await room.life.stop(1001, "")
        with pytest.raises(RoomStopped):
            await waiting
        await settle()
        assert room.phase == "stopped"

    async def test_a_start_that_will_not_be_cut_does_not_bring_the_room_back(self) -> None:
        go = asyncio.Event()

        async def start() -> None:
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    continue

        room = make(start=start, close=0.0)
        waiting = asyncio.ensure_future(room.life.ready())
        await settle()
        await room.life.stop(1001, "")
        go.set()
        with pytest.raises(RoomStopped):
            await waiting
        assert room.phase == "stopped"
        await room.clock.advance(100)
        assert room.log == ["on_start", "wind down 1001", "ended"]


async def _for_ever() -> None:
    await asyncio.Event().wait()
