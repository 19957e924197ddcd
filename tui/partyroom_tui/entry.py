"""Entry: a line to type into, one after the other."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from .keys import act

__all__ = ["Entry"]


class Entry(Input):
    """An ``Input`` that is empty after Enter, and takes keys in their order (see ``act``)."""

    DEFAULT_CSS = """
    Entry { border: round $foreground 25%; background: transparent; height: 3; padding: 0 1; }
    Entry:focus { border: round $primary; background-tint: transparent 0%; }
    """

    async def on_key(self, event: events.Key) -> None:
        """End the line where Enter is, before anything that comes after it."""
        if not event.is_printable and await act(self, event) and event.key == "enter":
            self.clear()
