"""The paths and values of y-sweet's server, as ``@y-sweet/sdk`` 0.9 uses them. Its WebSocket messages are ``yjs``'.

::

    POST /doc/new           {"docId"?}, answered by {"docId"}
    POST /doc/:id/auth      {"authorization"?, "userId"?, "validForSeconds"?}, answered by a client token
    GET  /d/:id/as-update   answered by the document as one Yjs update
    POST /d/:id/update      a Yjs update
    WS   /d/:id/ws/:id      the "url" of the client token; the client adds the second id to it

The first two are the application's server's, which holds the connection string ``ys://SECRET@host``; the others are
whoever's it gave the client token to, as ``Authorization: Bearer`` or ``?token=``.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ..errors import Refused

__all__ = ["TokenWanted", "client_token", "connection_string", "new_document", "room_path", "token_wanted"]

LONGEST = 365 * 24 * 3600
"""The most seconds that a token may be asked for."""


def room_path(path: str, party: str) -> str | None:
    """The path of the room, of ``party``, that a path of y-sweet's means; ``None`` for every other path."""
    match [part for part in path.split("/") if part]:
        case ["doc", document, "auth"]:
            action = "/y-sweet/auth"
        case ["doc" | "d", document, ("as-update" | "update") as asked]:
            action = f"/y-sweet/{asked}"
        case ["d", document, "ws", again] if unquote(document) == unquote(again):
            action = ""
        case _:
            return None
    return f"/parties/{quote(party, safe='')}/{document}{action}"


def new_document(body: bytes) -> str | None:
    """The id that ``/doc/new`` is asked for, or ``None`` where it may choose one; raises ``Refused`` (400)."""
    document = _object(body).get("docId")
    if document is not None and (not isinstance(document, str) or not document):
        raise Refused(400, "docId is a text")
    return document


class TokenWanted(NamedTuple):
    """What ``/doc/:id/auth`` is asked for; ``seconds`` is how long it shall be valid."""

    write: bool
    user: str | None
    seconds: float


def token_wanted(body: bytes) -> TokenWanted:
    """The token that a body asks for, an hour of full access if it says nothing; raises ``Refused`` (400)."""
    asked = _object(body)
    authorization = asked.get("authorization", "full")
    user, seconds = asked.get("userId"), asked.get("validForSeconds", 3600)
    if authorization not in ("full", "read-only"):
        raise Refused(400, "authorization is full or read-only")
    if user is not None and not isinstance(user, str):
        raise Refused(400, "userId is a text")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST:
        raise Refused(400, f"validForSeconds is a number up to {LONGEST}")
    return TokenWanted(authorization == "full", user, seconds)


def client_token(url: str, document: str, token: str | None, write: bool) -> dict[str, Any]:
    """What a client needs to come in; ``url`` is the server's, as clients reach it (``https://docs.example.com``)."""
    base = f"{url.rstrip('/')}/d/{quote(document, safe='')}"
    value = {
        "url": "ws" + base.removeprefix("http") + "/ws",
        "baseUrl": base,
        "docId": document,
        "authorization": "full" if write else "read-only",
    }
    return value if token is None else {**value, "token": token}


def connection_string(url: str, secret: str | None = None) -> str:
    """What ``DocumentManager`` takes, for the server at ``url``: ``ys://SECRET@host`` or, for https, ``yss://``."""
    parts = urlsplit(url)
    user = "" if secret is None else quote(secret, safe="") + "@"
    return urlunsplit(("yss" if parts.scheme == "https" else "ys", user + parts.netloc, parts.path, "", ""))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "The body is a JSON object")
    return value
