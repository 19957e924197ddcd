"""TrailsGame: the screen of the game that the server plays (``partyroom/readymade/game.py`` has its messages)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.color import Color
from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from partyroom.client import ConnectionClosed, PartySocket, QueueFull, Status

from .colours import apart, colour_of, name_of
from .pixels import halves, shade

__all__ = ["TrailsGame"]

PLACE: Final = re.compile(r"(\d{1,3}),(\d{1,3})")
WALL: Final = "#55555f"


class Field(Widget, can_focus=True):
    """The arena: two of its cells in one of the terminal. Where it is larger than that, the own head is in view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("up,w", "turn('up')", ""),
        ("down,s", "turn('down')", ""),
        ("left,a", "turn('left')", ""),
        ("right,d", "turn('right')", ""),
        ("space", "begin", "Begin a round"),
    ]

    def __init__(self, game: TrailsGame) -> None:
        super().__init__()
        self._game = game

    def action_turn(self, way: str) -> None:
        """Turn."""
        self._game.send({"type": "turn", "way": way})

    def action_begin(self) -> None:
        """Begin a round."""
        self._game.send({"type": "begin"})

    def on_focus(self) -> None:
        """Whoever is here plays."""
        self._game.sit()

    def render_line(self, y: int) -> Strip:
        """Textual asks for a row of the screen."""
        game, width = self._game, self.size.width
        left, top = self.corner
        ground = self.background_colors[1]
        shades = shade(ground, 0), shade(ground, 0.04), shade(ground, 0.06)
        row = top + 2 * y
        cells = ((game.look(x, row, shades), game.look(x, row + 1, shades)) for x in range(left, left + width))
        return Strip(halves(cells), width)

    def repaint(self, rows: set[int]) -> None:
        """Paint some rows of the arena anew."""
        _, top = self.corner
        self.refresh(*(Region(0, (row - top) // 2, self.size.width, 1) for row in rows))

    @property
    def corner(self) -> tuple[int, int]:
        """The cell of the arena in the upper left corner; the walls are around it."""
        game = self._game
        x, y = game.head or (game.width // 2, game.height // 2)
        return (
            _begin(x, self.size.width, game.width),
            _begin(y, 2 * self.size.height, game.height),
        )


def _begin(at: int, seen: int, all: int) -> int:
    """Where a view of so many cells begins: in the middle of the arena, or with ``at`` in it where it is too small."""
    if seen >= all + 2:
        return -((seen - all) // 2)
    return min(max(at - seen // 2, -1), all + 1 - seen)


class TrailsGame(Vertical):
    """The game that a ``socket`` to a ``Game`` room is for; ``user`` is who plays: ``{"name", "color"}``.

    It connects when the user comes to it for the first time.
    """

    DEFAULT_CSS = """
    TrailsGame { height: 1fr; }
    TrailsGame > Static { height: 1; padding: 0 1; background: $surface; }
    TrailsGame > Field { height: 1fr; }
    """

    def __init__(self, socket: PartySocket, user: dict[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.socket = socket
        self.user = user
        self.width, self.height = 76, 44
        self.phase = "waiting"
        """``waiting``, ``counting`` or ``running``."""
        self.players: dict[str, dict[str, Any]] = {}
        """Who plays, by seat."""
        self.you: str | None = None
        """The user's own seat."""
        self._wants = False
        self._left = 0
        self._winner = ""
        self._trails: dict[tuple[int, int], str] = {}
        self._heads: dict[str, tuple[int, int]] = {}
        self._colours: dict[str, tuple[str, str]] = {}
        self._unhear: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """Who plays above, the arena below."""
        yield Static()
        yield Field(self)

    def on_mount(self) -> None:
        """Begin to listen."""
        self._unhear = [
            self.socket.on_message(lambda message: self.call_later(self._heard, message)),
            self.socket.on_status(lambda status: self.call_later(self._status_changed, status)),
        ]
        self._draw()

    def on_unmount(self) -> None:
        """Listen no more."""
        for unhear in self._unhear:
            unhear()

    @property
    def head(self) -> tuple[int, int] | None:
        """Where the user is in the arena."""
        return self._heads.get(self.you or "")

    def sit(self) -> None:
        """Play, if a seat is free."""
        self._wants = True
        self.socket.start()
        if self.you is None:
            self.send({"type": "play", "name": self.user["name"], "color": self.user.get("color", "")})

    def send(self, message: dict[str, Any]) -> None:
        """Tell the server, unless there is none: what is late is of no use in a game."""
        if self.socket.status is Status.OPEN:
            try:
                self.socket.post(json.dumps(message))
            except (ConnectionClosed, QueueFull):
                return

    def look(self, x: int, y: int, shades: tuple[str, str, str] = ("#000000",) * 3) -> str:
        """The colour of a cell of the arena; ``shades`` are what is outside of it, and two for what is free in it."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            wall = -1 <= x <= self.width and -1 <= y <= self.height
            return WALL if wall else shades[0]
        seat = self._trails.get((x, y))
        if seat is None:
            return shades[1 + (x // 4 + y // 4) % 2]
        trail, head = self._colours.get(seat, (WALL, WALL))
        return head if self._heads.get(seat) == (x, y) else trail

    # -- the server --------------------------------------------------------------------------------------------------

    def _status_changed(self, status: Status) -> None:
        if status is not Status.OPEN:
            self.you = None
        elif self._wants:
            self.sit()
        self._draw()

    def _heard(self, message: str | bytes) -> None:
        """A message of the server; one that is not what it should be is left alone."""
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return
        match said:
            case {"type": "welcome", "width": int(width), "height": int(height)}:
                self.width, self.height = min(max(width, 8), 500), min(max(height, 8), 500)
            case {"type": "state", "phase": str(phase), "players": dict(players), "cells": dict(cells), "you": you}:
                self.you = None if you is None else str(you)
                self._take(phase, players, cells)
            case {"type": "tick", "heads": dict(heads)}:
                self._move(heads)
                return
            case {"type": "count", "left": int(left)}:
                self.phase, self._left = "counting", left
        self._draw()

    def _take(self, phase: str, players: dict[str, Any], cells: dict[str, Any]) -> None:
        began, self.phase = phase == "running" != self.phase, phase
        before, self.players = self.players, {seat: one for seat, one in players.items() if isinstance(one, dict)}
        self._winner = next((_name(one) for seat, one in self.players.items() if _has_won(before.get(seat), one)), "")
        self._colours = {
            seat: (colour.hex6, colour.lighten(0.3).hex6)
            for seat, colour in zip(self.players, apart(_colours(self.players)), strict=True)
        }
        found = {key: PLACE.fullmatch(key) for key in cells}
        self._trails = {(int(at[1]), int(at[2])): str(cells[key]) for key, at in found.items() if at}
        if began:
            self._heads = {seat: at for at, seat in self._trails.items()}

    def _move(self, heads: dict[str, Any]) -> None:
        """One step, twenty times a second: no more is painted than what has changed."""
        field = self.query_one(Field)
        corner, before, self._heads = field.corner, self._heads, {}
        for seat, place in heads.items():
            match place:
                case [int(x), int(y)]:
                    self._heads[seat] = (x, y)
                    self._trails[x, y] = seat
        if before.keys() != self._heads.keys() or field.corner != corner:
            self._draw()
        else:
            field.repaint({y for _, y in (*before.values(), *self._heads.values())})

    def _draw(self) -> None:
        self.query_one(Static).update(self._line())
        self.query_one(Field).refresh()

    def _line(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for seat, one in self.players.items():
            line.append("■ ", style=self._colours[seat][0])
            out = self.phase == "running" and seat not in self._heads
            line.append(_name(one), style="strike dim" if out else "bold" if seat == self.you else "")
            line.append(f" {one.get('wins', 0)}   ", style="dim")
        if self.socket.status is not Status.OPEN:
            line.append("no game here now", style="dim italic")
        elif self.phase == "counting":
            line.append(f"{self._left} …", style=f"bold {self.app.theme_variables['warning']}")
        elif self.phase == "waiting":
            if self._winner:
                line.append(f"{self._winner} has won!  ", style="bold")
            line.append("Space begins" if self.you is not None else "Tab or click here to play", style="italic")
        return line


def _name(player: dict[str, Any]) -> str:
    return name_of({"user": player})


def _colours(players: dict[str, dict[str, Any]]) -> Iterator[Color]:
    """What the players would like to ride in."""
    for seat, one in players.items():
        yield colour_of({"user": one}, int(seat) if seat.isdecimal() else 0)


def _has_won(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """Whether a player has one more win than a moment ago."""
    match before, now:
        case {"wins": int(earlier)}, {"wins": int(wins)}:
            return wins > earlier
    return False
