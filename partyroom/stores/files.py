"""The files around a database file: the lock that keeps a second process out, and setting a damaged file aside."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import IO, Self

from ..errors import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["COMPANIONS", "FileLock", "beside", "set_aside", "sync_folder"]

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, and what must stay with it (https://sqlite.org/tempfiles.html)."""


def beside(path: Path, suffix: str) -> Path:
    """The file next to ``path`` whose name is that of ``path`` and ``suffix``."""
    return path.with_name(path.name + suffix)


class FileLock:
    """An exclusive lock on a file, held until ``release`` or until the operating system ends the process.

    The file stays: removing it would let two processes lock two files of one name. It holds the owner's process id,
    for the message only.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path) -> Self:
        """Lock ``path``; raises ``BlockingIOError`` naming the owner where it is taken, and ``OSError``."""
        file = path.open("a+")
        try:
            _lock(file)
        except OSError:
            owner = _owner(file)
            file.close()
            raise BlockingIOError(owner) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return cls(file)

    def release(self) -> None:
        """Let go; harmless when done twice."""
        self._file.close()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(file: IO[str]) -> str:
    """Who holds the lock; Windows does not let others read a locked file."""
    with suppress(OSError):
        file.seek(0)
        process = file.read(32).strip()
        if process == str(os.getpid()):
            return f"this process ({process})"
        if process:
            return f"process {process}"
    return "another process"


def set_aside(path: Path) -> Path:
    """Rename ``path`` and its companions to ``NAME.damaged-TIME`` (UTC) and return the new path; raises ``StoreError``.

    The companions keep their endings, so that SQLite's own tools can still open the whole.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = next(
        candidate
        for number in count(1)
        if not _any_exists(candidate := beside(path, f".damaged-{stamp}" + (f"-{number}" if number > 1 else "")))
    )
    try:
        for suffix in ("", *COMPANIONS):
            source = beside(path, suffix)
            if source.exists():
                source.rename(beside(target, suffix))
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be moved aside to {target} ({error.strerror}): "
            "move it yourself, then start again"
        ) from error
    sync_folder(path.parent)
    return target


def _any_exists(path: Path) -> bool:
    return any(beside(path, suffix).exists() for suffix in ("", *COMPANIONS))


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable; Windows cannot open folders and does without."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
