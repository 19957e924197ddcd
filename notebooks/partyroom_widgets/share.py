"""Share: a widget that others have as well."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import ipywidgets
import traitlets

from partyroom.client.storing import text

from .codec import Form, form_of
from .face import Face
from .knob import Knob
from .pages import with_text
from .people import Person
from .seat import Seat

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Mode", "Share", "chosen_key", "chosen_traits", "main_trait"]

log = logging.getLogger("partyroom.widgets")

Mode: TypeAlias = Literal["all", "driver", "follow", "read-only"]
"""Who moves it here: everybody; whoever has the seat; nobody but for himself (until others move it); nobody."""

MAIN: Final = ("value", "selected_index")
LONGEST_KEY: Final = 200


class Share:
    """What ``Room.share`` returns. As a cell's last line it shows the widget, with a tag that says who moves it.

    It belongs into the kernel's thread, but ``value``, ``movers`` and ``driver`` can be read in any.
    """

    def __init__(self, room: Room, widget: traitlets.HasTraits, traits: Sequence[str], key: str, mode: Mode) -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"the mode is one of {', '.join(map(repr, get_args(Mode)))}, not {mode!r}")
        self.room = room
        self.widget: Any = widget
        self.key = key
        self.mode: Mode = mode
        self.problem = ""
        """What is wrong, for people; empty when nothing is."""
        self.seat = Seat(room, key)
        self.stopped = False
        self._settled = False
        self._sharing = room.sharing
        self._knobs: list[Knob] = []
        try:
            self._knobs += map(self._knob, traits)
            self._check_kinds()
            for knob in self._knobs:
                knob.check()
        except BaseException:
            self._let_go()
            raise
        self._face = Face(self)
        self._begin()

    def __repr__(self) -> str:
        return (
            f"<Share {self.key!r} {type(self.widget).__name__} {self.mode}{f': {self.problem}' * bool(self.problem)}>"
        )

    def _knob(self, trait: str) -> Knob:
        key = self.key if trait == main_trait(self.widget) else f"{self.key}.{trait}"
        return Knob(
            self.room.sharing,
            self.widget,
            trait,
            key,
            _form(self.widget, trait),
            may_write=self._may_write,
            reverts=self.mode != "follow",
            trouble=self._trouble,
        )

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """What everybody has, also while a cell runs, when the widget itself waits for the cell's end."""
        return self._knobs[0].value

    @property
    def movers(self) -> list[Person]:
        """The others who are moving it now."""
        keys = {knob.key for knob in self._knobs}
        return [person for person in self.room.people if not person.me and keys & {*person.moving}]

    @property
    def driver(self) -> Person | None:
        """Who drives, in mode ``driver``; ``None`` while the seat is free."""
        return self.seat.driver if self.mode == "driver" else None

    @property
    def requests(self) -> list[Person]:
        """Who would like to drive."""
        return [person for person in self.room.people if self.key in person.wants and not person.me]

    # -- driving -----------------------------------------------------------------------------------------------------

    def take(self, *, force: bool = False) -> bool:
        """Drive, if the seat is free (its driver has left), or with ``force``; else ask for it. Returns which it was.

        This is manners, not security: whoever may write in the room may take the seat, and the value.
        """
        self._needs_driver_mode("take")
        taken = self.seat.take(force=force)
        self.refresh()
        return taken

    def request(self) -> None:
        """Ask for the seat: the driver sees it, and may ``give``."""
        self._needs_driver_mode("request")
        self.seat.ask(True)

    def give(self, person: Person | str | None) -> None:
        """Have somebody else drive: one of ``room.people``, or a name; ``None`` leaves the seat free.

        Raises ``LookupError`` where nobody of that name is here, and ``PermissionError`` for who does not drive.
        """
        self._needs_driver_mode("give")
        self.seat.give(person)
        self.refresh()

    def _needs_driver_mode(self, what: str) -> None:
        if self.mode != "driver":
            raise RuntimeError(f"{what}() is for what is shared with mode='driver'; this is shared with {self.mode!r}")

    def _may_write(self, knob: Knob | None = None) -> bool:
        if self.stopped or self.mode in ("follow", "read-only"):
            return False
        if self.mode == "all":
            return True
        if knob is not None and self.seat.free:  # whoever moves it first drives
            return self.seat.take()
        return self.seat.mine

    # -- undo --------------------------------------------------------------------------------------------------------

    def undo(self) -> bool:
        """Take back your own last move, unless somebody has moved it since; ``False`` where there is none."""
        return self._step(undone=False)

    def redo(self) -> bool:
        """Make the move again that ``undo`` took back; ``False`` where there is none."""
        return self._step(undone=True)

    def _step(self, *, undone: bool) -> bool:
        moves = [(at, knob) for knob in self._knobs if (at := knob.last_move(undone=undone)) is not None]
        if not moves or not self._may_write():
            return False
        last = max(moves, key=lambda move: move[0])[1]
        if undone:
            last.redo()
        else:
            last.undo()
        return True

    def follow(self) -> None:
        """Be again what the others have, in mode ``follow``, after having been moved here."""
        for knob in self._knobs:
            knob.apply()

    # -- beginning and end -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        for knob in self._knobs:
            self._sharing.add(knob)
        if isinstance(self.widget, ipywidgets.Widget):
            self.widget.observe(self._closed, names="comm")
        self._removes = [self.room.on_status(lambda status: self.settle())]
        self.settle()
        self.refresh()

    def settle(self) -> None:
        """Be what the room has, or where it has nothing yet, offer what is here. Until there has been a connection
        nobody knows what the room has."""
        if self.stopped or self._settled:
            return
        self._settled = self.room.met
        if self._settled and not self._agree():
            return
        for knob in self._knobs:
            knob.apply()
            if self._settled and self.mode not in ("follow", "read-only"):
                knob.offer()

    def _agree(self) -> bool:
        """Say of what kind the values are, where nobody has; stop where others have said otherwise."""
        try:
            self._check_kinds()
        except TypeError as error:
            self.stop()
            self._trouble(str(error))
            return False
        new = {knob.key: knob.form.kind for knob in self._knobs if knob.key not in self._sharing.kinds}
        if new and self._may_write():
            self._sharing.kinds.update(new)
        return True

    def _check_kinds(self) -> None:
        for knob in self._knobs:
            kind = self._sharing.kinds.get(knob.key, knob.form.kind)
            if kind != knob.form.kind:
                raise TypeError(
                    f"{knob.key!r} is a {kind} in this room, and {type(self.widget).__name__}.{knob.trait} is a "
                    f"{knob.form.kind}: share it with another key=..."
                )

    def _closed(self, change: Any) -> None:
        if change["new"] is None:
            self.stop()

    def _trouble(self, problem: str) -> None:
        """In whatever thread."""
        if problem != self.problem:
            if problem:
                log.warning("%s", problem)
            self.problem = problem
            self.room.turns.post(self.refresh)

    def stop(self) -> None:
        """Share it no more. It stays as it is, here and with the others. Stopping twice is fine."""
        if self.stopped:
            return
        self.stopped = True
        for remove in self._removes:
            remove()
        if isinstance(self.widget, ipywidgets.Widget):
            self.widget.unobserve(self._closed, names="comm")
        self._let_go()
        if self.mode == "driver":
            self.seat.ask(False)
        self.room.forget(self)
        self._face.stop()

    def _let_go(self) -> None:
        for knob in self._knobs:
            knob.stop()
            self._sharing.remove(knob)

    # -- how it shows itself -----------------------------------------------------------------------------------------

    @property
    def movable(self) -> bool:
        """Whether its user may move it here."""
        if self.mode == "driver":
            return self.seat.mine or self.seat.free
        return self.mode != "read-only"

    @property
    def view(self) -> ipywidgets.HBox:
        """The widget, and a tag that says who moves it, to be put beside others."""
        return self._face.view

    def refresh(self) -> None:
        """Show how it is now; in the kernel's thread."""
        if not self.stopped:
            self._face.refresh()

    def tell(self) -> None:
        """Say how it is now, in the tag; in any thread."""
        self._face.tell()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_text(self.view._repr_mimebundle_(**kwargs), f"{self.key} (shared): run this cell to join in.")


