"""SharedTextArea: Textual's text area over a shared text, for any number of people at once.

::

    class Notes(App):
        def __init__(self, client: DocumentClient) -> None:
            super().__init__()
            self.client = client

        def compose(self) -> ComposeResult:
            yield SharedTextArea(self.client, "notes", language="markdown")

There is one way to the screen. An edit is made in the shared text, whoever makes it, and the widget follows that text's
changes: what is shown cannot be anything else than what is shared. A change that came in from elsewhere is taken in
before the next edit or, at the latest, at the next turn of the widget's own message queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Unpack
from weakref import WeakKeyDictionary

from textual import events
from textual.document._document import EditResult, Location, Selection
from textual.document._edit import Edit
from textual.geometry import Region
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.reactive import Reactive, reactive
from textual.strip import Strip

from partyroom.client import Change, DocumentClient, PartyroomError, SpanEdit

from .beat import PAUSE, Beat
from .cursors import Cursor, Cursors, shown_cursor
from .editor import Editor, TextAreaOptions
from .history import SharedHistory
from .keys import act
from .labels import Caret, Label, placed
from .moves import common, moved
from .view import View

__all__ = ["SharedTextArea"]

REPEAT_REFUSAL: Final = 3.0
"""Seconds for which the same refusal is not said again."""
EDITING_KEYS: Final = frozenset(
    ("enter", "backspace", "delete", "tab", "ctrl+v", "ctrl+x", "ctrl+k", "ctrl+u", "ctrl+w")
)
_SHOWING: Final[WeakKeyDictionary[DocumentClient, object]] = WeakKeyDictionary()
"""In which text a client shows its cursor: there is one for all of its texts."""


class SharedTextArea(Editor):
    """The text ``root`` of a ``client``'s document, which need not be started yet, nor connected.

    ``undo_pause`` is how many seconds may lie between two keys of one step of undo, and ``beat`` how many lie at least
    between two times that the others are told where the cursor is. The text is the room's: it is not given here, and
    setting ``text`` edits what everybody sees.
    """

    following: Reactive[int | None] = reactive(None, init=False, repaint=False)
    """The client id of whom the screen follows."""

    @dataclass
    class Followed(Message):
        """Somebody is followed from now on, or with ``None`` nobody any more."""

        text_area: SharedTextArea
        client_id: int | None

        @property
        def control(self) -> SharedTextArea:
            """The text area."""
            return self.text_area

    def __init__(
        self,
        client: DocumentClient,
        root: str = "notes",
        *,
        undo_pause: float = 0.5,
        beat: float = PAUSE,
        **options: Unpack[TextAreaOptions],
    ) -> None:
        self.client = client
        self.root = root
        self.shared = client.text(root)
        """The text itself: to be read, and edited, by programs as well."""
        self.cursors = Cursors(client, self.shared, lambda index: self.document.get_location_from_index(index))
        """Where the others are."""
        self._pending: list[Change] = []
        self._labels: dict[int, list[Label]] = {}
        self._labels_for: object = None
        self._unhear: list[Callable[[], None]] = []
        self._meant_read_only = options.get("read_only", False)
        self._room_read_only = False
        self._said = -REPEAT_REFUSAL
        self._edited_at = -1
        self._shown: dict[str, Any] | None = None
        super().__init__(**options)
        self._steps = SharedHistory(client, self.shared, undo_pause)
        self.history = self._steps
        self._beat = Beat(self, self._show_cursor, beat)

    # -- beginning and end -------------------------------------------------------------------------------------------

    def _on_mount(self, event: events.Mount) -> None:
        self._unhear = [
            self.shared.on_change(self._heard),
            self.client.on_presence(lambda *changed: self.call_later(self._people_changed)),
            self.client.on_status(lambda status: self.call_later(self._status_changed)),
            self.client.on_replace(lambda old: self.call_later(self._steps.begin)),
        ]
        self._set_document("", self.language)  # there may be more of it by now
        self._people_changed()
        self._status_changed()
        self._beat()

    def _on_unmount(self) -> None:
        for unhear in self._unhear:
            unhear()
        self._unhear = []
        self._show_cursor()

    def _set_document(self, text: str, language: str | None) -> None:
        """Show the shared text, whatever ``text`` is."""
        with self.client.lock:
            shared = str(self.shared)
            self.client.values.tell()
            self._pending.clear()
        super()._set_document(shared, language)

    # -- the shared text changes -------------------------------------------------------------------------------------

    def _heard(self, change: Change) -> None:
        """The text has changed, for whatever reason; this may be called from outside of the app."""
        self._pending.append(change)
        self.call_later(self._take_in)

    def _catch_up(self) -> list[SpanEdit]:
        """Be in step with the shared text, before something is done to it; returns what that took."""
        if self._unhear:
            self.client.values.tell()
            return self._take_in()
        if self.document.text != str(self.shared):
            self._set_document("", self.language)
        return []

    def _take_in(self) -> list[SpanEdit]:
        """Show what has been heard of; returns that."""
        pending, self._pending = self._pending, []
        edits = [edit for change in pending for edit in change.edits if isinstance(edit, SpanEdit)]
        if not edits:
            return edits
        self._edited_at = edits[-1].index + len(edits[-1].inserted)
        self.take_in(edits)
        self.refresh_rows(*self.cursors.place())
        self._relabel()
        self._keep_up()
        self._beat()  # what the cursor clung to may have gone
        return edits

    # -- the user edits ----------------------------------------------------------------------------------------------

    def edit(self, edit: Edit) -> EditResult:
        """Make an edit in the shared text; one that is refused changes nothing, and the user is told."""
        start, stop = sorted(map(self.document.get_index_from_location, (edit.from_location, edit.to_location)))
        for other in self._catch_up():  # of which the locations do not know yet
            start, stop = moved(start, other, right=start < stop), moved(stop, other)
        gone = self.document.slice(start, stop)
        view = View(self)
        if not self._write(start, gone, edit.text):
            return EditResult(self.document.get_location_from_index(stop), "")
        end = self.document.get_location_from_index(start + len(edit.text))
        if edit.maintain_selection_offset:
            view.shift(SpanEdit((), start, edit.text, gone))
            self.selection = view.selection(self.document)
        else:
            self.selection = Selection.cursor(end)
        self.record_cursor_width()
        self.update_suggestion()
        return EditResult(end, gone)

    def _write(self, start: int, old: str, new: str) -> bool:
        """Put ``new`` where ``old`` is, and only what differs; ``False`` if that cannot be."""
        if self._refuses():
            return False
        head, tail = common(old, new)
        long = len(new) - head - tail > 1 or "\n" in new
        if long:
            self._steps.checkpoint()
        try:
            self.shared[start + head : start + len(old) - tail] = new[head : len(new) - tail]
        except (PartyroomError, ValueError) as error:
            self._say(f"This edit could not be made: {error}", "error")
            return False
        finally:
            self._catch_up()
        if long:
            self._steps.checkpoint()
        return True

    def load_text(self, text: str) -> None:
        """Make the shared text this one, for everybody; what both have in common stays as it is."""
        self._catch_up()
        if not self._refuses():
            try:
                self.shared.set(text)
            except (PartyroomError, ValueError) as error:
                self._say(f"This text could not be shared: {error}", "error")
            self._catch_up()

    def undo(self) -> None:
        """Take back the user's last step, and nothing that others did."""
        self._step(self._steps.undo)

    def redo(self) -> None:
        """Do again what was last taken back."""
        self._step(self._steps.redo)

    def _step(self, step: Callable[[], bool]) -> None:
        self._catch_up()
        if self._refuses():
            return
        self._edited_at = -1
        try:
            step()
        except PartyroomError as error:
            self._say(f"Undo has failed: {error}", "error")
        self._catch_up()
        if self._edited_at >= 0:
            self.move_cursor(self.document.get_location_from_index(self._edited_at))

    def _replace_via_keyboard(self, insert: str, start: Location, end: Location) -> EditResult | None:
        """A key or a paste. A new line has the line end that those around it have."""
        if insert == "\n":
            insert = self.document.newline_at(min(start, end)[0])
        return super()._replace_via_keyboard(insert, start, end)

    async def _on_paste(self, event: events.Paste) -> None:
        """A paste from the terminal, which sends carriage returns for line ends of any kind."""
        event.prevent_default()
        event.stop()
        if self._refuses() or self.read_only:
            return
        newline = self.document.newline_at(self.selection.end[0])
        text = newline.join(event.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
            self.focus()

    # -- what may not be edited --------------------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        self._status_changed()
        if event.is_printable or event.key in EDITING_KEYS:
            self._refuses()
        if not event.is_printable:
            self._restart_blink()
            await act(self, event)

    def _status_changed(self) -> None:
        if self.client.read_only != self._room_read_only:
            self._room_read_only = self.client.read_only
            self.read_only = self._room_read_only or self._meant_read_only

    def _watch_read_only(self, read_only: bool) -> None:
        super()._watch_read_only(read_only)
        if not self._room_read_only:
            self._meant_read_only = read_only

    def _refuses(self) -> bool:
        """Whether the room takes no edits of this user, who is told so."""
        self._status_changed()
        if self._room_read_only:
            self._say("You may read here, but not write.", "warning")
        return self._room_read_only

    def _say(self, words: str, severity: SeverityLevel) -> None:
        if self._unhear and monotonic() - self._said >= REPEAT_REFUSAL:
            self._said = monotonic()
            self.notify(words, severity=severity, markup=False)

    # -- cursors: the user's own -------------------------------------------------------------------------------------

    def _watch_selection(self, previous_selection: Selection, selection: Selection) -> None:
        super()._watch_selection(previous_selection, selection)
        if previous_selection != selection:
            self.unfollow()
        self._beat()

    def _watch_has_focus(self, focus: bool) -> None:
        super()._watch_has_focus(focus)
        self._beat()

    def _show_cursor(self) -> None:
        """Show the others where the cursor is, while it is here."""
        shown = None
        if self.has_focus and self._unhear and self.client.user is not None:
            self._catch_up()
            shown = shown_cursor(self.shared, *map(self.document.get_index_from_location, self.selection))
        if shown is not None:
            _SHOWING[self.client] = self
        elif _SHOWING.get(self.client) is self:
            del _SHOWING[self.client]
        else:
            return  # the user is in another text by now
        if shown != self._shown:
            self._shown = shown
            self.client.set_presence(cursor=shown)

    # -- cursors: the others' ----------------------------------------------------------------------------------------

    def follow(self, client_id: int) -> None:
        """Keep the cursor of one of the others in view, until the user moves."""
        self.following = client_id
        self._keep_up()

    def unfollow(self) -> None:
        """Follow nobody."""
        self.following = None

    def _watch_following(self, before: int | None, after: int | None) -> None:
        if before != after:
            self.post_message(self.Followed(self, after))

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.unfollow()

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.unfollow()

    def _people_changed(self) -> None:
        """The others show something else, or are others."""
        self._catch_up()
        self.cursors.read()
        self.refresh_rows(*self.cursors.place())
        self._relabel()
        if self.following is not None and self.following not in self.client.others:
            self.unfollow()
        self._keep_up()

    def _keep_up(self) -> None:
        cursor = None if self.following is None else self.cursors.found.get(self.following)
        if cursor is not None:
            at = self.wrapped_document.location_to_offset(cursor.head)
            region = Region(at.x, at.y, 3, 1)
            self.scroll_to_region(region, animate=False, force=True, center=not self.sees(at.y))

    def cursors_on(self, row: int) -> list[Cursor]:
        """Whose cursors and selections touch a line."""
        return self.cursors.on(row)

    def labels(self, y: int) -> tuple[Label, ...]:
        """The names that stand in a row of the document."""
        return tuple(self._labels.get(y, ()))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual asks for some rows."""
        if self._labels_for != (self.scroll_offset, self.size, self.text_width):
            self._relabel()
        return super().render_lines(crop)

    def _rewrap_and_refresh_virtual_size(self) -> None:
        super()._rewrap_and_refresh_virtual_size()
        self._relabel()

    def _relabel(self) -> None:
        """Find places for the names, and paint the rows where they were and are."""
        self._labels_for = self.scroll_offset, self.size, self.text_width
        before, rows = self._labels, self.wrapped_document
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        carets = [
            Caret(at, cursor.name, cursor.colour)
            for cursor in self.cursors.found.values()
            if top <= (at := rows.location_to_offset(cursor.head)).y < bottom
        ]

        def extent(y: int) -> int | None:
            return None if not top <= y < bottom else 0 if y >= rows.height else rows.cells(y) + 1

        left = self.scroll_offset.x
        self._labels = placed(carets, extent, left, left + self.text_width) if carets else {}
        for y in before.keys() | self._labels.keys():
            if before.get(y) != self._labels.get(y):
                self.refresh_lines(y)
