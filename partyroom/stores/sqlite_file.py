"""The SQLite file itself: locked against a second process, checked before use, opened so that a commit is on disk.

Every refusal is one ``StoreError`` that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import Damaged, PartyroomError, StoreError
from . import rows
from .files import FileLock, beside

__all__ = ["DAMAGE", "connect", "damage", "explained", "explaining", "identity", "prepare", "take_lock"]

_MAGIC: Final = b"SQLite format 3\0"
DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""The errors that say a file is damaged (https://sqlite.org/rescode.html)."""
_BUSY_SECONDS: Final = 5.0
"""How long to wait for another program that has the file open, such as the ``sqlite3`` shell."""

_LOG_KEPT: Final = 64 * 1024 * 1024
"""Bytes to which the log shrinks after a checkpoint, should one great batch have blown it up."""

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space; it goes on as soon as there is room",
    sqlite3.SQLITE_IOERR: "the disk reported an error: look at the disk and its quota; it goes on when the disk does",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only: make both writable, or choose another place",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the file and its folder are writable and not removed",
    sqlite3.SQLITE_BUSY: "another program holds a lock on it: close that program",
}


def take_lock(path: Path) -> FileLock:
    """Make the folder and lock ``NAME.lock``; raises ``StoreError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is not a file: name a file, such as {path / 'rooms.db'}")
        return FileLock.take(beside(path, ".lock"))
    except BlockingIOError as error:
        raise StoreError(
            f"{path} is in use by {error}: one store serves one process; stop the other, or choose another file"
        ) from None
    except OSError as error:
        raise StoreError(
            f"cannot keep a store at {path} ({error.strerror}: {error.filename}): "
            "make the folder writable, or choose another"
        ) from error


def damage(path: Path, check_up_to: int) -> str | None:
    """What is wrong with the file, or ``None``; raises ``StoreError`` for one that is sound but not for us.

    The file is opened read-only: closing it must not write its log back, since a damaged file is kept as it was found.
    """
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        log = beside(path, "-wal")
        return "it is empty, but its -wal is not" if log.exists() and log.stat().st_size else None
    with path.open("rb") as file:  # while nobody is connected: closing it drops this process's locks on the file
        if file.read(len(_MAGIC)) != _MAGIC:
            return "it is not a SQLite database"
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        _check_ours(connection, path)
        verdict = "ok"
        if size <= check_up_to:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        return None if verdict == "ok" else verdict
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGE:
            raise
        return str(error)
    finally:
        connection.close()


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` for another program's database, or a newer partyroom's."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != rows.APPLICATION and tables:
        raise StoreError(f"{path} is the database of another program: choose another file")
    if version > rows.SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer partyroom (schema {version}; this one knows {rows.SCHEMA_VERSION}): "
            "upgrade partyroom, or choose another file"
        )


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection in which every commit waits for the disk; only with ``create`` may the file be missing."""
    uri = f"{path.as_uri()}?mode={'rwc' if create else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.text_factory = bytes  # damaged text may not be UTF-8
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != b"wal":
            raise StoreError(f"{path} is on a file system without shared memory (a network drive?): use a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: an fsync alone stops at the drive's cache
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT}")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none, and find out now whether the file can be written."""
    connection.execute("BEGIN IMMEDIATE")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        rows.create(connection)
    rows.complete(connection)
    connection.execute(f"PRAGMA user_version = {rows.SCHEMA_VERSION}")  # BEGIN alone passes on a read-only file
    connection.execute("COMMIT")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at ``path``: its device and number."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def explaining(verb: str, path: Path) -> Iterator[None]:
    """Raise what goes wrong in the block as a ``StoreError`` that says what, where and what to do."""
    try:
        yield
    except PartyroomError:
        raise
    except Exception as error:
        raise explained(error, verb, path) from error


def explained(error: Exception, verb: str, path: Path) -> Exception:
    """``error`` as a new ``StoreError``, or a copy of one of ours: each who waits needs its own to raise."""
    if isinstance(error, PartyroomError):
        return type(error)(*error.args)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind
    if isinstance(error, OSError):
        code = sqlite3.SQLITE_CANTOPEN
    if code in DAMAGE:
        made: StoreError = Damaged(f"cannot {verb} {path}: the file is damaged ({error})")
    else:
        advice = _ADVICE.get(code, "nothing was changed")
        made = StoreError(f"cannot {verb} {path}: {advice} ({type(error).__name__}: {error})")
    made.__cause__ = error
    return made
