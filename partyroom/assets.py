"""Assets: a folder of files beside the rooms, as the pages and scripts of an application.

Only regular files below the folder are ever read: each part of a path is decoded once, and one that begins with a dot,
holds a separator, a colon, a control character, or leads by a link out of the folder, is not there. Answers carry an
ETag and may be asked for in part (RFC 9110 sections 13 and 14).
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from threading import Lock
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from .http import Request, Response
from .limits import MIB

__all__ = ["Assets", "is_hashed"]

log = logging.getLogger("partyroom.assets")

INDEX: Final = "index.html"
CACHED: Final = 32 * MIB
"""How much of the files is kept in memory, so that many who ask for one share its bytes."""

_TYPES: Final = mimetypes.MimeTypes(())  # Python's own table: not what happens to be installed on this machine
for _ending, _type in {
    ".avif": "image/avif",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _ending)
_TEXT: Final = {"application/json", "application/manifest+json", "application/xml", "image/svg+xml"}

_HEX_NAME: Final = re.compile(r"[-.](?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,64}\.\w+$")
_HASH_NAME: Final = re.compile(r"[-.](?=[^.]*[A-Z])(?=[^.]*\d)(?![A-Za-z]+\d+\.)[A-Za-z0-9_]{8}\.\w+$")


def is_hashed(name: str) -> bool:
    """Whether a file's name ends with a hash of its content, as bundlers have it (``index-4f9a01c7.js``).

    Careful: a hash that looks like a word is not recognised, since what is cached for ever cannot be taken back.
    """
    return bool(_HEX_NAME.search(name) or _HASH_NAME.search(name))


class _File(NamedTuple):
    """A file that may be sent, as it was when it was found."""

    path: Path
    size: int
    etag: str


class Assets:
    """The files of ``folder``: ``Lobby(assets=Assets("public"))``, or ``Lobby(assets="public")`` for short.

    A path that ends with ``/`` is answered with the ``index.html`` there. With ``spa``, so is any page that is found
    nowhere else, with the one at the top: an application that has its routes in the browser. ``404.html`` is sent where
    nothing is found. A file whose name ``immutable`` recognises is cached for a year; others for ``max_age`` seconds,
    and then asked for again, which costs nothing while they are the same. ``largest`` bytes are sent at once: a larger
    file is sent only in parts (video players ask so), else it is an error in the log and a 500.

    Raises ``ValueError`` where there is no such folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        spa: bool = False,
        max_age: int = 0,
        largest: int = 8 * MIB,
        immutable: Callable[[str], bool] = is_hashed,
    ) -> None:
        self.folder = Path(folder).resolve()
        if not self.folder.is_dir():
            raise ValueError(f"there is no folder {self.folder} to serve files from: make it, or name another")
        self.spa = spa
        self._fresh = f"public, max-age={max_age}" if max_age else "no-cache"
        self._largest = largest
        self._immutable = immutable
        self._kept: OrderedDict[_File, bytes] = OrderedDict()
        self._kept_size = 0
        self._lock = Lock()  # files are read on threads

    def __repr__(self) -> str:
        return f"Assets({str(self.folder)!r})"

    async def answer(self, request: Request) -> Response | None:
        """The file at the request's path; ``None`` where there is none."""
        names = _names(request.path)
        if names is None or request.method not in ("GET", "HEAD"):
            return None
        return await asyncio.to_thread(self._answer, names, request)

    async def page(self, request: Request) -> Response | None:
        """For what nothing else has answered: the application's page, or ``404.html``; ``None`` without either."""
        if request.method not in ("GET", "HEAD"):
            return None
        if self.spa and _is_navigation(request):
            return await asyncio.to_thread(self._answer, [INDEX], request)
        return await asyncio.to_thread(self._not_found)

    def _answer(self, names: list[str], request: Request) -> Response | None:
        found = self._find(names)
        if found is None or isinstance(found, Response):
            return found
        headers = self._headers(found)
        if _matches(request.headers.get("if-none-match", ""), found.etag):
            return Response(status=304, headers=headers)
        try:
            if (span := _part(request, found)) is not None:
                return self._part(found, span, headers)
            return self._whole(found, 200, headers)
        except OSError as error:
            log.error("%s cannot be read: %s", found.path, error.strerror)
            return Response("This file cannot be read\n", 500)

    def _not_found(self) -> Response | None:
        found = self._find(["404.html"])
        return self._whole(found, 404, self._headers(found)) if isinstance(found, _File) else None

    def _find(self, names: list[str]) -> _File | Response | None:
        """The file that the parts of a path lead to, or where to ask for a folder's index."""
        try:
            path = self.folder.joinpath(*names).resolve(strict=True)
            status = path.stat()
        except (OSError, RuntimeError, ValueError):  # not there, not allowed, a ring of links, no name for a file
            return None
        if not path.is_relative_to(self.folder) or any(map(_is_hidden, path.relative_to(self.folder).parts)):
            return None  # a link has led out of the folder, or to what is hidden in it
        if S_ISDIR(status.st_mode) and (path / INDEX).is_file():
            # Relative, so that it also holds where the lobby is mounted below a path; never to another host.
            return Response(status=308, headers={"location": f"./{quote(names[-1])}/"})
        if not S_ISREG(status.st_mode):
            return None
        return _File(path, status.st_size, f'"{status.st_mtime_ns:x}-{status.st_size:x}"')

    def _headers(self, found: _File) -> dict[str, str]:
        name = found.path.name
        return {
            "content-type": _content_type(name),
            "cache-control": "public, max-age=31536000, immutable" if self._immutable(name) else self._fresh,
            "etag": found.etag,
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
        }

    def _whole(self, found: _File, status: int, headers: dict[str, str]) -> Response:
        if found.size > self._largest:
            log.error("%s has %d bytes: over %d it is sent in parts only", found.path, found.size, self._largest)
            return Response("This file is too large to be sent whole: ask for a part of it (Range)\n", 500)
        return Response(self._read(found), status, headers)

    def _part(self, found: _File, span: tuple[int, int], headers: dict[str, str]) -> Response:
        """Bytes from ``span[0]`` to before ``span[1]``, or fewer where that is too much at once."""
        start, end = span
        if start >= end:
            return Response(status=416, headers={**headers, "content-range": f"bytes */{found.size}"})
        with found.path.open("rb") as file:
            file.seek(start)
            body = file.read(min(end - start, self._largest))
        held = f"bytes {start}-{start + len(body) - 1}/{found.size}"
        return Response(body, 206, {**headers, "content-range": held})

    def _read(self, found: _File) -> bytes:
        """The whole file, which all who ask for it share while it is the same."""
        with self._lock:
            if (body := self._kept.get(found)) is not None:
                self._kept.move_to_end(found)
                return body
        with found.path.open("rb") as file:
            body = file.read(found.size)  # no more, should it have grown
        with self._lock:
            if found not in self._kept:
                self._kept[found] = body
                self._kept_size += len(body)
            while self._kept_size > CACHED:
                self._kept_size -= len(self._kept.popitem(last=False)[1])
        return body


