"""Kinds: what a room has to show. Each function is a method of ``Room``, and loads its module when it is first used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    import ipywidgets

    from .board import BoardView
    from .chat import ChatView
    from .cursor import CursorView
    from .plots import Shape
    from .poll import PollView
    from .progress import ProgressView
    from .room import Room
    from .select import Selection
    from .share import Mode
    from .table import TableView
    from .text import Language, TextView

__all__ = ["board", "chat", "cursor", "poll", "progress", "select", "table", "text"]

Item = TypeVar("Item")


def text(room: Room, name: str = "body", *, language: Language = "", label: str = "", height: str = "") -> TextView:
    """A text that all write at once, with everybody's cursor: ``room.text("plan", language="python")``."""
    from .text import TextView

    return TextView(room, name, language=language, label=label, height=height)


def chat(room: Room) -> ChatView:
    """A chat: with the server's own, which home pages show as well, where it has one."""
    from .chat import ChatView

    return ChatView(room)


def poll(room: Room, question: str, options: Sequence[str] = ()) -> PollView:
    """A question with live bars; whoever puts it gives the ``options``, and others may leave them out."""
    from .poll import PollView

    return PollView(room, question, options)


def board(room: Room, name: str = "board") -> BoardView:
    """A drawing that all draw on."""
    from .board import BoardView

    return BoardView(room, name)


def table(room: Room, df: Any = None, *, key: str = "table") -> TableView:
    """A DataFrame that all edit: it begins with the first one's, and ``.df`` is what it is now. Needs pandas."""
    from .table import TableView

    return TableView(room, df, key=key)


@overload
def progress(room: Room) -> ProgressView: ...
@overload
def progress(room: Room, iterable: Iterable[Item], text: str = "", *, total: int | None = None) -> Iterator[Item]: ...
def progress(
    room: Room, iterable: Iterable[Item] | None = None, text: str = "", *, total: int | None = None
) -> ProgressView | Iterator[Item]:
    """``for batch in room.progress(batches, "training")``: everybody sees how far it is, in a view of all the loops in
    the room, which is what this is without an argument."""
    from .progress import ProgressView, watched

    return ProgressView(room) if iterable is None else watched(room, iterable, text, total)


def select(
    room: Room, figure: Any, *, key: str = "selection", shape: Shape | None = None, mode: Mode = "all"
) -> Selection:
    """A plot on which all select the same: ``figure`` is a matplotlib figure with an interactive canvas
    (``%matplotlib widget``), a plotly ``FigureWidget`` or an altair ``JupyterChart``.

    What somebody selects is selected for everybody who has a plot under this ``key``, in the colour of who did it, and
    ``.value`` says what it is. ``shape`` is what a drag selects: a ``"box"``, a ``"lasso"``, or a ``"span"`` of x; an
    altair chart has its own. ``mode`` is that of ``Room.share``.

    Raises ``TypeError`` for what is no such plot, and ``ValueError`` for one that cannot be selected on.
    """
    from .select import Selection

    return Selection(room, figure, key=key, shape=shape, mode=mode)


def cursor(room: Room, *widgets: ipywidgets.Widget, key: str = "cursor") -> CursorView:
    """Everybody's mouse pointer, with the name, over ``widgets``, or without any over the output of the cell that shows
    it. The same ``key`` is the same place."""
    from .cursor import CursorView

    return CursorView(room, widgets, key=key)
