"""FileSync: a file on this computer that is kept in step with a shared text, both ways.

::

    async with FileSync(client, "notes.md", root="body") as file:
        ...                              # edit the file with any editor; what the others type is written to it

The file is read and written as UTF-8, exactly. What is saved in it goes into the room as the edits that were made,
which merge with those of the others; what happens in the room is written a moment later, in one step (another file
takes its place), so that nobody ever sees half of it. For the next time, it is remembered what both had when they were
last the same.

Nothing is lost. Where the room and a file that it has never seen both hold something, and where the room takes no edits
of this user, the file's text is put aside, beside it (``notes.mine.md``), before the room's is written.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Final, NamedTuple, Self

from platformdirs import user_state_path
from watchfiles import awatch

from partyroom.client import Change, DocumentClient, DocumentStatus, PartyroomError, SpanEdit
from partyroom.client.text import differences

from .merging import Trace

__all__ = ["FileSync", "FileTrouble", "language_of"]

LARGEST: Final = 10_000_000
"""Bytes of a file that is taken."""
LOOK_EVERY: Final = 2_000
"""Milliseconds after which the file is looked at though nothing has told that it changed, as on network drives."""
ORIGIN: Final = "partyroom.file"
"""Of the transactions with a file's edits: they are no steps of the user's undo."""


LANGUAGES: Final = {
    **{".py": "python", ".md": "markdown", ".markdown": "markdown", ".js": "javascript", ".mjs": "javascript"},
    **{".rs": "rust", ".go": "go", ".java": "java", ".sh": "bash", ".bash": "bash", ".sql": "sql", ".xml": "xml"},
    **{".html": "html", ".htm": "html", ".css": "css", ".json": "json", ".toml": "toml"},
    **{".yaml": "yaml", ".yml": "yaml"},
}
"""By the end of a file's name, of those that Textual has highlights for."""


def language_of(path: Path) -> str | None:
    """The language that a file is probably in, as ``SharedTextArea`` takes it."""
    return LANGUAGES.get(path.suffix.lower())


class FileTrouble(PartyroomError):
    """A file cannot be kept in step; the text says why."""


class _Seen(NamedTuple):
    """What says that a file is the one that was seen last."""

    inode: int
    size: int
    changed: int


