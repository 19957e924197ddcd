"""PartyApp: a Textual app in one room, to build one's own on.

::

    class Board(PartyApp):
        def compose(self) -> ComposeResult:
            yield PixelCanvas(self.client)
            yield People(self.client)

    Board("localhost:1999", room="welcome", name="Ada").run()
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.theme import Theme

from partyroom.client import DocumentClient, PartySocket

from .seat import Seat

__all__ = ["DARK", "LIGHT", "PartyApp", "dress"]

DARK = Theme(
    name="partyroom-dark",
    primary="#ff8f57",
    secondary="#56b4e9",
    accent="#ff8f57",
    success="#4ade80",
    warning="#e69f00",
    error="#ff6b6b",
    foreground="#ededf0",
    background="#0f0f11",
    surface="#17171a",
    panel="#232328",
    dark=True,
    variables={"scrollbar": "#3a3a42", "scrollbar-hover": "#55555f", "scrollbar-background": "#17171a"},
)
LIGHT = Theme(
    name="partyroom-light",
    primary="#c4450c",
    secondary="#0072b2",
    accent="#c4450c",
    success="#15803d",
    warning="#8a5a00",
    error="#b42318",
    foreground="#1b1b1e",
    background="#fafaf8",
    surface="#ffffff",
    panel="#e7e7e2",
    dark=False,
    variables={"scrollbar": "#c9c9c2", "scrollbar-hover": "#a3a39c", "scrollbar-background": "#f1f1ed"},
)


def dress(app: App[Any]) -> None:
    """Give an app our two themes, and put on the dark one."""
    app.register_theme(DARK)
    app.register_theme(LIGHT)
    app.theme = DARK.name


class PartyApp(App[None]):
    """An app in a room: connected from its first screen to its end. Keyword options are those of ``Seat``."""

    def __init__(self, host: str, *, room: str, name: str, **options: Any) -> None:
        super().__init__()
        dress(self)
        self.seat = Seat(host, room, name=name, **options)
        """Who sits where."""

    @property
    def client(self) -> DocumentClient:
        """The room's document: what the widgets share."""
        return self.seat.client

    @property
    def chat(self) -> PartySocket:
        """The room's chat."""
        return self.seat.socket("chat")

    async def on_mount(self) -> None:
        """Come in. A subclass may have an ``on_mount`` of its own beside this."""
        await self.seat.start()

    async def on_unmount(self) -> None:
        """Leave."""
        await self.seat.close()
