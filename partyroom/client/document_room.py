"""DocumentRoom: a document for programs without an event loop: what ``partyroom.connect`` returns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from pycrdt import Doc

from .changes import Change
from .document import DocumentClient, DocumentStatus
from .hosted import HostedDocument
from .items import Branch
from .live import Live
from .mirror import Mirror
from .open_room import OpenRoom
from .undo import SharedType, Undo
from .values import SharedArray, SharedMap, SharedText, Values

__all__ = ["DocumentRoom"]


class DocumentRoom(OpenRoom):
    """A document that others edit as well: its maps, arrays and texts read and write like Python's own.

    They may be used from any thread at any time, callbacks included. ``doc`` is pycrdt's document, for whom they are
    not enough: take it, and touch it, ``with room.lock:`` only, and not for long, for the network waits meanwhile.

    Its messages (``send``, ``receive``) are texts beside the document, for the server's program: see
    ``DocumentParty.on_custom_message``.
    """

    def __init__(self, hosted: HostedDocument) -> None:
        super().__init__(hosted, hosted.client.socket)
        self._client: DocumentClient = hosted.client
        self._values = Values(_Source(self, hosted), _HeldLive)

    # -- the document ------------------------------------------------------------------------------------------------

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
        """``with room.batch():`` makes one edit of several. It holds the lock: nothing within may wait for the network,
        which raises ``RuntimeError``, and it should not take long."""
        return self.values.batch()

    @property
    def values(self) -> Values:
        """What ``map``, ``array`` and ``text`` come from."""
        self._network.check()
        return self._values

    @property
    def doc(self) -> Doc[Any]:
        """pycrdt's document, to be touched with ``lock`` held. It may become another object: see ``on_replace``."""
        return self._client.doc

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The document's lock; reentrant."""
        self._network.check()
        return self._client.lock

    @property
    def lineage(self) -> str:
        """The id of the document's history, as our servers have it; empty where that is not known."""
        return self._client.lineage

    def undo(self, *types: SharedType, pause: float = 0.5, origins: Iterable[Hashable] = ()) -> Undo:
        """Undo and redo of this client's own edits of ``types``, which are pycrdt's; to be used with ``lock`` held."""
        with self.lock:
            return self._client.undo(*types, pause=pause, origins=origins)

    # -- how it stands -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> DocumentStatus:
        """How the document and its server stand."""
        return self._client.status

    @property
    def failure(self) -> str:
        """Why there is no connection, for people to read; empty where there is one."""
        return self._client.failure

    @property
    def unsaved(self) -> bool:
        """Whether there are edits of which the server has not said that they are stored."""
        return self._client.unsaved

    @property
    def read_only(self) -> bool:
        """Whether the server takes no edits of this client, as far as it has told."""
        return self._client.read_only

    def wait(self, timeout: float | None = None) -> None:
        """The same as ``synced``."""
        self.synced(timeout)

    def synced(self, timeout: float | None = None) -> None:
        """Wait until the server's document is here: see ``DocumentClient.synced``."""
        self._run(lambda: self._client.synced(timeout))

    def saved(self, timeout: float | None = None) -> None:
        """Wait until everything edited so far is stored on the server: see ``DocumentClient.saved``."""
        self._run(lambda: self._client.saved(timeout))

    def kept(self) -> None:
        """Wait until everything so far is in the file that ``keep`` named. Raises ``StoreError`` and ``ValueError``."""
        self._run(self._client.kept)

    # -- presence ----------------------------------------------------------------------------------------------------

    @property
    def client_id(self) -> int:
        """The id of this client among those present; it changes with the document object."""
        return self._client.client_id

    @property
    def user(self) -> dict[str, Any] | None:
        """What the others see of this client's user, such as ``{"name": "Ada", "color": "#c2185b"}``."""
        return self._client.user

    @user.setter
    def user(self, user: dict[str, Any] | None) -> None:
        self.set_presence(user=user)

    def set_presence(self, **fields: Any) -> None:
        """Show the others something (``cursor=...``) beside what is shown already; ``None`` takes a field away.

        Raises ``TypeError`` or ``ValueError`` for what JSON cannot say.
        """
        self._network.call(lambda: self._client.set_presence(**fields))

    @property
    def others(self) -> dict[int, dict[str, Any]]:
        """What the others show, by client id; nobody while there is no connection."""
        with self.lock:
            return self._client.others

    # -- texts beside the document -----------------------------------------------------------------------------------

    def send(self, message: str | bytes) -> None:
        """Send the server's program a text. Raises ``ConnectionClosed`` while there is no connection."""
        if not isinstance(message, str):
            raise TypeError(f"beside a document there are texts only, not {type(message).__name__}")
        text = message
        self._network.call(lambda: self._client.send_custom_message(text))

    # -- events ------------------------------------------------------------------------------------------------------

    def on_change(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback()`` after edits, this program's or others'."""
        return self._subscribe(self._client.on_change, callback)

    def on_status(self, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``callback(status)`` whenever ``status`` has changed."""
        return self._subscribe(self._client.on_status, callback)

    def on_presence(
        self, callback: Callable[[tuple[int, ...], tuple[int, ...], tuple[int, ...]], object]
    ) -> Callable[[], None]:
        """Call ``callback(added, updated, removed)``, client ids all, whenever ``others`` has changed."""
        return self._subscribe(self._client.on_presence, callback)

    def on_replace(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` when ``doc`` is another object: see ``DocumentClient.on_replace``."""
        return self._subscribe(self._client.on_replace, callback)

    def on_reset(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` when the server has replaced the document: see ``DocumentClient.on_reset``."""
        return self._subscribe(self._client.on_reset, callback)


class _Source:
    """The room's client as ``Values`` needs it: with callbacks where they are to be called, and the room kept alive by
    whatever is read of it."""

    def __init__(self, room: DocumentRoom, hosted: HostedDocument) -> None:
        self._room = room
        self._hosted = hosted
        self._client = hosted.client
        self.lock = hosted.client.lock
        self.transaction = hosted.client.transaction

    @property
    def doc(self) -> Doc[Any]:
        """The document as it is now."""
        return self._client.doc

    @property
    def applying(self) -> bool:
        """Whether somebody else's edit is being applied."""
        return self._client.applying

    def hold(self) -> None:
        """Keep the room from closing by itself."""
        self._hosted.face = self._room

    def post(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` soon, outside of transactions, where callbacks are."""
        self._client.post(partial(self._post, callback))

    def _post(self, callback: Callable[[], None]) -> None:
        self._hosted.post(callback)

    def on_replace(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        """Call ``callback(old)`` whenever ``doc`` is another object."""
        return self._client.on_replace(callback)


class _HeldLive(Live):
    """A room in which somebody wants to hear of changes does not close by itself."""

    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self._hold = source.hold

    def watch(
        self, locate: Callable[[Mirror], Branch | None], kind: int, callback: Callable[[Change], object]
    ) -> Callable[[], None]:
        """Call ``callback`` with what changes, from now on."""
        self._hold()
        return super().watch(locate, kind, callback)
