"""Where a room is: the URL of its WebSocket and of its HTTP side, made from the parts that people give.

What may be secret, the query and a user's name and password, is in no URL that ``public`` has been over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import quote, quote_plus, urlsplit

__all__ = ["Params", "Scalar", "below", "http_url", "public", "room_url", "with_query"]

Scalar: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Mapping[str, Scalar]
"""Query parameters; one that is ``None`` is left out."""

SCHEMES = {"ws": False, "http": False, "wss": True, "https": True}


def room_url(host: str, *, room: str, party: str = "main", prefix: str = "parties", secure: bool | None = None) -> str:
    """The WebSocket URL of a room, without a query: ``wss://HOST/PREFIX/PARTY/ROOM``, percent-encoded.

    ``host`` may begin with ``ws://``, ``wss://``, ``http://`` or ``https://`` and may end with the path that the rooms
    are mounted under. With neither ``prefix`` nor ``party`` it is ``wss://HOST/ROOM``, where other servers have their
    rooms. Without ``secure`` and without a scheme, loopback and private hosts are spoken to in the clear
    and all others by TLS, as partysocket does. Raises ``ValueError`` for what is no address.
    """
    scheme, separator, rest = host.rpartition("://")
    if separator and scheme.lower() not in SCHEMES:
        raise ValueError(f"{scheme!r} is no scheme of a room; use wss, ws, https or http")
    base = urlsplit(f"//{rest.rstrip('/')}")
    try:
        name, _ = base.hostname, base.port
    except ValueError as error:  # a port that is none
        raise ValueError(f"the host is no address: {error}") from None
    if not name or base.query or base.fragment or re.search(r"\s", rest):
        raise ValueError("the host is an address such as 'localhost:1999' or 'https://rooms.example.com/base'")
    if secure is None:
        secure = SCHEMES[scheme.lower()] if separator else not _is_near(name)
    for what, given in (("room", room), ("party", party or not prefix)):
        if not given:
            raise ValueError(f"which {what}? Its name is empty")
    root = below(f"{'wss' if secure else 'ws'}://{base.netloc}{base.path}", prefix)
    return "/".join([root, *map(_segment, filter(None, (party, room)))])


def below(url: str, path: str) -> str:
    """``url`` with a path added; it is given as it is to be read, and encoded here."""
    return "/".join([url, *map(_segment, filter(None, path.split("/")))])


def _segment(text: str) -> str:
    """One segment of a path. A room may be called ``..``, which a URL would take for the folder above."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def _is_near(name: str) -> bool:
    """Whether a host is this machine, or has an address of a private network (RFC 1918, RFC 4193)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:  # a name
        return False
    return address.is_loopback or address.is_private


def http_url(url: str) -> str:
    """The HTTP side of a WebSocket URL."""
    return "http" + url.removeprefix("ws")


def with_query(url: str, params: Params) -> str:
    """``url`` with a query; a value that is ``None`` is left out, ``True`` reads ``true``."""
    pairs = [(name, _value(value)) for name, value in params.items() if value is not None]
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    return f"{url}?{query}" if query else url


def _value(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def public(url: str) -> str:
    """A URL to show or to log: without its query, user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
