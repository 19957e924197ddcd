"""Chat: what is said in a chat room of ``partyroom serve`` (``partyroom/cli/readymade.py`` has the messages)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from partyroom.client import ConnectionClosed, PartySocket, QueueFull, Status

from .colours import colour_of, name_of, readable
from .entry import Entry

__all__ = ["Chat"]

SHOWN: Final = 300
"""How many messages are kept on the screen."""
LONGEST: Final = 4000
"""The most characters of a message that the server takes."""


class Chat(Vertical):
    """The chat that a ``socket`` is connected to; ``user`` is who speaks: ``{"name", "color"}``.

    What is said while there is no connection is sent when there is one again.
    """

    DEFAULT_CSS = """
    Chat { height: 1fr; min-height: 6; }
    Chat > VerticalScroll { height: 1fr; padding: 0 1; background: transparent; scrollbar-size-vertical: 1; }
    Chat .chat--line { height: auto; width: 1fr; }
    Chat .chat--nothing { color: $text-muted; text-style: italic; }
    """

    @dataclass
    class Said(Message):
        """Somebody has said something now; what was said before this client came is no news."""

        chat: Chat
        name: str
        text: str

        @property
        def control(self) -> Chat:
            """The chat."""
            return self.chat

    def __init__(self, socket: PartySocket, user: dict[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.socket = socket
        self.user = user
        self._seen: set[str] = set()
        self._last: tuple[str, str] | None = None
        self._unhear: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """What was said above, what is to be said below."""
        with VerticalScroll(can_focus=False):
            yield Static("Nothing said yet.", classes="chat--nothing")
        yield Entry(placeholder="Say something", max_length=LONGEST)

    def on_mount(self) -> None:
        """Begin to listen."""
        self._unhear = [
            self.socket.on_message(lambda message: self.call_later(self._heard, message)),
            self.socket.on_status(lambda status: self.call_later(self._status_changed)),
        ]
        self._log.anchor()
        self.socket.start()
        self._status_changed()

    def on_unmount(self) -> None:
        """Listen no more."""
        for unhear in self._unhear:
            unhear()

    def say(self, text: str) -> None:
        """Say something to all."""
        said = {"type": "say", "text": text, "name": self.user["name"][:60], "color": self.user.get("color", "")}
        try:
            self.socket.post(json.dumps(said))
        except (ConnectionClosed, QueueFull) as error:
            self.notify(f"This could not be said: {error}", severity="error", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter was pressed."""
        event.stop()
        if event.value.strip():
            self.say(event.value)
        self._log.anchor()

    @property
    def _log(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def _status_changed(self) -> None:
        here = self.socket.status is Status.OPEN
        self.query_one(Entry).placeholder = "Say something" if here else "Offline: sent on return"

    async def _heard(self, message: str | bytes) -> None:
        """A message of the server; one that is not what it should be is left alone."""
        try:
            said = json.loads(message)
        except (ValueError, RecursionError):
            return
        match said:
            case {"type": "history", "messages": list(messages)}:
                await self._show([one for one in messages if isinstance(one, dict)])
            case {"type": "message"}:
                if await self._show([said]) and said.get("name") != self.user["name"]:
                    self.post_message(self.Said(self, name_of({"user": said}), str(said.get("text", ""))))
            case {"type": "error", "message": str(words)}:
                self.notify(words[:200], severity="warning", markup=False)

    async def _show(self, messages: list[dict[str, Any]]) -> bool:
        """Add what is new below; what was read stays in view where the user has scrolled up."""
        new = [one for one in messages if one.get("id") not in self._seen and isinstance(one.get("text"), str)]
        if not new:
            return False
        log = self._log
        self._seen.update(str(one.get("id")) for one in new)
        await log.query(".chat--nothing").remove()
        await log.mount_all(Static(line, classes="chat--line") for one in new for line in self._lines(one))
        lines = log.query(".chat--line")
        if len(lines) > SHOWN:
            await log.remove_children(lines[:-SHOWN])
        return True

    def _lines(self, message: dict[str, Any]) -> Iterator[Text]:
        """A line with who and when, left out within a minute of the same person's words, and the words."""
        name = name_of({"user": message})
        when = _time(message.get("at"))
        if (name, when) != self._last:
            head = Text(no_wrap=True, overflow="ellipsis")
            colour = readable(colour_of({"user": message}, len(name)), self.background_colors[1])
            head.append(name, style=f"bold {colour.hex6}")
            head.append(f"  {when}", style="dim")
            yield head
        self._last = (name, when)
        yield Text("".join(char if char.isprintable() or char == "\n" else " " for char in message["text"]))


def _time(at: Any) -> str:
    """Hours and minutes here, of milliseconds since the epoch; empty for what is no time."""
    if isinstance(at, (int, float)) and 0 <= at < 4e12:
        return datetime.fromtimestamp(at / 1000).strftime("%H:%M")
    return ""