class FileSync:
    """The file at ``path`` and the text ``root`` of a ``client``'s document.

    ``say`` is called with what the user should know. ``pause`` is how many seconds a change waits for the next, before
    it is written. ``state`` is the folder where it is remembered what both had; the user's own unless given.
    """

    def __init__(
        self,
        client: DocumentClient,
        path: str | os.PathLike[str],
        root: str = "notes",
        *,
        say: Callable[[str], object] = lambda words: None,
        pause: float = 0.3,
        state: Path | None = None,
    ) -> None:
        self.path = Path(path).resolve()
        self.client = client
        self.shared = client.text(root)
        self._say = say
        self._pause = pause
        name = sha256(f"{client.socket.url} {root} {self.path}".encode()).hexdigest()[:32]
        self._memory = (state or user_state_path("partyroom") / "files") / f"{name}.txt"
        self._base = ""
        self._trace = Trace(0)
        self._next: Trace | None = None
        self._seen: _Seen | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._troubled = ""
        self._doubted = False
        self._tasks: list[asyncio.Task[None]] = []
        self._unhear: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Look at the file, and begin as soon as the room's text is here; does not wait for that.

        Raises ``FileTrouble`` where the file cannot be one: a folder, one without a folder, one that is not text.
        """
        await asyncio.to_thread(self._read)
        self._tasks = [asyncio.create_task(self._keep(), name=f"{self.path.name} in step")]

    async def close(self) -> None:
        """Write what has not been written, and let go of the file."""
        for unhear in self._unhear:
            unhear()
        running, self._unhear = bool(self._unhear), []
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if running:
            await self._step()

    async def settled(self) -> None:
        """Wait until the file has been looked at and written, as far as either was known to be needed."""
        await self._idle.wait()

    # -- in step -----------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            await self.client.synced()
            await self._begin()
        except PartyroomError as error:
            self._say(f"{self.path.name} is not in step: {error}")
            self._idle.set()
            return
        self._tasks.append(asyncio.create_task(self._watch(), name=f"watching {self.path.name}"))
        while True:
            await self._step()
            if not self._wake.is_set():
                self._idle.set()
            await self._wake.wait()
            await asyncio.sleep(self._pause)
            self._wake.clear()

    async def _watch(self) -> None:
        async for _ in awatch(
            self.path.parent,
            watch_filter=lambda change, path: Path(path) == self.path,
            debounce=100,
            step=20,
            rust_timeout=LOOK_EVERY,
            yield_on_timeout=True,
            recursive=False,
        ):
            self._stir()

    def _stir(self) -> None:
        self._idle.clear()
        self._wake.set()

    def _heard(self, change: Change) -> None:
        edits = [edit for edit in change.edits if isinstance(edit, SpanEdit)]
        self._trace.edits(edits)
        if self._next is not None:
            self._next.edits(edits)
        self._stir()

    async def _begin(self) -> None:
        """Find out what both had, or which of them has something at all."""
        content = await asyncio.to_thread(self._read) or ""
        self._base = await asyncio.to_thread(self._recalled, content)
        self._unhear = [
            self.shared.on_change(self._heard),
            self.client.on_status(lambda status: self._stir()),
            self.client.on_reset(lambda old: self._rescue(self._base)),
        ]
        text = str(self.shared)
        if not self._base and text and content and text != content:
            self._rescue(content)
            self._base = content
        elif text == content:
            self._base = text
        self._trace = _traced(self._base, text)
        self._seen = None  # what is in it is yet to be taken in

    async def _step(self) -> None:
        """Take in what is new in the file, then write what is new in the room."""
        try:
            self._hear()
            content = await asyncio.to_thread(self._read_if_changed)
            if content is not None and self._is_whole(content):
                self._take_in(content)
                await asyncio.to_thread(self._remember, content)
            text = str(self.shared)
            self._hear()
            if self.client.status is not DocumentStatus.SYNCING and (text != self._base or self._seen is None):
                await self._write(text)
            self._troubled = ""
        except (OSError, PartyroomError) as error:
            if str(error) != self._troubled:
                self._troubled = str(error)
                self._say(f"{self.path.name} is not in step: {error}")

    def _is_whole(self, content: str) -> bool:
        """Whether an editor has written all of it: an empty file is believed when it is seen for the second time."""
        if self._doubted or content or not self._base:
            self._doubted = False
            return True
        self._doubted, self._seen = True, None
        self._stir()
        return False

    def _hear(self) -> None:
        """Have the trace in step with the text."""
        self.client.values.tell()

    def _take_in(self, content: str) -> None:
        """The file has been edited: so is the text, or the file's text is put aside."""
        if self.client.read_only:
            self._rescue(content)
        else:
            patches = self._trace.patches(differences(self._base, content))
            with self.client.lock, self.client.doc.transaction(origin=ORIGIN):
                for start, stop, part in reversed(patches):
                    self.shared[start:stop] = part
            self._hear()
        # The file has this now, and the text has what was edited in it, in its own places.
        self._base, self._trace = content, _traced(content, str(self.shared))

    # -- the file ----------------------------------------------------------------------------------------------------

    def _read(self) -> str | None:
        """What is in the file; ``None`` where there is none. Raises ``FileTrouble``."""
        self._seen = self._look()
        if self._seen is None:
            if not self.path.parent.is_dir():
                raise FileTrouble(f"there is no folder {self.path.parent}")
            return None
        try:
            return _read_text(self.path)
        except UnicodeDecodeError as error:
            self._seen = None
            raise FileTrouble(f"it is not UTF-8 text: byte {error.start} is none of it") from None

    def _read_if_changed(self) -> str | None:
        found = self._look()
        if found is None or found == self._seen:
            return None
        content = self._read()
        if self._look() == found:
            return content
        self._seen = None  # it is being written, and looked at again
        return None

    def _look(self) -> _Seen | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileTrouble(f"{error.strerror}") from None
        if not stat.S_ISREG(found.st_mode):
            raise FileTrouble("it is no plain file")
        if found.st_size > LARGEST:
            raise FileTrouble(f"it has {found.st_size:,} bytes, and {LARGEST:,} is the most that is taken")
        return _seen(found)

    async def _write(self, text: str) -> None:
        """Write a text, unless the file has changed again: then what it has comes first."""
        self._next = Trace(len(text))
        try:
            written = await asyncio.to_thread(self._replace, text)
            if written:
                self._base, self._trace = text, self._next
            else:
                self._stir()
        finally:
            self._next = None

    def _replace(self, text: str) -> bool:
        found = self._look()
        if found is not None and found != self._seen:
            return False
        mode = stat.S_IMODE(self.path.stat().st_mode) if found is not None else None
        coming = self._memory.with_suffix(".next")
        self._remember(text, coming)
        written = _write_text(self.path, text, mode, unless=lambda: self._look() != found)
        if written is None:
            return False
        self._seen = written  # and not what is there by now: it may be another's already
        os.replace(coming, self._memory)
        return True

    def _remember(self, text: str, where: Path | None = None) -> None:
        """Have it for the next time that the file has this, or (``.next``) is about to."""
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        _write_text(where or self._memory, text, 0o600)

    def _recalled(self, content: str) -> str:
        """What the file had when it was in step; empty where that is not known. ``content`` is what it has now."""
        for path in self._memory.with_suffix(".next"), self._memory:
            with suppress(OSError, UnicodeDecodeError):
                known = _read_text(path)
                if path is self._memory or known == content:  # it has been written, and no more
                    return known
        return ""

    def _rescue(self, content: str) -> None:
        """Put a text aside, beside the file."""
        if not content:
            return
        for number in range(1, 1000):
            aside = self.path.with_suffix(f".mine{'' if number == 1 else number}{self.path.suffix}")
            with suppress(FileExistsError), aside.open("x", encoding="utf-8", newline="") as file:
                file.write(content)
                self._say(f"The room has another text: what was in {self.path.name} is in {aside.name}")
                return


def _traced(copy: str, text: str) -> Trace:
    """Where the characters of a copy are in a text, as far as comparing them can tell."""
    trace = Trace(len(copy))
    for start, stop, part in reversed(differences(copy, text)):
        trace.follow(start, stop - start, len(part))
    return trace


def _read_text(path: Path) -> str:
    return path.read_bytes().decode()


def _seen(found: os.stat_result) -> _Seen:
    return _Seen(found.st_ino, found.st_size, found.st_mtime_ns)


def _write_text(path: Path, text: str, mode: int | None, unless: Callable[[], bool] = lambda: False) -> _Seen | None:
    """Put a file with this text in the place of another, in one step, and return how it looks; nothing ``unless``."""
    handle, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask() if mode is None else mode)
        written = _seen(os.stat(name))
        if unless():
            return None
        os.replace(name, path)
        return written
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
