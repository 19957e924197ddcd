"""FileParty: a document that is a text file as well, which others may change while people edit it.

What the file and the document were when they were last the same is kept, as the document's state. What has been changed
in the file since then is merged as the edits that make the one text of the other, begun at that state: as from somebody
who was away. So nothing that either side has written is lost; what both have rewritten is there twice. Where no such
state is known (the document has been replaced, or it could not be stored), what only the file has is added, and nothing
is taken away.

================  ===================================================================
``file/state``    the document when it was last as the file, as one update
``file/lineage``  of which history that was: another one takes the place of the file
``file/digest``   what the file's text was then, as SHA-256
================  ===================================================================
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from secrets import randbits
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

from ..connection import Connection
from ..errors import CloseCode
from ..party import MaybeAwaitable, settled
from ..protocols import guard
from ..protocols.content import Content, read
from ..protocols.edits import Editor
from ..protocols.shared import Shared
from ..protocols.structs import DELETED, FORMAT, STRING
from ..protocols.yjs import EMPTY_UPDATE
from ..room import Room
from . import weave
from .authors import Author
from .difference import differences
from .party import DocumentParty

__all__ = ["FileParty", "Reading"]

log = logging.getLogger("partyroom.documents")

STATE, LINEAGE, DIGEST = "file/state", "file/lineage", "file/digest"
MUCH: Final = 16 * 1024
"""Bytes from which on texts are compared, and documents read, in another thread."""
EMBEDDED: Final = "\N{OBJECT REPLACEMENT CHARACTER}"
"""What stands for a thing that is embedded in a text, to compare it with a file's."""
GONE: Final = "this file is no longer there"
BY: Final = Author("file", "the file")
"""Whose edits those are that have been made in the file."""

T = TypeVar("T")


class Reading(NamedTuple):
    """A file as it was when it was read; its ``stamp`` is another one whenever the file has changed since."""

    text: str
    stamp: str


class _Same(NamedTuple):
    """Document and file when they were last the same."""

    digest: str
    """Of the file's text. Where it is not that of ``state``, nothing is known of how the one became the other."""
    state: bytes
    """The document, as one update."""
    lineage: str
    """Of which history of the document that was."""
    stamp: str = ""
    """The file's; empty where the file may have changed since without having another."""


