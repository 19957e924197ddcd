"""StatusBar: how a document and its server stand, in one line."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from rich.text import Text
from textual import work
from textual.reactive import reactive
from textual.widgets import Static

from partyroom.client import DocumentClient, DocumentStatus, Unreachable

from .colours import name_of

__all__ = ["StatusBar"]

EVERY: Final = 5.0
"""Seconds between two looks at how long the server takes to answer."""
SOON: Final = 0.3
"""Seconds between two looks at whether all is saved, of which there is no event."""


class StatusBar(Static):
    """Online or offline, how long the server takes to answer, whether all is saved, and who is followed."""

    DEFAULT_CSS = """
    StatusBar { height: 1; padding: 0 1; background: $panel; color: $text-muted; }
    """

    following: reactive[int | None] = reactive(None)
    """The client id of whom the user follows."""
    note: reactive[str] = reactive("")
    """What else is to be said, at the end."""

    def __init__(self, client: DocumentClient, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.client = client
        self._milliseconds: float | None = None
        self._shown: object = None
        self._unhear: list[Callable[[], None]] = []

    def on_mount(self) -> None:
        """Begin to look."""
        self._unhear = [
            self.client.on_status(lambda status: self.call_later(self._status_changed)),
            self.client.on_change(lambda: self.call_later(self.draw)),
        ]
        self.set_interval(SOON, self.draw)
        self.set_interval(EVERY, self._time)
        self._status_changed()

    def on_unmount(self) -> None:
        """Look no more."""
        for unhear in self._unhear:
            unhear()

    def watch_following(self) -> None:
        """Somebody else is followed."""
        self.draw()

    def watch_note(self) -> None:
        """Something else is to be said."""
        self.draw()

    def _status_changed(self) -> None:
        self._milliseconds = None
        self._time()
        self.draw()

    def _time(self) -> None:
        if self.client.status is DocumentStatus.SYNCED:
            self._round_trip()

    @work(exclusive=True, exit_on_error=False)
    async def _round_trip(self) -> None:
        """Ask twice: the first answer may have had to wait for a connection."""
        for _ in range(2):
            begin = perf_counter()
            try:
                await self.client.socket.fetch("ping", method="HEAD", timeout=EVERY)
            except Unreachable:
                self._milliseconds = None
            else:
                self._milliseconds = (perf_counter() - begin) * 1000
        self.draw()

    def draw(self) -> None:
        """Show how it stands now."""
        line = self.line()
        if self.is_mounted and (shown := (line.plain, self.app.theme)) != self._shown:
            self._shown = shown
            self.update(line)

    def line(self) -> Text:
        """The line, in words and marks that do without colour as well."""
        status, unsaved = self.client.status, self.client.unsaved
        line = Text(no_wrap=True, overflow="ellipsis")
        if status is DocumentStatus.SYNCED:
            line.append("● online", style=self._bold("success"))
            if self._milliseconds is not None:
                line.append(f" {max(self._milliseconds, 1):.0f} ms")
            line.append("   saving…" if unsaved and not self.client.read_only else "   ✓ saved")
            if self.client.read_only:
                line.append("   read only", style=self._bold("warning"))
        elif status is DocumentStatus.CLOSED:
            line.append(f"■ closed: {self.client.failure or 'good bye'}", style=self._bold("error"))
        elif status is DocumentStatus.OFFLINE:
            line.append("○ offline", style=self._bold("warning"))
            line.append("   edits wait here" if unsaved else "   you may go on")
        else:
            line.append("◌ connecting…", style=self._bold("warning"))
            if self.client.failure:
                line.append(f"   {self.client.failure}")
        if self.following is not None and (state := self.client.others.get(self.following)) is not None:
            line.append(f"   ◉ following {name_of(state)}", style="bold")
        if self.note:
            line.append(f"   {self.note}")
        return line

    def _bold(self, colour: str) -> str:
        """A colour of the theme, in bold."""
        return f"bold {self.app.theme_variables[colour]}"
