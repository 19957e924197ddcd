"""Room: a room in a notebook: who is here, what is shared, and where its callbacks run.

For whoever builds views on it (``room.chat()`` and the like; each lies in a file of its own):

- ``room.client`` is the ``DocumentRoom``. Its maps, arrays and texts, ``ask`` and ``serve`` may be used in any thread.
  Callbacks given to it run in the network's thread, at once, also while a cell runs; they must be short. There a view
  may set its own traits and ``send`` to its page, but nothing that a user observes.
- ``room.turns.post(callback)`` has something called in the kernel's thread: users' callbacks belong there.
- ``room.me``, ``room.people`` and ``room.on_people`` say who is here; ``room.show(cursor=...)`` shows the others
  something, and ``room.show(typing=True)`` puts it into everybody's strip.
- ``room.close_with(view.close)`` has a view closed with its room.
- ``room.token()`` is what opens the room to a page of its own. Pass it in a message, never in a trait: notebooks are
  saved with those.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import traitlets

from partyroom import CloseCode
from partyroom.client import ConnectionClosed, DocumentRoom
from partyroom.client.callbacks import Callbacks
from partyroom.client.url import http_url

from . import kinds
from .interact import Form, Function, interact, share_form
from .pages import with_text
from .people import FIELD, Person, clean_color, clean_name, color_for, read
from .share import Mode, Share, chosen_key, chosen_traits
from .sharing import Sharing
from .state import State
from .strip import Strip
from .turns import Turns

__all__ = ["Room", "Token", "checked_color"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None

NOTICES: Final = {
    "connecting": "Connecting",
    "syncing": "Catching up",
    "synced": "Live",
    "offline": "Offline: changes are kept and will be merged",
    "closed": "Left",
}
ENDED: Final = str(ConnectionClosed(CloseCode.NORMAL))
"""What there is to say of a connection that we have ended."""

MOST_SHOWN: Final = 30
"""The most keys that are shown as being moved: what is shown goes to everybody again with every change."""


class Room:
    """A room that has been joined. As a cell's last line it shows itself: who is here, and how it stands."""

    def __init__(
        self, client: DocumentRoom, name: str, user: dict[str, str], *, token: Token = None, painted: bool = True
    ) -> None:
        self.client = client
        """The document that all is in; see above for what may be done with it where."""
        self.name = name
        self.turns = Turns()
        """Calls in the kernel's thread."""
        self._token = token
        self._painted = painted
        self._id = uuid.uuid4().hex
        self.met = False
        """Whether the room's content has ever been here."""
        self.wants: set[str] = set()
        """The keys of what you would like to drive."""
        self.sharing = Sharing(client, self.turns, self._show_moving)
        self._shares: list[Share] = []
        self._marking = False
        self._marked: object = None
        self._moving: tuple[str, ...] = ()
        self._on_people = Callbacks[[]]("on_people")
        self._on_status = Callbacks[[str]]("on_status")
        self._endings: list[Callable[[], object]] = []
        self._strip: Strip | None = None
        self._user = user
        self.show(user=user)
        self._tell()
        client.on_presence(lambda added, updated, removed: self._present())
        client.on_status(self._stands)
        self.met = self.met or client.status == "synced"  # before we could hear of it
        self.sharing.drivers.on_change(lambda change: self._mark())

    def __repr__(self) -> str:
        return f"<Room {self.name} {self.status}: {', '.join(person.name for person in self.people)}>"

    def arrive(self, wait: float) -> None:
        """Wait for the room's content, as ``join`` does."""
        if wait > 0:
            with suppress(TimeoutError):  # the strip says so, and the client goes on trying
                self.client.synced(wait)
                self._paint()

    # -- how it is ---------------------------------------------------------------------------------------------------

    @property
    def link(self) -> str:
        """The room's address, for others to ``join``; it holds no secret."""
        return http_url(self.client.url)

    @property
    def status(self) -> str:
        """``connecting``, ``syncing``, ``synced``, ``offline`` or ``closed``."""
        return str(self.client.status)

    @property
    def notice(self) -> str:
        """How it stands, in a sentence for people."""
        said, failure = NOTICES.get(self.status, self.status), self.client.failure
        if self.status == "connecting" and failure:
            return f"No server yet at {self.link.partition('/parties/')[0]}: changes are kept here"
        if self.status == "closed" and failure and failure != ENDED:
            return f"{said}: {failure}"
        return "Live, to look at only" if self.status == "synced" and self.client.read_only else said

    @property
    def why(self) -> str:
        """Why there is no server yet, as far as the notice does not say it."""
        return self.client.failure if self.status == "connecting" else ""

    def token(self) -> Token:
        """What shows the server who this is, as ``join`` was given it or found it."""
        return self._token

    # -- shared widgets ----------------------------------------------------------------------------------------------

    def share(self, widget: traitlets.HasTraits, *traits: str, key: str | None = None, mode: Mode = "all") -> Share:
        """Share a widget, or anything with traits: what one does to it happens to all who share its ``key``.

        The key is its ``description``, unless given. Shared is what users change: ``value``, the ``label`` of what is
        selected, a tab's ``selected_index``, or the ``traits`` named. Who comes later gets what is there; the first
        one's value is what it begins with. Where two move it at the same time, all end up with one of the two values.

        ``mode`` is about this notebook: ``"all"``; ``"driver"``, where one at a time may move it (see ``Share.take``);
        ``"follow"``, where it follows the others but its moves here stay here; ``"read-only"``.

        Values may be whatever ``codec`` has. Raises ``TypeError`` or ``ValueError``, with the trait's name, for what
        cannot be shared, and ``TypeError`` where the key is of another kind of value in this room.
        """
        names, key = chosen_traits(widget, traits), chosen_key(widget, key)
        for share in [share for share in self._shares if share.widget is widget and share.key == key]:
            share.stop()  # a cell that is run again
        share = Share(self, widget, names, key, mode)
        self._shares.append(share)
        return share

    def share_form(self, mode: Mode = "all", /, **widgets: Any) -> Form:
        """Share several widgets under their names: ``room.share_form(speed=FloatSlider(), name=Text())``."""
        return share_form(self, widgets, mode)

    def interact(self, mode: Mode = "all", /, **knobs: Any) -> Callable[[Function], Function]:
        """``@room.interact(a=(0, 10))`` is ``ipywidgets.interact`` with knobs shared by all who have a function of this
        name: it runs for each of them when one of them moves a knob."""
        return lambda function: interact(self, function, mode, knobs)

    @property
    def shares(self) -> list[Share]:
        """What is shared here now."""
        return list(self._shares)

    def forget(self, share: Share) -> None:
        """A share has stopped."""
        if share in self._shares:
            self._shares.remove(share)

    def want(self, key: str, wanted: bool) -> None:
        """Show that you would like to drive what is shared under ``key``, or would not any more."""
        if wanted != (key in self.wants):
            (self.wants.add if wanted else self.wants.discard)(key)
            self._tell()
            self._mark()

    def _show_moving(self, keys: tuple[str, ...]) -> None:
        self._moving = keys
        self._tell()
        self._refresh()

    def _tell(self) -> None:
        """Show the others who this is, and what is done to shared widgets here."""
        shown = {"id": self._id, "moving": list(self._moving[:MOST_SHOWN]), "wants": sorted(self.wants)}
        self.show(**{FIELD: {name: value for name, value in shown.items() if value}})

    def _mark(self) -> None:
        """Have all shared widgets show who moves and drives them; in whatever thread."""
        for share in self.shares:
            share.tell()
        if not self._marking:
            self._marking = True
            self.turns.post(self._mark_here)

    def _mark_here(self) -> None:
        self._marking = False
        for share in self.shares:
            share.refresh()

    # -- widgets of our own: see ``kinds`` ---------------------------------------------------------------------------

    text = kinds.text
    chat = kinds.chat
    poll = kinds.poll
    board = kinds.board
    table = kinds.table
    progress = kinds.progress
    select = kinds.select
    cursor = kinds.cursor

    @cached_property
    def state(self) -> State:
        """Values that all share, as a ``dict`` with events: ``room.state["step"] = 3``."""
        return State(self)

    def presence(self) -> Strip:
        """Who is here and how it stands, as the room shows itself."""
        return self.strip

    # -- people ------------------------------------------------------------------------------------------------------

    @property
    def me(self) -> Person:
        """You, as the others see you."""
        ours = {"id": self._id, "moving": [*self._moving], "wants": sorted(self.wants)}
        me = read(self.client.client_id, {"user": self._user, FIELD: ours}, me=True)
        assert me is not None
        return me

    @property
    def people(self) -> list[Person]:
        """Everybody who is here: you first, then the others by name."""
        found = (read(client, state) for client, state in self.client.others.items())
        others = [person for person in found if person is not None and person.id != self._id]
        return [self.me, *sorted(others, key=lambda person: (person.name.casefold(), person.id))]

    def rename(self, name: str, color: str | None = None) -> None:
        """Be called something else, and perhaps be painted in another colour (``#rrggbb``)."""
        me = self.me
        self._painted = self._painted or color is not None
        self._introduce(clean_name(name) or me.name, checked_color(color) if color else me.color)
        self._present()

    def _introduce(self, name: str, color: str) -> None:
        self._user = {"name": name, "color": color}
        self.show(user=self._user)

    def show(self, **fields: Any) -> None:
        """Show the others something beside what is shown already (``cursor=...``); ``None`` takes a field away.

        Raises ``TypeError`` or ``ValueError`` for what JSON cannot say.
        """
        self.client.set_presence(**fields)

    # -- events ------------------------------------------------------------------------------------------------------

    def on_people(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback()`` in the kernel's thread when ``people`` has changed. Returns a function that ends it."""
        return self._on_people.add(callback)

    def on_status(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call ``callback(status)`` in the kernel's thread when ``status`` has changed; see ``on_people``."""
        return self._on_status.add(callback)

    def update(self) -> None:
        """Take in what has arrived, now: for a cell that runs long, which gets to hear of nothing until its end."""
        self.turns.run()

    # -- the end -----------------------------------------------------------------------------------------------------

    def saved(self, timeout: float | None = 10.0) -> None:
        """Wait until everything so far is stored on the server: see ``DocumentClient.saved``."""
        self.sharing.flush()
        self.client.saved(timeout)

    def close_with(self, ending: Callable[[], object]) -> None:
        """Have ``ending()`` called when this is closed."""
        self._endings.append(ending)

    def close(self) -> None:
        """Leave. What is shared stays in the room; the widgets stay here as they are. Closing twice is fine."""
        endings, self._endings = self._endings, []
        for ending in endings:
            ending()
        for share in self.shares:
            share.stop()
        self.sharing.close()
        self.client.close()
        self._refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- how it shows itself -----------------------------------------------------------------------------------------

    @property
    def strip(self) -> Strip:
        """The strip as a widget, to be put beside others."""
        if self._strip is None:
            self._strip = Strip(room=self.name, link=self.link)
            self._refresh()
        return self._strip

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_text(self.strip._repr_mimebundle_(**kwargs), f"Room {self.name}: run this cell to join it.")

    def _present(self) -> None:
        """Somebody came, left or does something else: in the network's thread, or for ourselves in any."""
        self._refresh()
        marked = [(person.id, person.name, person.color, person.moving, person.wants) for person in self.people]
        if marked != self._marked:  # and not only a cursor
            self._marked = marked
            self._mark()
        self.turns.post(self._on_people)

    def _stands(self, status: str) -> None:
        if status == "synced":
            self.met = True
            self._paint()
        self._refresh()
        self._mark()
        self.turns.post(lambda: self._on_status(str(status)))

    def _refresh(self) -> None:
        if self._strip is not None:
            self._strip.show([] if self.client.closed else self.people, self.status, self.notice, self.why)

    def _paint(self) -> None:
        """Take a colour that nobody else has, unless one was asked for."""
        me, taken = self.me, {person.color for person in self.people if not person.me}
        if not self._painted and me.color in taken:
            self._introduce(me.name, color_for(me.name, taken))


def checked_color(color: str) -> str:
    """A colour as it was asked for. Raises ``ValueError`` for what is none."""
    if clean_color(color) != color:
        raise ValueError(f"a colour is '#rrggbb', six hexadecimal digits, not {color!r}")
    return color
