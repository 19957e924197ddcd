"""People: who is in a room, to see and to follow; and quiet words as they come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from textual import events
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from partyroom.client import DocumentClient, DocumentStatus

from .colours import colour_of, name_of, readable

__all__ = ["People"]

SETTLE: Final = 1.5
"""Seconds after joining in which whoever turns up was here before, for all that is known."""
RETURN: Final = 3.0
"""Seconds within which somebody who has left may come back without a word about it."""


class People(OptionList):
    """The people of a ``client``'s room. Choosing one asks to follow them: ``Follow``.

    ``place`` in what somebody shows (a tab's name) stands behind the name. With ``toasts`` a word is said when
    somebody comes or goes, but not of those who were here first, nor when the connection breaks.
    """

    DEFAULT_CSS = """
    People, People:focus { border: none; padding: 0 1; background: transparent; background-tint: transparent 0%; }
    People { height: auto; max-height: 12; }
    People > .option-list--option-disabled { color: $foreground; }
    People > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    People:focus > .option-list--option-highlighted { background: $primary 30%; color: $foreground; text-style: bold; }
    """

    @dataclass
    class Follow(Message):
        """The user wants to follow somebody, or with ``None`` nobody any more."""

        people: People
        client_id: int | None

        @property
        def control(self) -> People:
            """The list."""
            return self.people

    def __init__(self, client: DocumentClient, *, toasts: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self.client = client
        self.following: int | None = None
        """Who is marked as being followed."""
        self._toasts = toasts
        self._known: dict[int, str] = {}
        self._settled = False
        self._leaving: dict[str, Timer] = {}
        self._unhear: list[Callable[[], None]] = []

    def on_mount(self) -> None:
        """Begin to look."""
        self._unhear = [
            self.client.on_presence(lambda *changed: self.call_later(self._changed)),
            self.client.on_status(lambda status: self.call_later(self._status_changed)),
        ]
        self._status_changed()
        self._changed()

    def on_unmount(self, event: events.Unmount) -> None:
        """Look no more."""
        for unhear in self._unhear:
            unhear()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Somebody was chosen; choosing them again ends it."""
        event.stop()
        chosen = int(event.option_id or 0)
        self.post_message(self.Follow(self, None if chosen == self.following else chosen))

    def mark(self, client_id: int | None) -> None:
        """Show who is followed."""
        self.following = client_id
        self._draw()

    def _status_changed(self) -> None:
        if self.client.status is not DocumentStatus.SYNCED:
            self._settled = False
        elif not self._settled:
            self.set_timer(SETTLE, self._settle)
        self._draw()

    def _settle(self) -> None:
        self._settled = self.client.status is DocumentStatus.SYNCED

    def _changed(self) -> None:
        before, self._known = self._known, {id: name_of(state) for id, state in self.client.others.items()}
        if self._settled:
            for id in self._known.keys() - before.keys():
                self._came(self._known[id])
            for id in before.keys() - self._known.keys():
                self._went(before[id])
        self._draw()

    def _came(self, name: str) -> None:
        if (timer := self._leaving.pop(name, None)) is not None:
            timer.stop()
        else:
            self._say(f"{name} is here")

    def _went(self, name: str) -> None:
        def say() -> None:
            self._leaving.pop(name, None)
            self._say(f"{name} has left")

        if name not in self._leaving:
            self._leaving[name] = self.set_timer(RETURN, say)

    def _say(self, words: str) -> None:
        if self._toasts:
            self.notify(words, timeout=3, markup=False)

    def _draw(self) -> None:
        highlighted = self.highlighted
        mine = {"user": self.client.user or {}}
        everybody = [(self.client.client_id, mine), *sorted(self.client.others.items(), key=_by_name)]
        own = self.client.client_id
        self.set_options(Option(self._line(id, state), id=str(id), disabled=id == own) for id, state in everybody)
        if highlighted is not None:
            self.highlighted = min(highlighted, len(everybody) - 1)

    def _line(self, id: int, state: dict[str, Any]) -> Text:
        background = self.background_colors[1]
        colour = readable(colour_of(state, id), background).hex6
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append("◉ " if id == self.following else "● ", style=colour)
        line.append(name_of(state))
        if id == self.client.client_id:
            line.append(" you", style="dim italic")
        elif isinstance(place := state.get("place"), str) and place.isprintable():
            line.append(f" · {place[:10]}", style="dim")
        if id == self.following:
            line.append(" following", style="dim italic")
        return line


def _by_name(person: tuple[int, dict[str, Any]]) -> tuple[str, int]:
    return name_of(person[1]).casefold(), person[0]
