"""Entry: a line to type into, one after the other."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

__all__ = ["Entry"]


class Entry(Input):
    """An ``Input`` that is empty after Enter.

    An ``Input`` learns of Enter by way of the app's bindings, later than of the letters that follow it: where they
    come all at once (over a slow line, or from a program) it hands over two lines as one. Here it ends at Enter.
    """

    DEFAULT_CSS = """
    Entry { border: round $foreground 25%; background: transparent; height: 3; padding: 0 1; }
    Entry:focus { border: round $primary; background-tint: transparent 0%; }
    """

    async def on_key(self, event: events.Key) -> None:
        """End the line where Enter is, before anything that comes after it."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            await self.action_submit()
            self.clear()
