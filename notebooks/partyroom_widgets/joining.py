"""join: a notebook comes into a room: where that is, under which name, and with what token."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable
from typing import Any

import partyroom
from partyroom.client.address import find

from .people import clean_name, color_for
from .room import Room, Token, checked_color

__all__ = ["join", "open_room"]

# What a notebook would show in red, wherever it happens to be: the strip and the views say it, in a sentence.
logging.getLogger("partyroom.client.link").addHandler(logging.NullHandler())

_joined: dict[tuple[str, str | None, Token], Room] = {}


def join(
    room: str,
    *,
    name: str | None = None,
    color: str | None = None,
    url: str | None = None,
    token: Token = None,
    wait: float = 5.0,
    **options: Any,
) -> Room:
    """Join a room: ``"lesson-3"``, ``"party/room"`` or a URL with ``/parties/PARTY/ROOM`` in it.

    The server is ``url``, else ``PARTYROOM_URL``, which Jupyter with ``partyroom[jupyter]`` sets for its kernels (as a
    Hub does, where it names one server for all), else ``http://localhost:1999``. ``PARTYROOM_TOKEN`` is the ``token``
    for that one alone. ``name`` is what the others see, else the Hub's or the system's name of the user.

    Waits ``wait`` seconds for the room's content, and without a server goes on alone: what is shared and changed is
    merged when there is one. Joining a room again, as a cell that is run twice does, returns the room that there is.
    Raises ``ConnectionClosed`` where the server will not have us, and ``ValueError`` for what is no address.
    """
    key = (room, url, token)
    known = _joined.get(key)
    if known is not None and not known.client.closed:
        if name is not None or color is not None:
            known.rename(name or known.me.name, color)
        return known
    joined = _joined[key] = open_room(room, name=name, color=color, url=url, token=token, wait=wait, **options)
    joined.close_with(lambda: _joined.pop(key, None))
    return joined


def open_room(
    room: str,
    *,
    name: str | None = None,
    color: str | None = None,
    url: str | None = None,
    token: Token = None,
    wait: float = 5.0,
    **options: Any,
) -> Room:
    """The same as ``join``, as somebody else each time."""
    place = find(room, server=url)
    if token is None and place.trusted:
        token = os.environ.get("PARTYROOM_TOKEN")
    shown = clean_name(name) or clean_name(_login()) or "Someone"
    user = {"name": shown, "color": color_for(shown) if color is None else checked_color(color)}
    client = partyroom.connect(room, server=url, token=token, post=_at_once, wait=0, **options)
    joined = Room(client, place.room, user, token=token, painted=color is not None)
    try:
        joined.arrive(wait)
    except BaseException:
        joined.close()
        raise
    return joined


def _at_once(callback: Callable[[], object]) -> None:
    """Callbacks in the network's thread: what has to wait for the kernel goes on from there."""
    callback()


def _login() -> str:
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return ""