def main_trait(widget: traitlets.HasTraits) -> str | None:
    """The trait that a widget is about, which is stored under the bare key; ``None`` for who knows."""
    if all(map(widget.has_trait, ("label", "index", "value"))):
        return "label"  # of the option chosen: the same for all, whatever the options' values and order are
    return next(filter(widget.has_trait, MAIN), None)


def chosen_traits(widget: traitlets.HasTraits, traits: Sequence[str]) -> list[str]:
    """The traits to share: those named, else the main one. Raises ``ValueError``."""
    main = main_trait(widget)
    if not traits and main is None:
        raise ValueError(
            f"{type(widget).__name__} has no value: name the traits to share, as in share(widget, 'title')"
        )
    missing = [trait for trait in traits if not widget.has_trait(trait)]
    if missing:
        raise ValueError(f"{type(widget).__name__} has no trait {missing[0]!r}")
    return list(dict.fromkeys(traits)) or [main or ""]


def chosen_key(widget: traitlets.HasTraits, key: str | None) -> str:
    """The key to share a widget under: as given, else its description, which is the same in every notebook."""
    if key is None:
        described = getattr(widget, "description", "")
        key = described.strip() if isinstance(described, str) else ""
        if not key:
            raise ValueError(
                f"under which name? This {type(widget).__name__} has no description, so share it with key=..."
            )
    if not key or len(key) > LONGEST_KEY:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters")
    return text(key, "the key of a shared widget")


def _form(widget: traitlets.HasTraits, trait: str) -> Form:
    form = form_of(widget.traits()[trait])
    if trait == "label" and main_trait(widget) == "label":
        return form._replace(kind="options" if form.kind.startswith("list") else "option")
    return form