def _names(path: str) -> list[str] | None:
    """The decoded parts of a raw path, with ``index.html`` for an empty last one; ``None`` if one cannot be a file."""
    try:
        names = [unquote(part, errors="strict") for part in path.removeprefix("/").split("/")]
    except UnicodeDecodeError:
        return None
    names[-1] = names[-1] or INDEX
    return None if any(map(_is_hidden, names)) else names


def _is_hidden(name: str) -> bool:
    """Whether nothing of that name is served: dotfiles, and what some system takes for more than a name.

    Windows ends a path at a drive's colon, and drops dots and spaces at the end of a name.
    """
    return not name or name[0] == "." or name[-1] in ". " or any(char in "/\\:" or char < " " for char in name)


def _is_navigation(request: Request) -> bool:
    """Whether a browser asks for a page, rather than a script or a picture that is missing.

    Browsers say so with ``Sec-Fetch-Mode`` (https://www.w3.org/TR/fetch-metadata/), but only to hosts they trust.
    """
    names = _names(request.path)
    if names is None or ("." in names[-1] and not names[-1].endswith(".html")):
        return False
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode is not None else "text/html" in request.headers.get("accept", "")


def _content_type(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:  # an archive: to be kept as it is
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _TEXT else kind


def _matches(condition: str, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity tag (RFC 9110 section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return etag in tags or "*" in tags


def _part(request: Request, found: _File) -> tuple[int, int] | None:
    """The one range of bytes that is asked for (RFC 9110 section 14.1.2), or ``None`` for the whole."""
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", "").strip())
    if asked is None or request.headers.get("if-range", found.etag) != found.etag:
        return None
    first, last = asked.groups()
    if first:
        return int(first), min(int(last) + 1, found.size) if last else found.size
    return (max(0, found.size - int(last)), found.size) if last else None
