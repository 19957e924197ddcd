"""The HTTP face of a document: read it in several forms, and edit it, live for everybody.

===========================  ======================================================================================
``GET .../doc``              the document as one Yjs update; ``?sv=`` (a state vector in base64url): what that lacks
``GET .../doc.json``         all roots as JSON, or ``?root=name``; ``&type=text|array|map|xml|delta`` says as what
``GET .../doc.txt``          the text of one root (``?root=``, where there are several)
``GET .../doc.md``           the same as Markdown (``documents.markdown``)
``POST .../doc``             merge an update (``application/octet-stream``)
``PATCH .../doc``            edit by a JSON patch (``documents.patch``)
===========================  ======================================================================================

``GET .../doc`` with ``Accept: application/json``, ``text/plain`` or ``text/markdown`` is the form of that type. What is
read has an ``ETag`` for the document's state, good for ``If-None-Match`` (304) and for ``If-Match`` of a ``PATCH`` (412
where the document has changed; 409 where an operation cannot be done). Writing is answered when it is on disk.

The content is read by ``protocols.content``, never by the engine, and away from the event loop where there is much.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import sha256
from secrets import randbits
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pycrdt import Doc

from ..errors import ProtocolError, Refused, StoreError
from ..http import Request, Response, origin_allowed
from ..protocols import guard
from ..protocols.content import Content, Kind, Shared, read
from ..protocols.edits import Editor
from ..protocols.structs import read_structs
from ..room import Room
from . import patch
from .authors import Author, author_of
from .markdown import markdown, plain_text

__all__ = ["Document", "Face", "rendered"]

MUCH: Final = 16 * 1024
"""Bytes of a document from which on it is read in another thread: about 10 ms of work."""

TRIES: Final = 5
"""How often a patch that depends on the document's state begins again because somebody has edited meanwhile."""

_FORMS: Final = {
    "doc": "application/octet-stream",
    "doc.json": "application/json",
    "doc.txt": "text/plain; charset=utf-8",
    "doc.md": "text/markdown; charset=utf-8",
}
_KINDS: Final[tuple[Kind, ...]] = ("text", "array", "map", "xml")
_PATCHES: Final = ("application/json", "application/json-patch+json")

_URLSAFE: Final = str.maketrans("-_ ", "+/+")
"""Back to base64's own alphabet; a plus that was not encoded has become a space."""

_EVERYTHING: Final = b"\0"
"""The state vector of who has nothing."""

T = TypeVar("T")


class Document(Protocol):
    """What the face needs of a ``DocumentParty``."""

    room: Room

    @property
    def doc(self) -> Doc[Any]:
        """The live document."""
        ...

    @property
    def lineage(self) -> str:
        """Which history it is."""
        ...

    def may_read(self, request: Request) -> bool:
        """Whether it is given out to this request."""
        ...

    def may_write(self, request: Request) -> bool:
        """Whether this request may edit it."""
        ...

    async def merge(self, update: bytes, by: Author) -> None:
        """Take in an update of somebody's; returns when it is on disk."""
        ...


class _State(NamedTuple):
    """The state of a document: how far each client is, and what is deleted, both as Yjs encodes them."""

    lineage: str
    vector: bytes
    deletions: bytes

    @classmethod
    def of(cls, document: Document) -> _State:
        vector = document.doc.get_state()
        return cls(document.lineage, vector, document.doc.get_update(vector))

    def tag(self) -> str:
        """A name for it, the same after a restart: the engine lists clients in any order."""
        digest = sha256(self.lineage.encode())
        digest.update(repr(sorted(guard.state_vector(self.vector).items())).encode())
        digest.update(repr(sorted(read_structs(self.deletions)[1].items())).encode())
        return urlsafe_b64encode(digest.digest()[:15]).decode()


