"""Two people in one room: apps in this process, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from partyroom_tui.join import JoinApp
from partyroom_tui.places import Place, Recent
from partyroom_tui.room import RoomScreen
from textual.app import App
from textual.pilot import Pilot
from textual.widget import Widget

__all__ = ["WIDE", "Person", "eventually", "in_room", "screen_text"]

WIDE = (110, 32)
Found = TypeVar("Found", bound=Widget)


async def eventually(so: Callable[[], object], timeout: float = 10) -> None:
    """Wait until something holds; raises ``TimeoutError``."""
    async with asyncio.timeout(timeout):
        while not so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def screen_text(app: App[Any]) -> str:
    """What an app's screen shows, as lines of text."""
    width, height = app.size
    update = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width].rstrip() for strip in update[:height])


class Person:
    """Somebody at an app."""

    def __init__(self, app: JoinApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def room(self) -> RoomScreen:
        """The room that they are in."""
        assert isinstance(self.app.screen, RoomScreen), self.app.screen
        return self.app.screen

    def part(self, kind: type[Found]) -> Found:
        """The widget of a kind."""
        return self.app.screen.query_one(kind)

    @property
    def sees(self) -> str:
        """What is on their screen."""
        return screen_text(self.app)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def see(self, text: str) -> None:
        """Wait until something is on their screen."""
        try:
            await eventually(lambda: text in self.sees)
        except TimeoutError:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.sees}") from None


@asynccontextmanager
async def in_room(
    host: str, room: str, name: str, folder: Path, size: tuple[int, int] = WIDE, **options: Any
) -> AsyncIterator[Person]:
    """Somebody in a room, once its document is there."""
    app = JoinApp(Place(host, room), name=name, recent=Recent(folder / f"{name}.json"), **options)
    async with app.run_test(size=size) as pilot:
        person = Person(app, pilot)
        if room:
            await eventually(lambda: isinstance(app.screen, RoomScreen))
            await person.room.client.synced(10)
            await eventually(lambda: app.focused is not None)
        yield person
