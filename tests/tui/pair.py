"""Two people with a text area each, in apps of their own, in one room: what the tests of the editor begin with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from partyroom_tui import SharedTextArea, user
from pycrdt import Doc
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from partyroom.client import DocumentClient
from partyroom.testing import settle
from tests.unit.client.inside import Inside


class OneArea(App[None]):
    """An app that is a text area."""

    CSS = "SharedTextArea { border: none; padding: 0; }"

    def __init__(self, area: SharedTextArea) -> None:
        super().__init__()
        self.area = area

    def compose(self) -> ComposeResult:
        yield self.area


class Seat:
    """One person: a client, and a text area with the focus."""

    def __init__(self, client: DocumentClient, area: SharedTextArea, pilot: Pilot[None]) -> None:
        self.client = client
        self.area = area
        self.pilot = pilot

    @property
    def shared(self) -> str:
        """The text in the document."""
        return str(self.area.shared)

    @property
    def ends(self) -> tuple[int, int]:
        """Where the selection begins and ends, as indices of the text."""
        anchor, head = map(self.area.document.get_index_from_location, self.area.selection)
        return anchor, head

    async def do(self, *actions: Callable[[], object]) -> None:
        """Call something as the widget's own code is called, and wait until all that follows from it is done."""
        for action in actions:
            self.area.call_later(action)
        await self.idle()

    async def type(self, text: str) -> None:
        """Type characters; a line end is the Enter key."""
        for char in text:
            key = "enter" if char == "\n" else char
            self.area.post_message(events.Key(key, None if char == "\n" else char))
        await self.idle()

    async def press(self, *keys: str) -> None:
        """Press keys that are bound to something."""
        await self.pilot.press(*keys)
        await self.idle()

    async def select(self, anchor: int, head: int | None = None) -> None:
        """Select from one index of the text to another."""
        at = self.area.document.get_location_from_index

        def move() -> None:
            self.area.selection = type(self.area.selection)(at(anchor), at(anchor if head is None else head))

        await self.do(move)

    async def idle(self) -> None:
        """Wait until the widget has nothing more to do."""
        for _ in range(3):
            done = asyncio.Event()
            self.area.call_later(done.set)
            await asyncio.wait_for(done.wait(), 10)
            await settle(5)


@asynccontextmanager
async def seated(client: DocumentClient, size: tuple[int, int] = (60, 16), **options: Any) -> AsyncIterator[Seat]:
    """A person with a client."""
    area = SharedTextArea(client, "body", **{"undo_pause": 0, "beat": 0, **options})
    async with OneArea(area).run_test(size=size, notifications=True) as pilot:
        area.focus()
        area.cursor_blink = False
        await pilot.pause()
        yield Seat(client, area, pilot)


class Pair:
    """Ada and Bob, in one room."""

    def __init__(self, inside: Inside, ada: Seat, bob: Seat) -> None:
        self.inside = inside
        self.ada = ada
        self.bob = bob

    async def settle(self) -> None:
        """Wait until both have heard of everything."""
        for _ in range(2):
            await settle()
            await self.ada.idle()
            await self.bob.idle()


@asynccontextmanager
async def paired(
    text: str = "", *, ada: dict[str, Any] | None = None, bob: dict[str, Any] | None = None
) -> AsyncIterator[Pair]:
    """Two people in a room with a text in it; each with options of the widget."""
    async with AsyncExitStack() as stack:
        inside = await stack.enter_async_context(Inside.running())
        first = await stack.enter_async_context(inside.joined(user=user("Ada"), doc=Doc(client_id=1)))
        other = await stack.enter_async_context(inside.joined(user=user("Bob"), doc=Doc(client_id=2)))
        if text:
            first.text("body").append(text)
            await settle()
        one = await stack.enter_async_context(seated(first, **(ada or {})))
        two = await stack.enter_async_context(seated(other, **(bob or {})))
        pair = Pair(inside, one, two)
        await pair.settle()
        yield pair
