"""Trails: a game for two to eight, played by the server twenty times a second.

Everybody leaves a trail and runs into none, neither the own one nor another's nor the wall; whoever is left over has
won the round. It gets faster as a round goes on. Who is alone may practise.

A client sends JSON texts: ``{"type": "play", "name", "color"}`` to sit down, ``{"type": "turn", "way": "up"}`` (or
``down``, ``left``, ``right``), and ``{"type": "begin"}`` for a round. It gets, as JSON too:

==============================================================  =====================================================
``{"type": "welcome", "width", "height"}``                      once
``{"type": "state", "phase", "left", "you", "players", "cells"}``  when it comes in, when a round begins or ends,
                                                                and when people come and go
``{"type": "tick", "heads": {seat: [x, y]}, "out": [seats]}``   at each step of a round
``{"type": "count", "left"}``                                   before a round: how many seconds are left
==============================================================  =====================================================

``phase`` is ``waiting``, ``counting`` or ``running``; ``cells`` is who has been where: ``{"x,y": seat}``.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ..connection import Connection
from ..party import Party

__all__ = ["Arena", "Game", "Rider"]

Cell: TypeAlias = tuple[int, int]

SEATS: Final = 8
TICK: Final = 0.05
"""Seconds between two ticks."""
COUNT: Final = 3
"""How far it counts down before a round."""
BEAT: Final = 1.0
"""Seconds from one number to the next."""
SLOW: Final = 160
"""The ticks of a round in which riders move at every second one only; after them they move at each."""
WAYS: Final = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
NAME: Final = 20
COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(slots=True)
class Rider:
    """Somebody who plays."""

    name: str
    color: str
    wins: int = 0
    at: Cell = (0, 0)
    way: Cell = (1, 0)
    turns: list[Cell] = field(default_factory=list)
    """What was pressed and is still to be done, one a step."""
    riding: bool = False


class Arena:
    """The rules, without time and without a network. ``chance`` says who starts where."""

    def __init__(self, width: int = 76, height: int = 44, chance: random.Random | None = None) -> None:
        self.width = width
        self.height = height
        self.riders: dict[int, Rider] = {}
        """Who plays, by seat."""
        self.cells: dict[Cell, int] = {}
        """Which seat's trail is where."""
        self.running = False
        self._chance = chance or random.Random()
        self._alone = False

    def sit(self, name: str, color: str) -> int | None:
        """Give somebody a seat; ``None`` where none is free."""
        seat = next((seat for seat in range(SEATS) if seat not in self.riders), None)
        if seat is not None:
            self.riders[seat] = Rider(name, color)
        return seat

    def rise(self, seat: int) -> None:
        """Somebody plays no more; their trail stays until the round ends."""
        self.riders.pop(seat, None)

    def begin(self) -> None:
        """Begin a round, with everybody on a circle and looking to the nearer side."""
        self.cells.clear()
        seats = list(self.riders)
        self._chance.shuffle(seats)
        places = _places(len(seats), self.width, self.height)
        for seat, (at, way) in zip(seats, places, strict=True):
            rider = self.riders[seat]
            rider.at, rider.way, rider.riding = at, way, True
            rider.turns.clear()
            self.cells[at] = seat
        self._alone = len(seats) == 1
        self.running = bool(seats)

    def turn(self, seat: int, way: str) -> None:
        """Somebody wants to turn; back into the own trail is no turn."""
        rider = self.riders.get(seat)
        if rider is None or not rider.riding or way not in WAYS or len(rider.turns) >= 2:
            return
        before, wanted = rider.turns[-1] if rider.turns else rider.way, WAYS[way]
        if before[0] * wanted[0] + before[1] * wanted[1] == 0:
            rider.turns.append(wanted)

    def step(self) -> list[int]:
        """Move everybody by one; returns the seats of those who are out by that. Two who meet are both out."""
        going: dict[int, Cell] = {}
        for seat, rider in self.riders.items():
            if rider.riding:
                if rider.turns:
                    rider.way = rider.turns.pop(0)
                going[seat] = rider.at[0] + rider.way[0], rider.at[1] + rider.way[1]
        out = [seat for seat, at in going.items() if not self._is_free(at) or list(going.values()).count(at) > 1]
        for seat, at in going.items():
            if seat in out:
                self.riders[seat].riding = False
            else:
                self.riders[seat].at = at
                self.cells[at] = seat
        self._judge()
        return out

    def _is_free(self, at: Cell) -> bool:
        return at[0] in range(self.width) and at[1] in range(self.height) and at not in self.cells

    def _judge(self) -> None:
        """End the round where one is left, or nobody."""
        left = [rider for rider in self.riders.values() if rider.riding]
        if len(left) > (0 if self._alone else 1):
            return
        self.running = False
        for rider in left:
            rider.wins += 1
            rider.riding = False