class Face:
    """Answers the HTTP requests for one document, for as long as its room is awake."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._known: tuple[_State, str] | None = None
        self._content: tuple[str, Content] | None = None
        self._client = 0

    @staticmethod
    def answers(request: Request) -> bool:
        """Whether a request is for this face."""
        return request.subpath in _FORMS

    async def answer(self, document: Document, request: Request) -> Response:
        """Answer a request for which ``answers`` is true."""
        try:
            if request.method in ("GET", "HEAD"):
                return await self._get(document, request)
            if request.subpath == "doc" and request.method in ("POST", "PATCH"):
                return await self._change(document, request)
            allow = "GET, HEAD, POST, PATCH" if request.subpath == "doc" else "GET, HEAD"
            return Response(
                "A document is read with GET, and .../doc edited with POST or PATCH\n", 405, {"allow": allow}
            )
        except Refused as refused:
            return Response(refused.reason + "\n", refused.status)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _get(self, document: Document, request: Request) -> Response:
        if not document.may_read(request):
            raise Refused(403, "This document is not given out over HTTP")
        form = _form(request)
        render = None if form == "doc" else _renderer(form, request)
        vector = _vector(request) if form == "doc" else _EVERYTHING
        async with self._reading:  # one at a time; who asks for the same finds it read
            state = _State.of(document)
            known = self._known is not None and self._known[0] == state
            update = b"" if known else document.doc.get_update(vector)
            etag = f'"{await self._tag(state)}{form.removeprefix("doc")}"'
            headers = {"etag": etag, "vary": "accept", "cache-control": "no-cache", "x-content-type-options": "nosniff"}
            if {"*", etag} & _listed(request.headers.get("if-none-match", "")):
                return Response(status=304, headers=headers)
            if known:  # and nothing was awaited since
                update = document.doc.get_update(vector)
            body = update if render is None else await self._render(render, etag, update)
        return Response(body, headers={**headers, "content-type": _FORMS[form]})

    async def _tag(self, state: _State) -> str:
        """The name of a state."""
        if self._known is None or self._known[0] != state:
            self._known = state, await _aside(len(state.deletions), state.tag)
        return self._known[1]

    async def _render(self, render: Callable[[Content], bytes], etag: str, update: bytes) -> bytes:
        name = etag.partition(".")[0]
        try:
            if self._content is None or self._content[0] != name:
                self._content = name, await _aside(len(update), read, update)
            return await _aside(len(update), render, self._content[1])
        except ProtocolError as error:
            raise Refused(409, error.reason) from None

    # -- writing -----------------------------------------------------------------------------------------------------

    async def _change(self, document: Document, request: Request) -> Response:
        if not origin_allowed(request, document.room.parties.origins):
            raise Refused(403, "A page of another site may not write here (Lobby(origins=...))")
        if not document.may_write(request):
            raise Refused(403, "This document may not be edited over HTTP, or not by you")
        if len(request.body) > document.room.limits.message:
            raise Refused(413, f"An edit has at most {document.room.limits.message} bytes here")
        try:
            if request.method == "POST":
                await document.merge(_posted(request), author_of(request))
            else:
                await self._patch(document, request)
        except ProtocolError as error:
            raise Refused(400, error.reason) from None
        except StoreError:
            raise Refused(503, "The edit is made, but it could not be stored: it may be lost") from None
        return Response(status=204)

    async def _patch(self, document: Document, request: Request) -> None:
        """Make the edit as a client would who has the document as it is now, and merge it."""
        if not document.may_read(request):
            raise Refused(403, "What a patch needs to see is not given out over HTTP: POST an update")
        operations = _operations(request)
        expected = request.headers.get("if-match")
        depends = expected is not None or any(one.get("op") == "test" for one in operations if isinstance(one, dict))
        async with self._writing:
            for _ in range(TRIES):
                state, update = _State.of(document), document.doc.get_update()
                if expected is not None and not _is_expected(await _aside(len(state.deletions), state.tag), expected):
                    raise Refused(412, "The document has changed since you read it")
                client, clock = self._author(state.vector)
                edit = await _aside(len(update), _edited, update, operations, client, clock)
                if document.lineage == state.lineage and (not depends or _State.of(document) == state):
                    return await document.merge(edit, author_of(request))
        raise Refused(409, "Others edit this document all the time: try again")

    def _author(self, vector: bytes) -> tuple[int, int]:
        """The client that our patches are by, which is the room's as long as it is awake, and its next clock."""
        clocks = guard.state_vector(vector)
        while self._client not in clocks:
            self._client = randbits(32)
            if self._client not in clocks:
                return self._client, 0
        return self._client, clocks[self._client]


