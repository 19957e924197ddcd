"""JoinApp: ``partyroom join``: a lobby, and the rooms that one goes to from there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.screen import Screen

from .app import dress
from .lobby import LobbyScreen
from .places import Place, Recent
from .room import RoomScreen
from .seat import Seat

__all__ = ["JoinApp", "run"]


class JoinApp(App[None]):
    """The whole app. With a room in ``place`` it begins there, otherwise in the lobby.

    ``file`` is kept in step with that room's notes. ``confined`` is for guests: they stay in that room, and nothing of
    this computer is written to. ``ssh`` is shown to those who share (see ``share.ways_in``).
    """

    TITLE = "partyroom"

    def __init__(
        self,
        place: Place,
        *,
        name: str,
        color: str | None = None,
        recent: Recent | None = None,
        confined: bool = False,
        ssh: str = "",
        file: Path | None = None,
        driver_class: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class)
        dress(self)
        self.place = place
        self._who = name
        self._color = color
        self._recent = recent or Recent()
        self._confined = confined
        self._ssh = ssh
        self._file = file

    async def on_mount(self) -> None:
        """Begin."""
        if not self._confined:
            await self.push_screen(LobbyScreen(self.place.host, self._who, self._recent, self.place.token))
        if self.place.room:
            await self.enter(self.place)

    async def enter(self, place: Place) -> None:
        """Go into a room."""
        try:
            seat = Seat(place.host, place.room, party=place.party, name=self._who, color=self._color, token=place.token)
        except ValueError as error:
            self.notify(f"There is no such room: {error}", severity="error", markup=False)
            return
        if not self._confined:
            self._recent.add(place)
        file = self._file if place == self.place else None
        await self.push_screen(RoomScreen(seat, ssh=self._ssh, can_leave=not self._confined, file=file))

    async def on_lobby_screen_chosen(self, event: LobbyScreen.Chosen) -> None:
        """A room was chosen."""
        await self.enter(event.place)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's commands (themes, keys, quit), without those that write files, and the room's own."""
        for command in super().get_system_commands(screen):
            if "screenshot" not in command.title.lower():
                yield command
        if isinstance(screen, RoomScreen):
            for title, help, callback in screen.commands():
                yield SystemCommand(title, help, callback)


def run(place: Place, *, name: str, color: str | None = None, file: Path | None = None) -> None:
    """Run it in this terminal until the user leaves."""
    JoinApp(place, name=name, color=color, file=file).run()