def _places(count: int, width: int, height: int) -> list[tuple[Cell, Cell]]:
    """Where so many start, apart from each other and from the walls, and which way."""
    columns = (count + 1) // 2
    found: list[tuple[Cell, Cell]] = []
    for number in range(count):
        left = number % 2 == 0
        y = (number // 2 + 1) * height // (columns + 1)
        found.append(((width // 5, y), (1, 0)) if left else ((width - 1 - width // 5, y), (-1, 0)))
    return found


class Game(Party):
    """A room of the game. Whoever only watches needs no seat."""

    def on_start(self) -> None:
        """Nobody is here yet."""
        self.arena = Arena()
        self.phase = "waiting"
        self._left = 0
        self._seats: dict[Connection, int] = {}
        self._round = False

    def on_connect(self, connection: Connection) -> None:
        """Show the newcomer how it stands."""
        connection.send_json({"type": "welcome", "width": self.arena.width, "height": self.arena.height})
        connection.send_json(self._state(connection))

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Sit down, turn, or begin; anything else is ignored."""
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return
        seat = self._seats.get(connection)
        match said:
            case {"type": "play", "name": str(name), "color": str(color)} if seat is None:
                self._sit(connection, name, color)
            case {"type": "turn", "way": str(way)} if seat is not None:
                self.arena.turn(seat, way)
            case {"type": "begin"} if seat is not None and not self._round:
                self._round = True
                self.room.spawn(self._play())

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Who leaves is out."""
        seat = self._seats.pop(connection, None)
        if seat is not None:
            self.arena.rise(seat)
            self._tell()

    def _sit(self, connection: Connection, name: str, color: str) -> None:
        name = "".join(char for char in name if char.isprintable())[:NAME] or "Somebody"
        seat = self.arena.sit(name, color if COLOUR.fullmatch(color) else "#8b8b95")
        if seat is not None:
            self._seats[connection] = seat
        self._tell()

    async def _play(self) -> None:
        """A round: count down, then move everybody until one is left."""
        try:
            self.phase = "counting"
            for self._left in range(COUNT, 0, -1):
                self.room.broadcast_json({"type": "count", "left": self._left})
                await asyncio.sleep(BEAT)
            self._left = 0
            self.phase = "running"
            self.arena.begin()
            self._tell()
            await self._run()
        finally:
            self.phase, self._left, self._round = "waiting", 0, False
            self._tell()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        tick, due = 0, loop.time()
        while self.arena.running:
            due = max(due + TICK, loop.time() - TICK)  # late once is not late for ever
            await asyncio.sleep(due - loop.time())
            tick += 1
            if tick > SLOW or tick % 2:
                out = self.arena.step()
                heads = {str(seat): one.at for seat, one in self.arena.riders.items() if one.riding}
                self.room.broadcast_json({"type": "tick", "heads": heads, "out": out})

    def _tell(self) -> None:
        """Tell everybody how it stands."""
        for connection in self.room.connections():
            connection.send_json(self._state(connection))

    def _state(self, connection: Connection) -> dict[str, Any]:
        return {
            "type": "state",
            "phase": self.phase,
            "left": self._left,
            "you": self._seats.get(connection),
            "players": {
                str(seat): {"name": one.name, "color": one.color, "wins": one.wins, "riding": one.riding}
                for seat, one in self.arena.riders.items()
            },
            "cells": {f"{x},{y}": seat for (x, y), seat in self.arena.cells.items()},
        }