async def rendered(request: Request, update: bytes) -> Response:
    """Some state of a document in the form that a request asks for as it would for ``.../doc``; raises ``Refused``."""
    form = _form(request)
    body = update
    if form != "doc":
        render = _renderer(form, request)
        try:
            body = await _aside(len(update), lambda: render(read(update)))
        except ProtocolError as error:
            raise Refused(409, error.reason) from None
    headers = {"content-type": _FORMS[form], "vary": "accept", "x-content-type-options": "nosniff"}
    return Response(body, headers={**headers, "cache-control": "no-cache"})


async def _aside(size: int, work: Callable[..., T], *arguments: Any) -> T:
    """Do some work, in another thread where it is about so many bytes that others would notice."""
    return work(*arguments) if size < MUCH else await asyncio.to_thread(work, *arguments)


def _listed(header: str) -> set[str]:
    """A list of entity tags (RFC 9110 section 8.8.3); a proxy that compresses what we say makes them weak."""
    return {one.strip().removeprefix("W/") for one in header.split(",")}


def _is_expected(tag: str, header: str) -> bool:
    """Whether an ``If-Match`` names this state, by the tag of whatever form of the document."""
    return any(one == "*" or one.strip('"').partition(".")[0] == tag for one in _listed(header))


def _form(request: Request) -> str:
    """The form that a request asks for, by its path or by what it accepts."""
    if request.subpath == "doc":
        for accepted in request.headers.get("accept", "").split(","):
            kind = accepted.partition(";")[0].strip().lower()
            for form, served in _FORMS.items():
                if kind == served.partition(";")[0]:
                    return form
    return request.subpath


def _vector(request: Request) -> bytes:
    """The state vector of who asks, in base64 with or without padding, of either alphabet."""
    said = request.query.get("sv", "")
    try:
        vector = b64decode(said.translate(_URLSAFE) + "=" * (-len(said) % 4), validate=True)
        guard.state_vector(vector or _EVERYTHING)
    except (Base64Error, ValueError, ProtocolError):
        raise Refused(400, "sv is a Yjs state vector in base64url") from None
    return vector or _EVERYTHING


def _renderer(form: str, request: Request) -> Callable[[Content], bytes]:
    """What makes a form out of the content."""
    name, kind = request.query.get("root"), request.query.get("type")
    if kind not in (None, *_KINDS, "delta") or (kind == "delta" and form != "doc.json"):
        raise Refused(400, f"type is one of {', '.join(_KINDS)}" + (", delta" if form == "doc.json" else ""))
    if kind is not None and name is None:
        raise Refused(400, "type says what a root is: name it with root")
    if form == "doc.json":
        return lambda content: Response.json(_json(content, name, kind)).body
    write = markdown if form == "doc.md" else plain_text
    return lambda content: write(_root(content, name), kind).encode()  # type: ignore[arg-type]  # no delta, see above


def _json(content: Content, name: str | None, kind: Any) -> Any:
    if name is None:
        return content.json()
    root = content.root(name)
    return root.delta() if kind == "delta" else root.json(kind)


def _root(content: Content, name: str | None) -> Shared:
    """The root of this name, or the only one that can be a text."""
    if name is not None:
        return content.root(name)
    texts = [root for root in content.roots.values() if root.kind in ("text", "xml")]
    if len(texts) != 1:
        names = sorted(root.name for root in texts)[:20]
        raise Refused(400, "\n".join(["Name a root: ?root=...", *map(ascii, names)]))
    return texts[0]


def _posted(request: Request) -> bytes:
    """The update that a request brings. The type has a browser ask us first, before a page of another site sends it."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/octet-stream":
        raise Refused(415, "An update is sent as application/octet-stream")
    return request.body


def _operations(request: Request) -> list[Any]:
    """The operations of a patch."""
    if request.headers.get("content-type", "").partition(";")[0].strip() not in _PATCHES:
        raise Refused(415, f"A patch is sent as {_PATCHES[0]}")
    try:
        operations = json.loads(request.body, parse_constant=_not_json)
        json.dumps(operations, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refused(400, "A patch has no half surrogate pairs") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"A patch is JSON: {error}") from None
    if not isinstance(operations, list):
        raise Refused(400, "A patch is a list of operations")
    return operations


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _edited(update: bytes, operations: list[Any], client: int, clock: int) -> bytes:
    editor = Editor(read(update), client, clock)
    try:
        patch.apply(editor, operations)
        return editor.update()
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"A patch holds what a document cannot: {error}") from None
