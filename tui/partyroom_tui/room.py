"""RoomScreen: a room with all that is in it: tabs, the people, the chat, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input, Label, Static, TabbedContent, TabPane

from .canvas import PixelCanvas
from .chat import Chat
from .colours import name_of
from .file_sync import FileSync, FileTrouble, language_of
from .game import TrailsGame
from .help import HelpScreen
from .presence import People
from .seat import Seat
from .share import ShareScreen
from .status import StatusBar
from .table import SharedTable
from .text_area import SharedTextArea
from .todo import SharedTodo

__all__ = ["RoomScreen"]

NOTES: Final = "body"
"""The text that the home page's editor shows as well."""


class RoomScreen(Screen[None]):
    """The room of a ``seat``, which is taken with this screen and left with it."""

    DEFAULT_CSS = """
    RoomScreen #title { height: 1; background: $panel; padding: 0 1; }
    RoomScreen #room-name { width: 1fr; }
    RoomScreen #keys { width: auto; color: $text-muted; }
    RoomScreen #main { height: 1fr; }
    RoomScreen TabbedContent { width: 1fr; height: 1fr; }
    RoomScreen TabPane { padding: 0; }
    RoomScreen #notes-text { border: none; padding: 0 1; background: $background; height: 1fr; }
    RoomScreen #side { width: 30; border-left: vkey $panel; background: $surface; }
    RoomScreen .side--title { color: $text-muted; text-style: bold; padding: 0 1; margin-top: 1; width: 100%; }
    RoomScreen #people { max-height: 10; }
    RoomScreen.-narrow #side { display: none; }
    RoomScreen.-narrow.-side #side { display: block; width: 1fr; border: none; }
    RoomScreen.-narrow.-side TabbedContent { display: none; }
    RoomScreen.-wide.-aside #side { display: none; }
    RoomScreen.-narrow #keys { display: none; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]  # noqa: RUF012  # as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        ("f1", "help", "Help"),
        ("f2", "side", "Chat"),
        ("f3", "share", "Share"),
        ("f4", "leave", "Leave"),
        Binding("ctrl+pageup", "tab(-1)", "Tab before", show=False, priority=True),
        Binding("ctrl+pagedown", "tab(1)", "Next tab", show=False, priority=True),
    ]

    def __init__(self, seat: Seat, *, ssh: str = "", can_leave: bool = True, file: Path | None = None) -> None:
        super().__init__()
        self.seat = seat
        self.client = seat.client
        self.following: int | None = None
        """Whom the user follows, by client id."""
        self.file = None if file is None else FileSync(seat.client, file, NOTES, say=self._say)
        """The file that the notes are kept in step with."""
        self._ssh = ssh
        self._can_leave = can_leave
        self._unread = 0
        self._leading = ""
        self._unhear: list[Callable[[], None]] = []

    # -- what there is -----------------------------------------------------------------------------------------------

    def tabs(self) -> Iterator[tuple[str, Widget]]:
        """The names of the tabs, and what is in them."""
        language = "markdown" if self.file is None else language_of(self.file.path)
        yield "Notes", SharedTextArea(self.client, NOTES, language=language, id="notes-text")
        yield "Board", PixelCanvas(self.client)
        yield "Table", SharedTable(self.client)
        yield "Todo", SharedTodo(self.client)
        yield "Game", TrailsGame(self.seat.socket("game"), self.seat.user)

    def compose(self) -> ComposeResult:
        """Title, tabs, side panel, and how it stands."""
        with Horizontal(id="title"):
            yield Static(self._title(), id="room-name")
            yield Label("F1 help  ^P commands", id="keys")
        with Horizontal(id="main"):
            with TabbedContent():
                for name, widget in self.tabs():
                    with TabPane(name, id=name.lower()):
                        yield widget
            with Vertical(id="side"):
                yield Label("People", classes="side--title")
                yield People(self.client, id="people")
                yield Label("Chat", classes="side--title")
                yield Chat(self.seat.socket("chat"), self.seat.user, id="chat")
        yield StatusBar(self.client, id="status")
        yield Footer(compact=True, show_command_palette=False)

    def _title(self) -> Text:
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append("partyroom", style="bold")
        title.append(f" / {self.seat.room}")
        return title if self.file is None else title.append(f"  {self.file.path.name}", style="italic")

    async def on_mount(self) -> None:
        """Come in."""
        self._unhear = [self.client.on_presence(lambda *changed: self.call_later(self._keep_up))]
        await self.seat.start()
        if self.file is not None:
            try:
                await self.file.start()
            except FileTrouble as trouble:
                self._say(f"{self.file.path.name} is not in step: {trouble}")
        self._show_place()
        self.query_one(SharedTextArea).focus()

    async def on_unmount(self) -> None:
        """Leave."""
        for unhear in self._unhear:
            unhear()
        if self.file is not None:
            await self.file.close()
        await self.seat.close()

    def _say(self, words: str) -> None:
        self.call_later(self.notify, words, severity="warning", timeout=15, markup=False)

    # -- tabs --------------------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """The tab that is shown."""
        return self.query_one(TabbedContent).active

    def go(self, tab: str) -> None:
        """Show a tab, and put the keys to work there."""
        self.remove_class("-side")
        self.query_one(TabbedContent).active = tab
        self._focus_tab()

    def action_tab(self, by: int) -> None:
        """Show the tab after this one, or with -1 the one before."""
        ids = [str(pane.id) for pane in self.query(TabPane)]
        self.go(ids[(ids.index(self.place) + by) % len(ids)])

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Another tab is shown; going there by oneself is to follow nobody any more."""
        leading, self._leading = self._leading, ""
        if self.following is not None and leading != self.place:
            self.follow(None)
        self._show_place()

    def _focus_tab(self) -> None:
        pane = self.query_one(TabbedContent).active_pane
        for widget in pane.query("*") if pane is not None else ():
            if widget.focusable:
                widget.focus()
                return

    def _show_place(self) -> None:
        self.client.set_presence(place=self.place)

    # -- following ---------------------------------------------------------------------------------------------------

    def follow(self, client_id: int | None) -> None:
        """Go where somebody goes, until the user moves by themselves; with ``None`` stay here."""
        self.following = client_id
        self.query_one(People).mark(client_id)
        self.query_one(StatusBar).following = client_id
        notes = self.query_one(SharedTextArea)
        if client_id is None:
            notes.unfollow()
        else:
            notes.follow(client_id)
            self._keep_up()

    def _keep_up(self) -> None:
        """Go where they are; they may have left."""
        if self.following is None:
            return
        state = self.client.others.get(self.following)
        if state is None:
            self.follow(None)
            return
        tabs = {pane.id for pane in self.query(TabPane)}
        place = state.get("place")
        if isinstance(place, str) and place in tabs and place != self.place:
            self._leading = place
            self.query_one(TabbedContent).active = place

    def on_people_follow(self, event: People.Follow) -> None:
        """Somebody was chosen."""
        self.follow(event.client_id)
        if event.client_id is not None:
            self.remove_class("-side")
            self._keep_up()

    def on_shared_text_area_followed(self, event: SharedTextArea.Followed) -> None:
        """The text area follows nobody any more, because of a movement of the user's."""
        if event.client_id is None and self.following is not None and self.place == "notes":
            self.follow(None)

    def on_key(self, event: events.Key) -> None:
        """A key that does something in a tab is a movement of the user's own."""
        self._moved(self.focused)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """And so is a click there,"""
        self._moved(self.get_widget_at(*event.screen_offset)[0])

    def on_input_changed(self, event: Input.Changed) -> None:
        """and what is typed there."""
        if event.input.has_focus:
            self._moved(event.input)

    def _moved(self, widget: Widget | None) -> None:
        pane = self.query_one(TabbedContent).active_pane
        if self.following is not None and pane is not None and widget in pane.walk_children():
            self.follow(None)

    # -- the side panel ----------------------------------------------------------------------------------------------

    def action_side(self) -> None:
        """Go to the chat, in the side panel; from there, fold that away. If narrow, it takes the tabs' place."""
        if not self.side_is_seen or self.query_one("#chat Input").has_focus:
            self.toggle_class("-side" if self.has_class("-narrow") else "-aside")
        if self.side_is_seen:
            self._unread = 0
            self.query_one(StatusBar).note = ""
            self.query_one("#chat Input").focus()
        else:
            self._focus_tab()

    @property
    def side_is_seen(self) -> bool:
        """Whether people and chat are seen."""
        return not self.has_class("-aside") if self.has_class("-wide") else self.has_class("-side")

    def on_chat_said(self, event: Chat.Said) -> None:
        """Somebody has said something; where it is not seen, the status bar counts it."""
        if not self.side_is_seen:
            self._unread += 1
            self.query_one(StatusBar).note = f"✉ {self._unread} new (F2)"

    # -- other screens -----------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Keys, and what there is."""
        self.app.push_screen(HelpScreen())

    def action_share(self) -> None:
        """Bring others in."""
        self.app.push_screen(ShareScreen(self.seat, self._ssh))

    def action_leave(self) -> None:
        """Back to the lobby, or out."""
        if self._can_leave:
            self.dismiss()
        else:
            self.app.exit()

    def commands(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """What the command palette has of this room."""
        for pane in self.query(TabPane):
            name = str(pane.id)
            yield f"Go to {name}", f"Show the tab {name}", lambda name=name: self.go(name)  # type: ignore[misc]
        for id, state in self.client.others.items():
            who = name_of(state)
            yield f"Follow {who}", "Go where they go", lambda id=id: self.follow(id)  # type: ignore[misc]
        if self.following is not None:
            yield "Follow nobody", "Stay where you are", lambda: self.follow(None)
        yield "People and chat", "Go there; from there, fold it away", self.action_side
        yield "Share this room", "Links for browsers, terminals and programs", self.action_share
        yield "Leave this room", "Back to the lobby", self.action_leave