class FileParty(DocumentParty):
    """A document whose root ``root`` is the text of a file.

    A subclass says how to reach the file, by ``read_file``, ``write_file`` and ``stamp_file``. These raise
    ``FileNotFoundError`` where there is none; whatever else they raise while people edit is logged and tried again.
    A subclass that overrides ``on_start``, ``on_load``, ``on_save`` or ``on_connect`` calls the base class's as well.
    """

    root: ClassVar[str] = "source"
    """The document's root, a text. Jupyter's own shared files have this name for it."""
    look_every: ClassVar[float] = 1.0
    """How often, in seconds, the file is looked at while somebody has it open."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._same = _Same(_digest(""), EMPTY_UPDATE, "")
        self._in_step = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._complained = ""

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def read_file(self) -> MaybeAwaitable[Reading]:
        """The file."""
        raise NotImplementedError

    def write_file(self, text: str) -> MaybeAwaitable[None]:
        """Replace all of the file, or nothing: whoever reads it meanwhile sees the old or the new."""
        raise NotImplementedError

    def stamp_file(self) -> MaybeAwaitable[str]:
        """What ``read_file`` would have for a stamp, without reading."""
        raise NotImplementedError

    # -- hooks -------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Load the document, and bring it and the file together."""
        await super().on_start()
        self._remember(self._same)  # behind what it is about, which is on its way to disk now
        if not await self._is_saved():
            self.room.spawn(self._save_what_was_left())

    async def on_load(self) -> bytes | None:
        """What the file has and the document has not."""
        file = await settled(self.read_file())
        if not self.lineage:
            update = await _aside(len(file.text), _first, self.root, self.room.id, file.text)
            self._same = _Same(_digest(file.text), update, "", file.stamp)
            return update if file.text else None
        stored = await self.room.storage.get([DIGEST, STATE, LINEAGE])
        same = _Same(stored.get(DIGEST, ""), stored.get(STATE, EMPTY_UPDATE), stored.get(LINEAGE, ""))
        edits, self._same = await self._edits_of(same, file)
        return self._same.state if self._lacks(self._same.state) else edits

    def on_connect(self, connection: Connection) -> MaybeAwaitable[None]:
        """Look at the file now and then, from here until all have left."""
        if self._following is None or self._following.done():
            self._following = self.room.spawn(self._follow())
        return super().on_connect(connection)

    async def on_save(self) -> None:
        """Write the file, unless it has the document's text."""
        async with self._in_step:
            try:
                await self._take_in()
            except FileNotFoundError:
                log.warning("%s: the file has gone; it is written anew, for it was being edited", self.room.address)
            state = self.doc.get_update()
            text = await self._text(state)
            if _digest(text) != self._same.digest:
                await settled(self.write_file(text))
                self._remember(_Same(_digest(text), state, self.lineage))

    # -- the file ----------------------------------------------------------------------------------------------------

    async def _save_what_was_left(self) -> None:
        """Edits were stored and had not reached the file when the room stopped, or the server died."""
        try:
            await self.on_save()
        except Exception:
            log.exception("%s: what was edited before cannot be written to the file", self.room.address)

    async def _follow(self) -> None:
        while self.room.connections():
            await asyncio.sleep(self.look_every)
            try:
                async with self._in_step:
                    await self._take_in()
                self._complained = ""
            except FileNotFoundError:
                if await self._is_saved():
                    for connection in self.room.connections():
                        connection.close(CloseCode.GONE, GONE)
            except Exception as error:
                if str(error) != self._complained:
                    self._complained = str(error)
                    log.warning("%s: the file cannot be looked at: %s", self.room.address, error)

    async def _take_in(self) -> None:
        """Merge what has been changed in the file."""
        if not self._same.stamp or await settled(self.stamp_file()) != self._same.stamp:
            edits, same = await self._edits_of(self._same, await settled(self.read_file()))
            if edits is None:
                self._same = same
            else:
                await self.merge(edits, by=BY)
                self._remember(same)

    async def _edits_of(self, same: _Same, file: Reading) -> tuple[bytes | None, _Same]:
        """What has been changed in the file, as edits of the document, and how the two are the same with them."""
        if same.lineage != self.lineage:
            same = same._replace(state=self.doc.get_update(), lineage=self.lineage)
        return await _aside(len(same.state), _outside, self.root, same, file)

    def _remember(self, same: _Same) -> None:
        """Keep when document and file were the same; after what the document has of it, which is on disk before."""
        self._same = same._replace(lineage=self.lineage)
        self.room.storage.put({DIGEST: same.digest, STATE: same.state, LINEAGE: self.lineage})

    def _lacks(self, state: bytes) -> bool:
        """Whether the document does not have all of ``state``."""
        here = guard.state_vector(self.doc.get_state())
        return any(here.get(client, 0) < end for client, (_, end) in guard.check(state).clients.items())

    async def _is_saved(self) -> bool:
        """Whether the file had the document's text when it was last looked at."""
        return _digest(await self._text(self.doc.get_update())) == self._same.digest

    async def _text(self, state: bytes) -> str:
        """The text of a state of the document."""
        return await _aside(len(state), lambda: read(state).root(self.root).text())


def _first(root: str, path: str, text: str) -> bytes:
    """A document with a file's text: the same whenever it is made, so that clients which had it merge into it."""
    client = int.from_bytes(sha256(f"{path}\0{text}".encode()).digest()[:4])
    editor = Editor(Content({}, False), client)
    editor.insert_text(editor.root(root), 0, text)
    return editor.update()


def _outside(root: str, same: _Same, file: Reading) -> tuple[bytes | None, _Same]:
    """What has been done to a file, as edits of the document that was the same; and how they are the same then."""
    if _digest(file.text) == same.digest:
        return None, same._replace(stamp=file.stamp)
    content = read(same.state)
    only_add = _digest(content.root(root).text()) != same.digest
    clients = guard.check(same.state).clients
    while (client := randbits(32)) in clients:
        pass
    editor = Editor(content, client)
    shared = editor.root(root)
    for start, stop, new in reversed(differences(_places(shared), file.text)):
        editor.insert_text(shared, start, new)  # first: it stands where the old began, for those who type there
        if not only_add:
            editor.delete(shared, start + len(new), stop - start)
    edits = editor.update()
    after = weave.merge([same.state, edits])
    return edits, _Same(_digest(file.text), after, same.lineage, file.stamp)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _places(shared: Shared) -> str:
    """A text with a character for each thing that is embedded in it, which no file has."""
    shown = [item for item in shared.list if not item.deleted and item.kind not in (FORMAT, DELETED)]
    return "".join([item.content if item.kind == STRING else EMBEDDED * item.length for item in shown])


async def _aside(size: int, work: Callable[..., T], *arguments: Any) -> T:
    """Do some work, in another thread where it is about so many bytes that others would notice."""
    return work(*arguments) if size < MUCH else await asyncio.to_thread(work, *arguments)
