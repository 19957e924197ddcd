"""Rooms for programs without an event loop, scripts and notebooks.

::

    room = partyroom.connect("today")                  # a document that others edit as well
    room.text("notes").insert(0, "typed in a notebook ")
    room.map("state").on_change(print)
    room.saved()

    with partyroom.connect("chat/lobby", document=False) as chat:      # messages
        chat.send_json({"type": "say", "text": "hello"})
        for message in chat:
            print(message)

The network has a thread of its own, so a room answers, merges and reconnects while the program computes. All that is
here may be called from any thread. What waits (``receive``, ``ask``, ``fetch``, ``saved``, ``close``) may not be called
in a callback on the network's thread, nor while a document's lock is held: what it waits for could not happen then, and
that raises ``RuntimeError``.

Callbacks are called where ``connect(..., post=...)`` says. Without it: in the event loop that runs where ``connect`` is
called, if one does (a notebook's, which gets to them when the cell is done), else on the network's thread, which all
rooms share and a callback should not keep for long.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack, overload

from ..errors import Unreachable
from .address import Place, find
from .hosted import HostedDocument, HostedSocket, Post
from .open_room import OpenRoom, SocketRoom
from .options import SocketOptions
from .socket import Fresh, PartySocket, fresh
from .thread import NetworkThread, network
from .url import Scalar

if TYPE_CHECKING:
    from .document_room import DocumentRoom
    from .keep import Keepable

__all__ = ["OpenRoom", "SocketRoom", "connect"]
Room = TypeVar("Room", bound=OpenRoom)
Open: TypeAlias = Callable[[NetworkThread, Post], Coroutine[Any, Any, Room]]
"""Opens a room, in the network thread, with callbacks where they are wanted."""
Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
"""What shows a server who this is, or a function that is called for it before every attempt, in the network thread."""


@overload
def connect(
    address: str,
    *,
    document: Literal[True] = True,
    party: str | None = None,
    server: str | None = None,
    token: Token = None,
    user: dict[str, Any] | None = None,
    keep: Keepable | None = None,
    query: Fresh[Scalar] = None,
    post: Post | None = None,
    wait: float = 10.0,
    **options: Unpack[SocketOptions],
) -> DocumentRoom: ...


@overload
def connect(
    address: str,
    *,
    document: Literal[False],
    party: str | None = None,
    server: str | None = None,
    token: Token = None,
    query: Fresh[Scalar] = None,
    post: Post | None = None,
    wait: float = 10.0,
    **options: Unpack[SocketOptions],
) -> SocketRoom: ...


def connect(
    address: str,
    *,
    document: bool = True,
    party: str | None = None,
    server: str | None = None,
    token: Token = None,
    user: dict[str, Any] | None = None,
    keep: Keepable | None = None,
    query: Fresh[Scalar] = None,
    post: Post | None = None,
    wait: float = 10.0,
    **options: Unpack[SocketOptions],
) -> OpenRoom:
    """Open a room: ``"today"``, ``"chat/lobby"``, or a URL with ``/parties/PARTY/ROOM`` in it.

    It is a document that others edit as well, or with ``document=False`` one of any kind, by its messages. The server
    is that of a URL, else ``server``, else ``PARTYROOM_URL``, else ``http://localhost:1999``; ``PARTYROOM_TOKEN`` is
    the ``token`` for the server that ``PARTYROOM_URL`` names, and for no other. With ``party``, all of ``address`` is
    the room's name. ``user`` and ``keep`` are those of ``DocumentClient``, ``query`` and the options ``PartySocket``'s.

    Returns when there is a connection (and the server's document is here), or at once with ``wait=0``. Raises
    ``Unreachable`` when there is none within ``wait`` seconds, ``ConnectionClosed`` where the server will not have us,
    and ``ValueError`` for what is no address.
    """
    place = find(address, party=party, server=server)
    asked = _asked(place, query, token)
    if not document:
        if user is not None or keep is not None:
            raise ValueError("user and keep are for documents, and this is opened with document=False")
        return _opened(_sockets(place, asked, options), post, wait)
    return _opened(_documents(place, asked, user, keep, options), post, wait)


def _opened(open: Open[Room], post: Post | None, wait: float) -> Room:
    """Open a room in the network thread, and wait until there is a connection."""
    thread = network()
    where = posting(post, thread)
    room = thread.run(lambda: open(thread, where))
    if wait > 0:
        try:
            room.wait(wait)
        except BaseException as error:
            why = f" ({room.failure})" if room.failure else ""
            room.close()
            if not isinstance(error, TimeoutError):
                raise
            raise Unreachable(
                f"{room.url} is not there within {wait:g} s{why}: is `partyroom serve` running? PARTYROOM_URL or "
                "server=... says where"
            ) from None
    return room


def _sockets(place: Place, asked: Fresh[Scalar], options: SocketOptions) -> Open[SocketRoom]:
    async def open(thread: NetworkThread, post: Post) -> SocketRoom:
        socket = PartySocket(place.host, party=place.party, room=place.room, query=asked, **options)
        socket.start()
        return SocketRoom(HostedSocket(thread, post, socket), socket)

    return open


def _documents(
    place: Place,
    asked: Fresh[Scalar],
    user: dict[str, Any] | None,
    keep: Keepable | None,
    options: SocketOptions,
) -> Open[DocumentRoom]:
    from .document import DocumentClient  # loads pycrdt, here rather than where it would hold all rooms up
    from .document_room import DocumentRoom

    async def open(thread: NetworkThread, post: Post) -> DocumentRoom:
        client = DocumentClient(
            place.host, party=place.party, room=place.room, query=asked, user=user, keep=keep, **options
        )
        await client.start()
        return DocumentRoom(HostedDocument(thread, post, client, early=keep is not None))

    return open


def posting(post: Post | None, thread: NetworkThread) -> Post:
    """Where callbacks are called: see above."""
    if post is not None:
        if not callable(post):
            raise TypeError(f"post is a function that has another called, not {type(post).__name__}")
        return post
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _at_once
    return _at_once if loop is thread.loop else loop.call_soon_threadsafe


def _at_once(callback: Callable[[], object]) -> None:
    callback()


def _asked(place: Place, query: Fresh[Scalar], token: Token) -> Callable[[], Awaitable[dict[str, Scalar]]]:
    """The query of an attempt, with the token of the moment."""

    async def asked() -> dict[str, Scalar]:
        shown: dict[str, Scalar] = {**place.query, **await fresh(query)}
        if said := await _said(place, token):
            shown["token"] = said
        return shown

    return asked


async def _said(place: Place, token: Token) -> str:
    """The token, from where it is to be had."""
    if token is None:
        return os.environ.get("PARTYROOM_TOKEN", "") if place.trusted else ""
    value = token() if callable(token) else token
    return await value if inspect.isawaitable(value) else value
