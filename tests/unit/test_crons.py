"""Schedules come at their time, once, and call whoever has ``on_cron``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from partyroom import Cron, Lobby, Party, Request, Response
from partyroom.crons import Schedule
from partyroom.testing import ManualClock, settle

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC).timestamp()  # a Tuesday
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class Wall(ManualClock):
    """A clock that can also be set, as an operator or a time server does, and that a machine's sleep moves on."""

    def set(self, now: float) -> None:
        self._now = now


@pytest.fixture
def clock() -> Wall:
    return Wall(NOON)


class Rung(Party):
    """Writes down what has come."""

    log: list[tuple[str, float]]

    def __init_subclass__(cls) -> None:
        cls.log = []

    @classmethod
    def on_cron(cls, cron: Cron) -> Any:
        cls.log.append((cron.name, cron.at - NOON))


class TestSchedules:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("* * * * *", MINUTE),
            ("*/5 * * * *", 5 * MINUTE),
            ("30 12 * * *", 30 * MINUTE),
            ("0 12 * * *", DAY),
            ("0,45 12-13 * * *", 45 * MINUTE),
            ("0 0 * * FRI", 2.5 * DAY),
            ("0 12 15 * *", 5 * DAY),
            ("0 0 1,11 * MON", 0.5 * DAY),  # either day field
            ("@hourly", HOUR),
            ("@daily", DAY / 2),
            ("@midnight", DAY / 2),
            ("@weekly", 4.5 * DAY),
            ("@Monthly", 21.5 * DAY),
            ("@yearly", (datetime(2027, 1, 1, tzinfo=UTC).timestamp() - NOON)),
            ("0 0 29 2 *", (datetime(2028, 2, 29, tzinfo=UTC).timestamp() - NOON)),
        ],
    )
    def test_the_first_time_after_another_is_what_cron_says(self, expression: str, expected: float) -> None:
        assert Schedule(expression).after(NOON) - NOON == expected
        assert Schedule(expression).after(NOON + 0.5) - NOON == expected

    @pytest.mark.parametrize(
        "expression",
        [
            "",
            "5",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "0 0 31 2 *",
            "@reboot",
            "* * * * x",
            "*/0 * * * *",
        ],
    )
    def test_what_is_no_schedule_is_an_error_that_shows_it(self, expression: str) -> None:
        with pytest.raises(ValueError, match="the schedule") as caught:
            Lobby(Rung, crons={"bad": expression})
        assert repr(expression) in str(caught.value)

    def test_schedules_that_nobody_hears_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="no party has on_cron"):
            Lobby(Party, crons={"hourly": "@hourly"})


class TestTicking:
    async def test_each_comes_at_its_time_and_is_called_once(self, clock: Wall) -> None:
        class Main(Rung):
            pass

        async with Lobby(Main, crons={"five": "*/5 * * * *", "twelve": "*/12 * * * *"}, clock=clock):
            await clock.advance(5 * MINUTE - 0.01)
            assert Main.log == []
            await clock.advance(0.01)
            assert Main.log == [("five", 5 * MINUTE)]
            await clock.advance(8 * MINUTE)
            assert Main.log[1:] == [("five", 10 * MINUTE), ("twelve", 12 * MINUTE)]

    async def test_it_knows_its_schedule_the_settings_and_the_rooms(self, clock: Wall) -> None:
        seen: list[Any] = []

        class Main(Party):
            @classmethod
            async def on_cron(cls, cron: Cron) -> None:
                answer = await cron.parties["main"]["lobby"].fetch()
                seen.append((cron.schedule, cron.env["key"], answer.text()))

            def on_request(self, request: Request) -> Response:
                return Response(self.room.id)

        async with Lobby(Main, crons={"hourly": "@hourly"}, env={"key": 7}, clock=clock):
            await clock.advance(HOUR)
        assert seen == [("@hourly", 7, "lobby")]

    async def test_after_a_sleep_one_comes_late_and_the_others_are_left_out(self, clock: Wall) -> None:
        class Main(Rung):
            pass

        async with Lobby(Main, crons={"five": "*/5 * * * *"}, clock=clock):
            clock.set(NOON + 10 * HOUR + 1)  # no timer has run meanwhile
            await clock.advance(MINUTE)
            assert Main.log == [("five", 5 * MINUTE)]
            await clock.advance(5 * MINUTE)
            assert Main.log[1:] == [("five", 10 * HOUR + 5 * MINUTE)]

    async def test_a_clock_that_is_set_back_repeats_nothing(self, clock: Wall) -> None:
        class Main(Rung):
            pass

        async with Lobby(Main, crons={"five": "*/5 * * * *"}, clock=clock):
            await clock.advance(5 * MINUTE)
            clock.set(NOON + 4 * MINUTE)
            await clock.advance(5 * MINUTE)
            assert Main.log == [("five", 5 * MINUTE)]
            await clock.advance(MINUTE)
            assert Main.log[1:] == [("five", 10 * MINUTE)]

    async def test_what_was_due_before_the_start_is_past(self, clock: Wall) -> None:
        class Main(Rung):
            pass

        lobby = Lobby(Main, crons={"five": "*/5 * * * *"}, clock=clock)
        await clock.advance(HOUR)
        async with lobby:
            await clock.advance(MINUTE)
        assert Main.log == []

    async def test_a_closed_lobby_calls_no_more_and_stops_what_runs(self, clock: Wall) -> None:
        stopped: list[str] = []

        class Main(Party):
            @classmethod
            async def on_cron(cls, cron: Cron) -> None:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    stopped.append(cron.name)
                    raise

        async with Lobby(Main, crons={"hourly": "@hourly"}, clock=clock):
            await clock.advance(HOUR)
        await clock.advance(DAY)
        assert stopped == ["hourly"]


