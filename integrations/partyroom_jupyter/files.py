"""ContentsFile: the text files of a Jupyter Server as documents, at ``/parties/file/<path>``.

The path is the room's id, so its slashes are percent-encoded (``encodeURIComponent``). Files are reached as the file
browser reaches them, by the server's contents manager, and whoever comes needs the authorizer's leave for ``contents``
too. Hidden files, what lies outside the root, folders, notebooks and files that are no text are refused.
"""

from __future__ import annotations

import posixpath
from typing import Any, ClassVar, Final, cast

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from partyroom import Party, Request, Response
from partyroom.documents.file import FileParty, Reading

from .guard import FORBIDDEN
from .visit import Visit

__all__ = ["ContentsFile", "files_of"]

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a file that is opened as a document."""
CONTENTS: Final = "contents"
"""What the authorizer is asked about for files, as Jupyter's own handlers ask."""


class ContentsFile(FileParty):
    """A text file under the server's root."""

    contents: ClassVar[Any]
    """The server's ``ContentsManager``."""

    @classmethod
    async def on_before_connect(cls, request: Request) -> Request | Response:
        """Whether there is such a file, and what the visitor may do with it."""
        if isinstance(request, Visit) and not await request.allows("read", CONTENTS):
            return FORBIDDEN
        try:
            model = await cls._text_file(request.room, is_live=_is_live(request))
        except HTTPError as error:
            return Response(f"{error.reason or 'There is no such text file here'}\n", error.status_code)
        if not isinstance(request, Visit):
            return request
        writes = request.may_write and bool(model["writable"]) and await request.allows("write", CONTENTS)
        return request.replace(may_write=writes)

    async def read_file(self) -> Reading:
        """The file. Raises ``HTTPError`` where it is no text."""
        try:
            model = await self._model(self.room.id, content=True, format="text")
        except HTTPError as error:
            raise _absent(error) from None
        return Reading(model["content"], _stamp(model))

    async def stamp_file(self) -> str:
        """When it was changed, and its size."""
        try:
            return _stamp(await self._model(self.room.id))
        except HTTPError as error:
            raise _absent(error) from None

    async def write_file(self, text: str) -> None:
        """Save it, with what is hooked into saving, and in one step where the contents manager does (by default)."""
        model = {"type": "file", "format": "text", "content": text}
        await ensure_async(self.contents.save(model, self.room.id))

    @classmethod
    async def _text_file(cls, path: str, *, is_live: bool) -> dict[str, Any]:
        """A file that can be a document. Raises ``HTTPError``."""
        if not _is_name(path):
            raise HTTPError(404, reason="A file has one name here, relative to the server's root")
        model = await cls._model(path)
        if path.endswith(".ipynb"):
            raise HTTPError(415, reason="A notebook is no text file")
        if (model.get("size") or 0) > LARGEST:
            raise HTTPError(413, reason=f"A file of more than {LARGEST} bytes is not opened as a document")
        return model if is_live else await cls._model(path, content=True, format="text")

    @classmethod
    async def _model(cls, path: str, *, content: bool = False, **more: Any) -> dict[str, Any]:
        if not cls.contents.allow_hidden and await ensure_async(cls.contents.is_hidden(path)):
            raise HTTPError(404)
        model = await ensure_async(cls.contents.get(path, content=content, type="file", **more))
        return cast("dict[str, Any]", model)


def files_of(contents: ContentsManager) -> type[Party]:
    """The party of a server's files."""
    return type("File", (ContentsFile,), {"contents": contents, "__doc__": ContentsFile.__doc__})


def _is_name(path: str) -> bool:
    """Whether this is the name of a file, and the only one that it has here: two rooms would write one file."""
    return posixpath.normpath(path) == path and not path.startswith(("/", "..")) and not {"\\", "\0"} & {*path}


def _is_live(request: Request) -> bool:
    """Whether the room is in memory: then the file has been read, and found to be text."""
    return any(live.id == request.room for live in request.parties[request.party].rooms())


def _stamp(model: dict[str, Any]) -> str:
    return f"{model['last_modified']} {model.get('size')}"


def _absent(error: HTTPError) -> Exception:
    """A file that is not there, as ``FileParty`` wants it said."""
    return FileNotFoundError() if error.status_code == 404 else error
