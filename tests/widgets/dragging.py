"""Five people drag thirty sliders at once: the proof, of any length."""

from __future__ import annotations

import random
import threading
import time
from typing import NamedTuple

import ipywidgets
import pytest
from partyroom_widgets import Room
from partyroom_widgets.joining import open_room
from partyroom_widgets.pace import EVERY

import partyroom
from partyroom import Connection
from partyroom.cli.readymade import Document
from tests.unit.client import beside

from .waiting import until

__all__ = ["Figures", "bound", "drag"]

PEOPLE = 5
SLIDERS = 30
KEYS = [f"slider {number}" for number in range(SLIDERS)]


class Counted(Document):
    """Documents that count what they are sent."""

    messages = 0

    def on_message(self, connection: Connection, message: str | bytes) -> object:  # type: ignore[override]
        type(self).messages += 1
        return super().on_message(connection, message)


class Figures(NamedTuple):
    """What it took."""

    moves: int
    messages: int
    seconds: float

    def __str__(self) -> str:
        rate = self.messages / self.seconds
        return (
            f"{PEOPLE} people x {SLIDERS} sliders, {self.seconds:.1f} s: {self.moves / self.seconds:.0f} moves/s, "
            f"{rate:.1f} messages/s to the server ({rate / PEOPLE:.1f} a person)"
        )


def drag(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Figures:
    """Drag for so long; all have the same then, a script too, and it is quiet. Returns the figures."""
    monkeypatch.setitem(beside.PARTIES, "main", Counted)
    Counted.messages = 0
    with beside.beside() as server:
        rooms = [open_room("drag", name=f"Person {number}", url=server.url) for number in range(PEOPLE)]
        script = partyroom.connect("drag", server=server.url)
        try:
            return _drag(seconds, rooms, script)
        finally:
            script.close()
            for room in rooms:
                room.close()


def _drag(seconds: float, rooms: list[Room], script: partyroom.client.DocumentRoom) -> Figures:
    desks = []
    for room in rooms:
        desks.append([ipywidgets.IntSlider(max=10**6) for _ in KEYS])
        for key, slider in zip(KEYS, desks[-1], strict=True):
            room.share(slider, key=key)
        room.saved()
        until(lambda room=room: len(room.client.map("widgets")) == SLIDERS, room)  # type: ignore[misc]
    before, began = Counted.messages, time.monotonic()
    moves = [0] * PEOPLE
    hands = [threading.Thread(target=_hand, args=(seconds, number, desk, moves)) for number, desk in enumerate(desks)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    figures = Figures(sum(moves), Counted.messages - before, time.monotonic() - began)

    def all_have_the_same() -> bool:
        stored = dict(script.map("widgets"))
        return all([slider.value for slider in desk] == [stored[key] for key in KEYS] for desk in desks)

    until(lambda: not any(room.me.moving for room in rooms), *rooms)
    until(all_have_the_same, *rooms)
    _it_is_quiet(rooms, script)
    assert all_have_the_same()
    for desk in desks:
        for slider in desk:
            slider.close()
    return figures


def _hand(seconds: float, number: int, desk: list[ipywidgets.IntSlider], moves: list[int]) -> None:
    """Drags all sliders, thirty times a second, as a page would report it."""
    chance, pause, ends = random.Random(number), threading.Event(), time.monotonic() + seconds
    while time.monotonic() < ends:
        for slider in desk:
            slider.value = chance.randrange(10**6)
        moves[number] += len(desk)
        pause.wait(1 / 30)


def _it_is_quiet(rooms: list[Room], script: partyroom.client.DocumentRoom) -> None:
    """What a script says last is the only message there is."""
    for room in rooms:
        room.saved()
    before = Counted.messages
    script.map("widgets")["last"] = 1
    until(lambda: all("last" in room.client.map("widgets") for room in rooms), *rooms)
    script.saved(10)
    assert Counted.messages - before <= 1 + PEOPLE  # and perhaps everybody says that he is still here


def bound(figures: Figures) -> float:
    """The most messages that there may be: each person's moves, after each the question whether they are stored (the
    client's own), and a few words about what he takes and lets go."""
    return PEOPLE * (2 * 1.1 * figures.seconds / EVERY + 12)
