"""The HTTP face of a document's history. Who may read the document may read it, who may write may go back.

====================================  ==============================================================================
``GET .../versions``                  all versions, the latest first
``POST .../versions``                 keep the document as it is: ``{"name": "..."}``
``GET .../versions/<id>``             the document then, in the forms of ``.../doc``: ``<id>.json``, ``.txt``, ``.md``
``GET .../versions/<id>/changes``     what is new since the version before it, by whom and when
``GET .../versions/<id>/diff``        what changed from it to ``?to=`` another version, or ``now``; with
                                      ``Accept: text/plain`` or ``&as=text`` as a unified diff
``POST .../versions/<id>/restore``    make the document what it was: an edit that all receive
``DELETE .../versions/<id>``          delete a version
``POST .../undo``, ``POST .../redo``  take back what somebody did last, or bring it again: ``{"who": "user:ada"}``
====================================  ==============================================================================
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from ..errors import LimitError, ProtocolError, Refused, StoreError
from ..http import Request, Response, origin_allowed
from ..room import Room
from .authors import Author, author_of
from .history import History
from .http import rendered
from .reconcile import unified
from .versions import Version

__all__ = ["Document", "answer", "answers"]

FORMS: Final = ("", ".json", ".txt", ".md")


class Document(Protocol):
    """What is needed of a ``DocumentParty``."""

    room: Room

    @property
    def history(self) -> History:
        """The document's history."""
        ...

    def may_read(self, request: Request) -> bool:
        """Whether the document is given out to this request."""
        ...

    def may_write(self, request: Request) -> bool:
        """Whether this request may edit it."""
        ...


def answers(request: Request) -> bool:
    """Whether a request is for a document's history."""
    return request.subpath.partition("/")[0] in ("versions", "undo", "redo")


async def answer(document: Document, request: Request) -> Response:
    """Answer a request for which ``answers`` is true."""
    try:
        return await _answer(document, request)
    except Refused as refused:
        return Response(refused.reason + "\n", refused.status)
    except LimitError as error:
        return Response(f"{error}\n", 409)
    except ProtocolError as error:
        return Response(f"This cannot be read: {error.reason}\n", 409)
    except StoreError:
        return Response("This could not be stored\n", 503)


async def _answer(document: Document, request: Request) -> Response:
    first, *rest = request.subpath.split("/")
    method = "GET" if request.method == "HEAD" else request.method
    match method, first, rest:
        case "GET", "versions", []:
            _check_reading(document, request)
            versions = await document.history.versions.all()
            return Response.json([described(version) for version in reversed(versions)])
        case "POST", "versions", []:
            return await _save(document, request)
        case "GET", "versions", [name]:
            return await _state(document, request, name)
        case "GET", "versions", [name, "changes" | "diff" as what]:
            return await _difference(document, request, _id(name), what)
        case "POST", "versions", [name, "restore"]:
            _check_writing(document, request)
            kept = await document.history.restore(_id(name), author_of(request))
            return Response.json({"before": described(kept)})
        case "DELETE", "versions", [name]:
            _check_writing(document, request)
            await document.history.drop(_id(name))
            return Response(status=204)
        case "POST", "undo" | "redo", []:
            return await _take_back(document, request, first)
    return Response("Not found: versions, versions/<id>, .../changes, .../diff, .../restore, undo and redo are\n", 404)


def described(version: Version) -> dict[str, Any]:
    """A version as JSON; times are seconds since the epoch."""
    return {
        "id": version.id,
        "name": version.name,
        "reason": version.reason,
        "at": version.at,
        "since": version.since,
        "authors": [_person(author) for author in version.authors],
        "saved_by": None if version.saver is None else _person(version.saver),
        "size": version.size,
        "stored": version.stored,
    }


def _person(author: Author) -> dict[str, str]:
    return {"who": author.who, "name": author.name}


def _check_reading(document: Document, request: Request) -> None:
    if not document.may_read(request):
        raise Refused(403, "This document is not given out over HTTP")


def _check_writing(document: Document, request: Request) -> None:
    if not origin_allowed(request, document.room.parties.origins):
        raise Refused(403, "A page of another site may not write here (Lobby(origins=...))")
    if not document.may_write(request):
        raise Refused(403, "This document may not be edited over HTTP, or not by you")


async def _save(document: Document, request: Request) -> Response:
    _check_writing(document, request)
    try:
        version = await document.history.save(_member(request, "name"), author_of(request))
    except LimitError:
        raise
    except ValueError as error:
        raise Refused(400, str(error)) from None
    return Response.json(described(version), 201, {"location": f"{request.path.rstrip('/')}/{version.id}"})


async def _state(document: Document, request: Request, name: str) -> Response:
    _check_reading(document, request)
    number, dot, form = name.partition(".")
    if dot + form not in FORMS:
        raise Refused(404, f"A version has the forms {', '.join(FORMS[1:])}, and without any it is an update")
    state = await document.history.state(_id(number))
    return await rendered(request.replace(subpath=f"doc{dot}{form}"), state)


async def _difference(document: Document, request: Request, id: int, what: str) -> Response:
    _check_reading(document, request)
    history = document.history
    then: int | None = id
    now: int | None = None
    if what == "changes":
        await history.versions.get(id)
        before = await history.versions.before(id)
        then, now = None if before is None else before.id, id
    elif (to := request.query.get("to", "now")) != "now":
        now = _id(to)
    difference = await history.difference(then, now)
    if request.query.get("as") == "text" or "text/plain" in request.headers.get("accept", ""):
        names = f"{then or 'nothing'}", f"{now or 'now'}"
        return Response("".join(await asyncio.to_thread(unified, difference.then, difference.now, names)))
    return Response.json({"from": then, "to": now or "now", "changes": difference.changes})


async def _take_back(document: Document, request: Request, what: str) -> Response:
    _check_writing(document, request)
    who = _member(request, "who")
    history = document.history
    done = await (history.undo if what == "undo" else history.redo)(who, author_of(request))
    return Response.json({"done": done})


def _id(name: str) -> int:
    if not (name.isascii() and name.isdecimal() and len(name) < 16):
        raise Refused(404, f"{name!a} is no version's id")
    return int(name)


def _member(request: Request, name: str) -> str:
    """One text of a request's JSON. The type has a browser ask before a page of another site sends it."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "This takes application/json")
    try:
        said = request.json()
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"This is no JSON: {error}") from None
    value = said.get(name) if isinstance(said, dict) else None
    if not isinstance(value, str):
        raise Refused(400, f'This takes {{"{name}": "..."}}')
    return value
