"""SharedTodo: things to do, for several at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from partyroom.client import DocumentClient

from .colours import colour_of, name_of, readable
from .entry import Entry
from .ordered import Ordered

__all__ = ["SharedTodo"]


class TodoList(OptionList):
    """The things, with the keys that change them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("space", "change('check')", "Done"),
        ("enter", "change('edit')", "Edit"),
        ("delete", "change('remove')", "Remove"),
        Binding("shift+up", "change('up')", "Move up", show=False),
        Binding("shift+down", "change('down')", "Move down", show=False),
    ]

    def action_change(self, what: str) -> None:
        """Leave it to the widget."""
        assert isinstance(self.parent, SharedTodo)
        self.parent.change(what)

    def on_key(self, event: events.Key) -> None:
        """What is typed here is another thing to do."""
        if event.is_printable and event.character and event.key != "space":
            event.stop()
            assert isinstance(self.parent, SharedTodo)
            self.parent.type(event.character)


class SharedTodo(Vertical):
    """The list in the map ``root`` of a ``client``'s document: items with ``text``, ``done`` and their order.

    Texts are shared texts: where two edit one, both edits are in it. Where one removes what another edits, it is gone.
    """

    DEFAULT_CSS = """
    SharedTodo { height: 1fr; padding: 0 1; }
    SharedTodo > Label { color: $text-muted; height: 1; }
    SharedTodo > OptionList, SharedTodo > OptionList:focus { border: none; background: transparent; padding: 0; }
    SharedTodo > OptionList { height: 1fr; }
    SharedTodo > OptionList > .option-list--option-highlighted { background: $boost; color: $foreground; }
    SharedTodo > OptionList:focus > .option-list--option-highlighted { background: $primary 25%; color: $foreground; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stop", "Stop editing", show=False)]

    def __init__(self, client: DocumentClient, root: str = "todo", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.client = client
        self.things = Ordered(client.map(root))
        """The things themselves."""
        self._ids: list[str] = []
        self._editing: str | None = None
        self._unhear: list[Callable[[], None]] = []

    def compose(self) -> ComposeResult:
        """How much is done, the things, and a field for another one."""
        yield Label(id="todo-done")
        yield TodoList()
        yield Entry(placeholder="What is to be done?", max_length=500, select_on_focus=False)

    def on_mount(self) -> None:
        """Begin to look."""
        self._unhear = [
            self.things.items.on_change(lambda change: self.call_later(self._draw)),
            self.client.on_presence(lambda *changed: self.call_later(self._draw)),
        ]
        self._draw()

    def on_unmount(self) -> None:
        """Look no more."""
        for unhear in self._unhear:
            unhear()

    @property
    def chosen(self) -> str | None:
        """The id of the thing that is highlighted."""
        at = self.query_one(TodoList).highlighted
        return self._ids[at] if at is not None and at < len(self._ids) else None

    def change(self, what: str) -> None:
        """Do something with the chosen thing, if it is still there."""
        id = self.chosen
        if id is None or id not in self.things.items:
            return
        match what:
            case "check":
                if (thing := self.things.item(id)) is not None:
                    thing["done"] = not thing.get("done")
            case "up" | "down":
                self.things.move(id, -1 if what == "up" else 1)
            case "remove":
                self.things.remove(id)
            case "edit":
                self._edit(id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click: it is done, or is not."""
        event.stop()
        self.change("check")

    def type(self, character: str) -> None:
        """Put a character into the field, and the keys to work there."""
        field = self.query_one(Entry)
        field.insert_text_at_cursor(character)
        field.focus()

    def _edit(self, id: str) -> None:
        self._editing = id
        self.client.set_presence(todo=id)
        field = self.query_one(Entry)
        field.value = _text(self.things.read()[id])
        field.border_title = "Edit"
        field.focus()

    def action_stop(self) -> None:
        """Edit no more, or go back to the list."""
        field = self.query_one(Entry)
        if self._editing is not None:
            self._editing = None
            self.client.set_presence(todo=None)
            field.border_title = ""
            field.clear()
        self._to_list()

    def _to_list(self) -> None:
        """To the list with the keys, or to the field where nothing is listed."""
        (self.query_one(TodoList) if self._ids else self.query_one(Entry)).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Another thing, or other words for the one that is edited."""
        event.stop()
        text, editing = event.value.strip(), self._editing
        if editing is not None:
            if text:
                self.things.write(editing, "text", text)
            self.action_stop()
        elif text:
            with self.client.batch():
                self.things.add({"done": False}, {"text": text})

    def _draw(self) -> None:
        chosen, things = self.chosen, self.things.read()
        listed = self.query_one(TodoList)
        self._ids = list(things)
        listed.set_options(Option(self._line(id, thing)) for id, thing in things.items())
        if self._ids:
            at = self._ids.index(chosen) if chosen in self._ids else 0
            listed.highlighted = at
        elif listed.has_focus:
            self._to_list()
        listed.can_focus = bool(self._ids)
        done = sum(thing.get("done") is True for thing in things.values())
        words = f"{done} of {len(things)} done" if things else "Nothing to do yet: type something below."
        self.query_one(Label).update(words)

    def _line(self, id: str, thing: dict[str, Any]) -> Text:
        done = thing.get("done") is True
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append("✔ " if done else "○ ", style=self.app.theme_variables["success"] if done else "dim")
        line.append(_text(thing), style="strike dim" if done else "")
        for client, state in self.client.others.items():
            if state.get("todo") == id:
                colour = readable(colour_of(state, client), self.background_colors[1]).hex6
                line.append(f"  ✎ {name_of(state)}", style=colour)
        return line


def _text(thing: dict[str, Any]) -> str:
    """The words of a thing in one line, as they can be shown."""
    text = thing.get("text")
    clean = "".join(char if char.isprintable() else " " for char in text[:500]) if isinstance(text, str) else ""
    return clean or "(no words)"
