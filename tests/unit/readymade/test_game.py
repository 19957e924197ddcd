"""Trails: the rules, and a round played through the server."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from partyroom import Lobby
from partyroom.local import LocalSocket
from partyroom.readymade import game
from partyroom.readymade.game import SEATS, Arena, Game
from partyroom.testing import visit


def arena(players: int, width: int = 40, height: int = 24) -> Arena:
    made = Arena(width, height, random.Random(1))
    for number in range(players):
        assert made.sit(f"player {number}", "#d55e00") == number
    made.begin()
    return made


def place(made: Arena, seat: int, at: tuple[int, int], way: tuple[int, int]) -> None:
    """Put a rider somewhere, without the trail of where it stood."""
    rider = made.riders[seat]
    made.cells.pop(rider.at, None)
    rider.at, rider.way = at, way
    made.cells[at] = seat


@pytest.mark.parametrize("players", range(1, SEATS + 1))
def test_all_start_apart_inside_and_with_room_before_them(players: int) -> None:
    made = arena(players)
    assert len(made.cells) == players
    assert all(made.step() == [] for _ in range(7))


def test_there_are_eight_seats_and_one_that_was_left_is_free() -> None:
    made = arena(SEATS)
    assert made.sit("one more", "#ffffff") is None
    made.rise(3)
    assert made.sit("one more", "#ffffff") == 3


def test_who_runs_into_a_wall_is_out_and_the_other_has_won() -> None:
    made = arena(2)
    place(made, 0, (39, 3), (1, 0))
    place(made, 1, (5, 10), (1, 0))
    assert made.step() == [0]
    assert not made.running
    assert [rider.wins for rider in made.riders.values()] == [0, 1]


def test_who_runs_into_a_trail_is_out() -> None:
    made = arena(2)
    place(made, 0, (10, 10), (1, 0))
    place(made, 1, (11, 9), (1, 0))
    made.cells[(11, 10)] = 1
    assert made.step() == [0]


def test_two_who_meet_are_both_out_and_nobody_has_won() -> None:
    made = arena(2)
    place(made, 0, (10, 10), (1, 0))
    place(made, 1, (12, 10), (-1, 0))
    assert sorted(made.step()) == [0, 1]
    assert not made.running
    assert [rider.wins for rider in made.riders.values()] == [0, 0]


def test_nobody_turns_back_into_the_own_trail_however_fast_they_press() -> None:
    made = arena(2)
    place(made, 0, (10, 10), (1, 0))
    for way in ("left", "up", "down", "left", "sideways"):
        made.turn(0, way)
    assert made.riders[0].turns == [(0, -1), (-1, 0)], "up, and then left, one a step"
    assert made.step() == []
    assert made.riders[0].at == (10, 9)
    assert made.step() == []
    assert made.riders[0].at == (9, 9)


def test_who_is_alone_may_practise_and_wins_nothing() -> None:
    made = arena(1)
    steps = 0
    while made.running:
        made.step()
        steps += 1
    assert steps > 10
    assert made.riders[0].wins == 0


def test_who_leaves_ends_a_round_of_two() -> None:
    made = arena(2)
    made.rise(0)
    made.step()
    assert not made.running
    assert made.riders[1].wins == 1


async def hear(visitor: LocalSocket, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    async with asyncio.timeout(10):
        while True:
            said: dict[str, Any] = json.loads(await visitor.receive())
            if said["type"] == kind:
                return said


async def test_two_play_a_round_and_a_third_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game, "COUNT", 1)
    monkeypatch.setattr(game, "BEAT", 0.001)
    monkeypatch.setattr(game, "TICK", 0.001)
    async with (
        Lobby({"game": Game}) as lobby,
        visit(lobby, "/parties/game/x") as ada,
        visit(lobby, "/parties/game/x") as bob,
        visit(lobby, "/parties/game/x") as eve,
    ):
        for visitor, name in ((ada, "Ada"), (bob, "Bob\x1b")):
            await visitor.send(json.dumps({"type": "play", "name": name, "color": "red"}))
        for nonsense in ("{", "[]", '{"type": "turn"}', '{"type": "begin"}', '{"type": "play", "name": 3}'):
            await eve.send(nonsense)
        while len((state := await hear(eve, "state"))["players"]) < 2:
            pass
        assert state["you"] is None
        assert state["players"]["1"] == {"name": "Bob", "color": "#8b8b95", "wins": 0, "riding": False}
        await ada.send('{"type": "begin"}')
        assert await hear(eve, "count") == {"type": "count", "left": 1}
        await hear(eve, "tick")
        await ada.send('{"type": "turn", "way": "up"}')
        while not (await hear(bob, "tick"))["out"]:
            pass
        while (await hear(bob, "state"))["phase"] != "waiting":
            pass


async def test_a_room_that_everybody_left_plays_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game, "COUNT", 0)
    async with Lobby({"game": Game}) as lobby, visit(lobby, "/parties/game/x") as eve:
        async with visit(lobby, "/parties/game/x") as ada:
            await ada.send('{"type": "play", "name": "Ada", "color": "#ffffff"}')
            await ada.send('{"type": "begin"}')
            await hear(ada, "tick")
        while (state := await hear(eve, "state"))["phase"] != "waiting":
            pass
        assert state["players"] == {}
