"""LobbyScreen: choosing a room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from partyroom.client import Unreachable

from .places import Place, Recent, live_rooms, place_of

__all__ = ["LobbyScreen"]

BANNER = """\
█▀█ ▄▀█ █▀█ ▀█▀ █▄█ █▀█ █▀█ █▀█ █▀▄▀█
█▀▀ █▀█ █▀▄  █   █  █▀▄ █▄█ █▄█ █ ▀ █"""


class LobbyScreen(Screen[None]):
    """A field for any room or address, the rooms that are live on the server, and those where the user was.

    Choosing one is a message: ``Chosen``.
    """

    DEFAULT_CSS = """
    LobbyScreen { align: center middle; }
    LobbyScreen > Vertical { width: 76; max-width: 96%; height: 100%; max-height: 24; }
    LobbyScreen #banner { color: $primary; text-align: center; width: 100%; margin-bottom: 1; }
    LobbyScreen #server { color: $text-muted; text-align: center; width: 100%; margin-bottom: 1; }
    LobbyScreen #lists { layout: horizontal; height: 1fr; margin-top: 1; }
    LobbyScreen OptionList, LobbyScreen Input { border: round $foreground 25%; border-title-color: $text-muted; }
    LobbyScreen OptionList:focus, LobbyScreen Input:focus { border: round $primary; border-title-color: $primary; }
    LobbyScreen OptionList, LobbyScreen Input, LobbyScreen OptionList:focus, LobbyScreen Input:focus {
        background: $background; background-tint: transparent 0%;
    }
    LobbyScreen OptionList { height: 1fr; width: 1fr; padding: 0 1; }
    LobbyScreen OptionList > .option-list--option-highlighted { background: transparent; color: $foreground; }
    LobbyScreen OptionList:focus > .option-list--option-highlighted { background: $primary 30%; }
    LobbyScreen #recent { margin-left: 1; }
    LobbyScreen.-narrow #lists { layout: vertical; margin-top: 0; }
    LobbyScreen.-narrow #recent { margin-left: 0; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-wide")]  # noqa: RUF012  # as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "app.focus_next", "Lists", key_display="tab"),
        ("escape", "app.quit", "Quit"),
    ]
    EVERY = 2.0
    """Seconds between two looks at the server's list."""

    @dataclass
    class Chosen(Message):
        """The user wants to go there."""

        place: Place

    def __init__(self, host: str, name: str, recent: Recent | None = None, token: str | None = None) -> None:
        super().__init__()
        self.host = host
        self._who = name
        self._recent = recent or Recent()
        self._token = token
        self._recent_places: list[Place] = []
        self._live: list[Place] = []

    def compose(self) -> ComposeResult:
        """The field above, two lists below."""
        with Vertical():
            yield Static(BANNER, id="banner")
            yield Label(Text(f"{self._who} on {self.host}"), id="server")
            yield Input(placeholder="A room's name, or an address", id="where")
            with Container(id="lists"):
                live, recent = OptionList(id="live"), OptionList(id="recent")
                live.border_title, recent.border_title = "Rooms here", "Where you were"
                yield live
                yield recent
        yield Footer()

    def on_mount(self) -> None:
        """Look at the server's list, again and again."""
        self.set_interval(self.EVERY, self._look)
        self.query_one("#where", Input).focus()

    def on_screen_resume(self) -> None:
        """Back from a room, or here for the first time."""
        self._recent_places = self._recent.places()
        recent = self.query_one("#recent", OptionList)
        recent.set_options(Option(self._where(place)) for place in self._recent_places)
        if not self._recent_places:
            recent.add_option(Option(Text("nowhere yet", style="dim italic"), disabled=True))
        else:
            recent.highlighted = 0
        self._look()

    def _where(self, place: Place) -> Text:
        """A room, and its server where that is another one."""
        line = Text(str(place), no_wrap=True, overflow="ellipsis")
        if place.host != self.host:
            line.append(f"  {place.host.partition('://')[2] or place.host}", style="dim")
        return line

    def _look(self) -> None:
        if self.is_current:
            self._list()

    @work(exclusive=True)
    async def _list(self) -> None:
        try:
            rooms = await live_rooms(self.host)
        except Unreachable:
            self._show([], [], f"No server answers at {self.host}. `partyroom serve` starts one.")
            return
        if rooms is None:
            self._show([], [], "This server does not tell which rooms it has.")
            return
        places = [Place(self.host, room.room, room.party, self._token) for room in rooms]
        lines = []
        for place, room in zip(places, rooms, strict=True):
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(
                "● " if room.people else "○ ", style=self.app.theme_variables["success"] if room.people else "dim"
            )
            line.append(str(place))
            line.append(f"  {_count(room.people)}", style="dim")
            lines.append(line)
        self._show(places, lines, "Nobody is here yet: be the first.")

    def _show(self, places: list[Place], lines: list[Text], otherwise: str) -> None:
        live = self.query_one_optional("#live", OptionList)
        if live is None:
            return  # the answer came while the screen went
        highlighted, self._live = live.highlighted, places
        live.set_options(map(Option, lines))
        if not lines:
            live.add_option(Option(Text(otherwise, style="dim italic"), disabled=True))
        else:
            live.highlighted = min(highlighted or 0, len(lines) - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A room of one of the lists."""
        places = self._live if event.option_list.id == "live" else self._recent_places
        self.post_message(self.Chosen(places[event.option_index]))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A room by name or address."""
        try:
            place = place_of(event.value.strip(), self.host)
        except ValueError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if not place.room:
            self.notify("Which room? Type its name, such as welcome.", severity="warning")
        else:
            token = self._token if place.host == self.host else place.token
            self.post_message(self.Chosen(Place(place.host, place.room, place.party, token)))


def _count(people: int) -> str:
    """How many there are, in words."""
    return "" if not people else "1 person" if people == 1 else f"{people} people"
