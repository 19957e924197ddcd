"""Addresses as people type them, and the server that the environment names.

::

    today                                       room today of the party main, on the server of PARTYROOM_URL
    chat/lobby                                  room lobby of the party chat
    https://example.com/parties/chat/lobby      that room of that server; also ws://, and below a path of its own

``PARTYROOM_URL`` is ``http://localhost:1999`` unless set, and ``PARTYROOM_TOKEN`` is for that server alone: a token is
never shown to another that an address happens to name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from ..http import Address, split_path

__all__ = ["Place", "find"]

HERE = "http://localhost:1999"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect: ``host`` as ``PartySocket`` takes it, and what the address had for a query."""

    host: str
    party: str
    room: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    trusted: bool = False
    """Whether this is the server that the environment names, whose token may be shown to it."""


def find(
    address: str,
    *,
    party: str | None = None,
    server: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Place:
    """The place that ``address`` means. With ``party`` all of it is the room's name, slashes included.

    Raises ``ValueError`` for what is no address.
    """
    ours = environ.get("PARTYROOM_URL") or HERE
    if "://" in address and party is None:
        host, (party, room), query = _of_url(address)
        return Place(host, party, room, query, trusted=_is_same(host, ours))
    if party is None and "/" in address:
        party, _, address = address.partition("/")
    if not address or party == "":
        raise ValueError("a room's address is 'room', 'party/room' or a URL with /parties/PARTY/ROOM in it")
    host = server or ours
    return Place(host, party or "main", address, trusted=_is_same(host, ours))


def _of_url(url: str) -> tuple[str, Address, dict[str, str]]:
    """Host, address and query of a room's URL: the last ``/parties/`` begins what is ours."""
    parts = urlsplit(url)
    base, found, rest = parts.path.rpartition("/parties/")
    split = split_path(f"/parties/{rest}") if found else None
    if split is None or split[1] or not parts.netloc:
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        raise ValueError(f"{shown} is no room: its path ends with /parties/PARTY/ROOM")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("_pk", None)  # somebody else's id
    return f"{parts.scheme}://{parts.netloc}{unquote(base)}", split[0], query


def _is_same(host: str, other: str) -> bool:
    """Whether two hosts are one server: the same scheme, name, port and path (a hub has a server of each of its users
    below a path of their own)."""
    return _server(host) == _server(other)


def _server(host: str) -> tuple[bool, str | None, int | None, str]:
    parts = urlsplit(host if "://" in host else f"//{host}")
    secure = parts.scheme in ("https", "wss")
    return secure, parts.hostname, parts.port or (443 if secure else 80), parts.path.rstrip("/")