class TestCalling:
    async def test_every_party_with_a_hook_of_its_own_is_called_once(self, clock: Wall) -> None:
        class First(Rung):
            @classmethod
            async def on_cron(cls, cron: Cron) -> None:
                cls.log.append((f"first {cron.name}", 0))

        class Second(Rung):
            @classmethod
            def on_cron(cls, cron: Cron) -> None:
                cls.log.append((f"second {cron.name}", 0))

        class Heir(First):
            pass

        parties = {"main": First, "alias": First, "heir": Heir, "second": Second, "without": Party}
        async with Lobby(parties, crons={"now": "@yearly"}, clock=clock) as lobby:
            await lobby.trigger_cron("now")
        assert (First.log, Heir.log, Second.log) == ([("first now", 0)], [], [("second now", 0)])

    async def test_one_that_fails_is_logged_and_disturbs_neither_the_others_nor_its_next_time(
        self, clock: Wall, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Rung):
            @classmethod
            def on_cron(cls, cron: Cron) -> None:
                cls.log.append((cron.name, 0))
                raise RuntimeError("no")

        class Other(Rung):
            @classmethod
            def on_cron(cls, cron: Cron) -> None:
                cls.log.append((cron.name, 0))

        async with Lobby({"failing": Failing, "other": Other}, crons={"hourly": "@hourly"}, clock=clock) as lobby:
            await clock.advance(2 * HOUR)
            assert len(Failing.log) == len(Other.log) == 2
            with pytest.raises(RuntimeError, match="no"):
                await lobby.trigger_cron("hourly")
        assert [record.getMessage() for record in caplog.records] == [
            f"the cron 'hourly': on_cron of {Failing.__qualname__} failed"
        ] * 3

    async def test_a_run_that_lasts_is_never_run_twice_at_once(
        self, clock: Wall, caplog: pytest.LogCaptureFixture
    ) -> None:
        go = asyncio.Event()

        class Slow(Rung):
            @classmethod
            async def on_cron(cls, cron: Cron) -> None:
                cls.log.append((cron.name, cron.at - NOON))
                await go.wait()

        async with Lobby(Slow, crons={"minute": "* * * * *"}, clock=clock) as lobby:
            await clock.advance(3 * MINUTE)
            triggered = asyncio.ensure_future(lobby.trigger_cron("minute"))
            await settle()
            assert (len(Slow.log), triggered.done()) == (1, False)
            go.set()
            await triggered
            await clock.advance(MINUTE)
        assert Slow.log == [("minute", MINUTE), ("minute", 4 * MINUTE)]
        assert caplog.text.count("is still running") == 2

    async def test_a_trigger_runs_now_and_leaves_the_schedule_alone(self, clock: Wall) -> None:
        class Main(Rung):
            pass

        async with Lobby(Main, crons={"hourly": "@hourly"}, clock=clock) as lobby:
            await clock.advance(MINUTE)
            await lobby.trigger_cron("hourly")
            await clock.advance(HOUR)
            with pytest.raises(ValueError, match="no cron 'daily' here, only hourly"):
                await lobby.trigger_cron("daily")
        assert Main.log == [("hourly", MINUTE), ("hourly", HOUR)]
