"""DocumentClient: a Yjs document kept in step with a server, online and offline.

::

    async with DocumentClient("localhost:1999", party="notes", room="today", user={"name": "Ada"}) as notes:
        await notes.synced()
        notes.text("body").insert(0, "typed in Python ")
        await notes.saved()                               # stored on the server, not merely sent

Edit whenever you like, as Python values (``map``, ``array``, ``text``) or in any way pycrdt has: edits are merged with
those of the others, those made offline when there is a connection again. Four things to know:

- Take ``notes.doc``, and shared types from it, when you need them. The document becomes another object where an edit
  cuts an emoji in half (which pycrdt's engine cannot do), where the engine breaks, and where the server's document is
  replaced: ``on_replace`` tells. Edits of an old object go nowhere.
- Keep no transaction open across an ``await``.
- pycrdt can loop for ever in reading an ``Array``, a ``Map`` or XML in which somebody has put a text with an emoji into
  an array. Of documents that strangers write, read ``Text``, or read as Python values, which does not use the engine.
- Other servers: ``prefix="", party=""`` for those that have their documents right below the host, as y-websocket's do,
  and ``dialect="hocuspocus"`` for Hocuspocus', with the document's name as ``room``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import AbstractContextManager
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, Unpack

from pycrdt import Doc

from ..clock import Clock, LoopClock
from ..errors import CloseCode, ConnectionClosed, PartyroomError
from ..http import Address
from ..limits import MIB
from .keep import Keep, Keepable
from .options import SocketOptions
from .session import DocumentStatus, Session
from .shared import Shared
from .socket import Fresh, PartySocket, Status, fresh
from .undo import SharedType, Undo, engine_type
from .url import Scalar
from .values import SharedArray, SharedMap, SharedText, Values
from .waiting import deadline

__all__ = ["DocumentClient", "DocumentStatus", "NotSaved", "Token"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
"""What shows a server who this is, or a function that is called for it before every attempt and may be ``async``."""


class NotSaved(PartyroomError):
    """Edits are not stored on the server, or nobody can say; the text says why."""


class DocumentClient:
    """One document of one room. ``async with`` it, or ``await start()`` and ``await close()``.

    ``host``, ``room``, ``party``, ``query`` and the other options are those of ``PartySocket``. ``user`` is what the
    others see; without it, and without ``set_presence``, this client is not among those present. ``token`` goes into
    the query, or into Hocuspocus' own message. ``doc`` is a document to begin with.

    ``keep`` is a file (or a ``Store`` of yours) with a copy of the document on this computer: a program that starts
    again has it before there is a connection, with edits that were never sent. One file may hold many documents. Two
    programs cannot use one file at once, nor two clients one document of it: ``StoreError``.
    """

    def __init__(
        self,
        host: str,
        *,
        room: str,
        party: str = "main",
        user: dict[str, Any] | None = None,
        keep: Keepable | None = None,
        doc: Doc[Any] | None = None,
        dialect: Literal["yjs", "hocuspocus"] = "yjs",
        token: Token = None,
        query: Fresh[Scalar] = None,
        clock: Clock | None = None,
        **options: Unpack[SocketOptions],
    ) -> None:
        if dialect not in ("yjs", "hocuspocus"):
            raise ValueError(f"the dialect is 'yjs' or 'hocuspocus', not {dialect!r}")
        self._token = token
        self._query = query
        self._shows_token_in_query = dialect == "yjs"
        clock = clock or LoopClock()
        options.setdefault("max_message", 64 * MIB)
        options.setdefault("queue", 64 * MIB)
        socket = PartySocket(host, room=room, party=party, query=self._asked, clock=clock, **options)
        kept = None if keep is None else Keep(keep, Address(socket.url.rpartition("/")[0], room), clock)
        self._socket = socket
        self._clock = clock
        self._session = Session(
            socket,
            doc=doc,
            keep=kept,
            clock=clock,
            hocuspocus=dialect == "hocuspocus",
            fresh_token=self._current_token,
        )
        self._sync = self._session.sync
        if user is not None:
            self.user = user

    def __repr__(self) -> str:
        return f"<DocumentClient {self._socket.url} {self.status}>"

    async def _asked(self) -> dict[str, Scalar]:
        """The query of an attempt, and the token for it."""
        query = dict(await fresh(self._query))
        self._session.token = token = await self._current_token()
        if token and self._shows_token_in_query:
            query["token"] = token
        return query

    async def _current_token(self) -> str:
        token = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        return token or ""

    # -- beginning and end -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Load what was kept, and begin to connect; does not wait for a connection. Once more is no error.

        Raises ``StoreError`` where the file cannot be used.
        """
        await self._session.start()

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, say goodbye to all and finish writing the file. Closing twice is fine.

        It waits for the server's goodbye, not for its word that all is stored: ``await saved()`` before, for that.
        """
        await self._session.close(code, reason)

    # -- the document ------------------------------------------------------------------------------------------------

    @property
    def doc(self) -> Doc[Any]:
        """The document, free to be read and edited. Take it when you need it (see above)."""
        return self._sync.doc

    @property
    def lineage(self) -> str:
        """The id of the document's history, as our servers have it; empty where that is not known."""
        return self._sync.lineage

    def map(self, name: str) -> SharedMap:
        """The document's map of this name, as a Python ``dict`` that others edit as well."""
        return self.values.map(name)

    def array(self, name: str) -> SharedArray:
        """The document's array of this name, as a Python ``list`` that others edit as well."""
        return self.values.array(name)

    def text(self, name: str) -> SharedText:
        """The document's text of this name, which reads like a Python ``str`` and is edited in place."""
        return self.values.text(name)

    def batch(self) -> AbstractContextManager[None]:
        """``with notes.batch():`` makes one edit of several: see ``Values.batch``."""
        return self.values.batch()

    @cached_property
    def values(self) -> Values:
        """What ``map``, ``array`` and ``text`` come from."""
        return Values(self)

    def undo(self, *types: SharedType | Shared, pause: float = 0.5, origins: Iterable[Hashable] = ()) -> Undo:
        """Undo and redo of this client's own edits of roots (``notes.undo(notes.text("body"))``), from now on.

        It ends with the document object: make another when ``on_replace`` tells. See ``Undo``.
        """
        with self._session.lock:
            return Undo(*(engine_type(self.doc, one) for one in types), pause=pause, origins=origins)

    # -- how it stands -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> DocumentStatus:
        """How the document and its server stand."""
        return self._session.status

    @property
    def unsaved(self) -> bool:
        """Whether there are edits of which the server has not said that they are stored.

        On a server that never says it, and with edits that it does not take, that stays so.
        """
        return self._sync.stored < self._sync.edits

    @property
    def read_only(self) -> bool:
        """Whether the server takes no edits of this client, as far as it has told. Edits stay here, and are sent if it
        changes its mind; they are never saved."""
        return self._sync.read_only is not None

    @property
    def failure(self) -> str:
        """Why there is no connection, for people to read; empty where there is one."""
        socket = self._socket
        if socket.error is not None:
            return socket.error.reason or str(socket.error)
        if socket.status is Status.OPEN or socket.close_code is None:
            return self._session.failure or socket.failure
        ended = ConnectionClosed(socket.close_code, socket.close_reason)
        return self._session.failure or socket.failure or str(ended)

    @property
    def socket(self) -> PartySocket:
        """The socket, to ``fetch`` with, or to look at; what goes over it is the document's."""
        return self._socket

    async def synced(self, timeout: float | None = None) -> None:
        """Wait until the server's document is here, and this one's edits are on their way.

        Raises ``ConnectionClosed`` when there will be no connection any more, and ``TimeoutError`` after ``timeout``
        seconds.
        """
        await self._until(lambda: self._sync.synced, "synced", timeout)

    async def saved(self, timeout: float | None = None) -> None:
        """Wait until everything edited so far is stored on the server: on disk, where it is one of ours.

        (``@hocuspocus/server`` says it of what it has taken into its document, which it stores seconds later.)

        Raises ``NotSaved`` where the server does not take our edits, does not say what is stored (as y-websocket's), or
        has replaced the document by another; ``ConnectionClosed`` and ``TimeoutError`` as ``synced``.
        """
        wanted, lost = self._sync.edits, self._sync.lost

        def is_stored() -> bool:
            if self._sync.lost > lost:
                raise NotSaved("the server has replaced the document: what it had not stored is in the old one")
            if self._sync.stored >= wanted:
                return True
            if self._sync.read_only is not None:
                raise NotSaved(f"the server takes no edits: {self._sync.read_only}")
            if self._sync.synced and not self._sync.acknowledges:
                raise NotSaved("this server does not say what it has stored; synced() is all that can be known")
            return False

        if self.unsaved:
            await self._until(is_stored, "saved", timeout)

    async def kept(self) -> None:
        """Wait until everything so far is in the file. Raises ``StoreError``; ``ValueError`` where there is no file."""
        await self._session.kept()

    async def _until(self, wanted: Callable[[], bool], what: str, timeout: float | None) -> None:
        def is_so() -> bool:
            if not wanted():
                if (error := self._socket.error) is not None:
                    raise ConnectionClosed(error.code, error.reason)
                return False
            return True

        if not self._session.started:
            raise RuntimeError("this client has not been started: use `async with`, or `await client.start()`")
        if timeout is None:
            await self._session.changed.until(is_so)
            return
        try:
            async with deadline(self._clock, timeout):
                await self._session.changed.until(is_so)
        except TimeoutError:
            why = f": {self.failure}" if self.failure else ""
            raise TimeoutError(
                f"{self._socket.url} is not {what} within {timeout:g} s, but {self.status}{why}"
            ) from None

    # -- presence ----------------------------------------------------------------------------------------------------

    @property
    def client_id(self) -> int:
        """The id of this client among those present; it changes with the document object."""
        return self._sync.presence.client

    @property
    def user(self) -> dict[str, Any] | None:
        """What the others see of this client's user, such as ``{"name": "Ada", "color": "#c2185b"}``."""
        user = (self._sync.presence.state or {}).get("user")
        return user if isinstance(user, dict) else None

    @user.setter
    def user(self, user: dict[str, Any] | None) -> None:
        self.set_presence(user=user)

    def set_presence(self, **fields: Any) -> None:
        """Show the others something (``cursor=...``) beside what is shown already; ``None`` takes a field away.

        Raises ``TypeError`` or ``ValueError`` for what JSON cannot say.
        """
        shown = {**(self._sync.presence.state or {}), **fields}
        state = {name: value for name, value in shown.items() if value is not None}
        with self._session.lock:
            self._sync.show(state or None)

    @property
    def others(self) -> dict[int, dict[str, Any]]:
        """What the others show, by client id; nobody while there is no connection."""
        return dict(self._sync.presence.others)

    # -- events: each returns a function that takes the callback away ------------------------------------------------

    def on_change(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback()`` after edits, this program's or others', once for all of one turn of the event loop."""
        return self._session.on_change.add(callback)

    def on_status(self, callback: Callable[[DocumentStatus], object]) -> Callable[[], None]:
        """Call ``callback(status)`` whenever ``status`` has changed."""
        return self._session.on_status.add(callback)

    def on_presence(
        self, callback: Callable[[tuple[int, ...], tuple[int, ...], tuple[int, ...]], object]
    ) -> Callable[[], None]:
        """Call ``callback(added, updated, removed)``, client ids all, whenever ``others`` has changed."""
        return self._session.on_presence.add(callback)

    def on_replace(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` whenever ``doc`` is another object: shared types and observers are of the old one."""
        return self._session.on_replace.add(callback)

    def on_reset(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` when the server's document has been replaced by another; ``doc`` is empty, and the new
        content on its way. What was not stored is in ``old``, to be rescued by hand: merging it would double the rest.
        """
        return self._session.on_reset.add(callback)

    def on_custom_message(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call ``callback(text)`` for every text that the server's program sends beside the document."""
        return self._session.on_custom_message.add(callback)

    def send_custom_message(self, text: str) -> None:
        """Send the server's program a text beside the document: ``on_custom_message`` of a ``DocumentParty``.

        Raises ``ConnectionClosed`` while there is no connection.
        """
        self._session.say(text)

    # -- for those who build on this: a ``live.Source`` --------------------------------------------------------------

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Hold it to touch the document from another thread than the event loop's; it is reentrant."""
        return self._session.lock

    @property
    def applying(self) -> bool:
        """Whether somebody else's edit is being applied: for observers, which run within."""
        return self._sync.applying

    def transaction(self) -> AbstractContextManager[Any]:
        """A transaction for edits of this client's; within one that is open, the same."""
        return self.doc.transaction()

    def post(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` soon, in the event loop, outside of transactions; not any more once this is closed."""
        self._session.call_soon(callback)
