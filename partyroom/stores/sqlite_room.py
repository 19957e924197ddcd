"""One room's SQL database in SQLite: its file, its transactions, how long a statement takes and how much there may be.

What a statement may do at all is in ``sqlite_rules``. Everything here blocks and belongs on a thread.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, TypeVar

from ..errors import Damaged, LimitError, PartyroomError, SqlError, StoreError
from .files import COMPANIONS, beside, set_aside, sync_folder
from .sql import Parameters, Row
from .sqlite_file import DAMAGE, explained
from .sqlite_rules import Rules

__all__ = ["RoomFile", "check_image"]

T = TypeVar("T")

log = logging.getLogger("partyroom.stores.sqlite")

MOST_RESULT: Final = 32 * 1024 * 1024
"""Bytes of text and blobs (and eight for every cell) that one result may have: it is in memory at once."""
BUSY_SECONDS: Final = 5.0
STEPS: Final = 10_000
"""Virtual machine instructions between two looks at the clock."""

_OWN: Final = f" -- {secrets.token_hex(8)}"
"""Ends our own statements: what the room writes can never be one that has been prepared, and so allowed, for us."""

_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 2_000_000,  # of one text, blob or row: as Durable Objects have it
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,  # a longer one can take for ever, and is not interrupted
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}


class RoomFile:
    """The database at ``path`` (``None``: in memory), opened at the first statement and again after ``close``.

    ``owner`` in its methods is whoever uses it: a transaction is one owner's, and what an owner that has gone has left
    unfinished is undone. Hold ``lock`` around every call but ``interrupt``.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.size: int | None = None
        """How many bytes it may have; heeded when it is opened."""
        self.seconds: float | None = None
        """How long a statement may take."""
        self.lock = Lock()
        self.users = 0
        """How many owners there are."""
        self._connection: sqlite3.Connection | None = None
        self._transaction: object | None = None
        self._deadline: float | None = None
        self._was_late = False
        self._rules = Rules()

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._connection is not None

    @property
    def in_transaction(self) -> bool:
        """Whether somebody's transaction has begun and not ended."""
        return self._transaction is not None

    # -- statements --------------------------------------------------------------------------------------------------

    def execute(self, owner: object, statement: str, parameters: Parameters) -> list[Row]:
        """Run one statement of the room's; the rows that it returns."""
        connection = self._ready(owner)
        return self._explaining(lambda: self._rows(connection, statement, parameters))

    def execute_many(self, owner: object, statement: str, each: Sequence[Parameters]) -> None:
        """Run one statement for each set of parameters, all or nothing."""
        connection = self._ready(owner)
        alone = self._transaction is None
        point = "BEGIN IMMEDIATE" if alone else "SAVEPOINT many"

        def run() -> None:
            self._own(connection, point)
            try:
                for parameters in each:
                    self._rows(connection, statement, parameters)
            except BaseException:
                if connection.in_transaction:
                    self._own(connection, "ROLLBACK" if alone else "ROLLBACK TO many")
                raise
            self._own(connection, "COMMIT" if alone else "RELEASE many")

        self._explaining(run)

    def begin(self, owner: object) -> None:
        """Begin ``owner``'s transaction."""
        connection = self._ready(owner)
        self._explaining(lambda: self._own(connection, "BEGIN IMMEDIATE"))
        self._transaction = owner

    def commit(self, owner: object) -> None:
        """End the transaction; when this returns, what it has written is on disk."""
        connection = self._ready(owner)
        try:
            self._explaining(lambda: self._own(connection, "COMMIT"))
        except PartyroomError:
            self.rollback(owner)
            raise
        self._transaction = None

    def rollback(self, owner: object) -> None:
        """Undo ``owner``'s transaction, if there is one."""
        if self._transaction is owner:
            self._transaction = None
            if self._connection is not None and self._connection.in_transaction:
                self._own(self._connection, "ROLLBACK")

    def interrupt(self) -> None:
        """Have a statement that runs on another thread fail, so that the lock is free soon."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # closed just now
                connection.interrupt()

    def _ready(self, owner: object) -> sqlite3.Connection:
        if self._transaction not in (None, owner):  # its room has stopped in the middle of it
            self.rollback(self._transaction)
        if self._transaction is owner and (self._connection is None or not self._connection.in_transaction):
            raise SqlError("the transaction has been undone by an error before, or its room's data was deleted")
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _rows(self, connection: sqlite3.Connection, statement: str, parameters: Parameters) -> list[Row]:
        self._was_late = False
        self._deadline = None if self.seconds is None else monotonic() + self.seconds
        cursor = connection.execute(statement, parameters)
        try:
            names = [column[0] for column in cursor.description or ()]
            found: list[Row] = []
            size = 0
            while chunk := cursor.fetchmany(1000):
                for values in chunk:
                    size += sum(8 + len(value) if isinstance(value, (str, bytes)) else 8 for value in values)
                    found.append(Row(zip(names, values, strict=True)))
                if size > MOST_RESULT:
                    raise LimitError(f"a result is at most {MOST_RESULT} bytes: use LIMIT, or ask for less at a time")
            return found
        finally:
            self._deadline = None
            cursor.close()

    def _own(self, connection: sqlite3.Connection, statement: str) -> None:
        """Run a statement of ours, which nothing forbids."""
        with self._rules.lifted():
            connection.execute(statement + _OWN).close()

    def _late(self) -> bool:
        """Whether the statement that runs has had its time."""
        self._was_late = self._deadline is not None and monotonic() > self._deadline
        return self._was_late

    # -- the file ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file; a transaction that has not ended is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def remove(self) -> None:
        """Close and delete it, with all that is in it. Raises ``StoreError``."""
        self.close()
        if self.path is None:
            return
        try:
            for suffix in (*COMPANIONS, ""):  # last the file itself: a log without it would be read into the next one
                beside(self.path, suffix).unlink(missing_ok=True)
        except OSError as error:
            raise explained(error, "delete", self.path) from error

    def image(self) -> bytes | None:
        """The whole database as the bytes of a file; ``None`` where there is none. Raises ``StoreError``."""
        if self.in_transaction:
            raise StoreError("a transaction is under way in the room's database: try again when it has ended")
        if self._connection is None and (self.path is None or not self.path.exists()):
            return None
        connection = self._ready(self)
        return self._explaining(connection.serialize)

    def set_image(self, image: bytes) -> None:
        """Put ``image`` in the place of what there is; raises ``Damaged`` and ``StoreError``."""
        if self.path is None:
            loaded = self._prepared(_loaded(image))
            self.close()
            self._connection = loaded
            return
        new = beside(self.path, ".new")
        try:
            self._make_folder(self.path.parent)
            new.write_bytes(_without_log(image))
            check = sqlite3.connect(new, isolation_level=None)
            try:
                _check(check)
            finally:
                check.close()
            self.remove()
            new.replace(self.path)
            sync_folder(self.path.parent)
        except (sqlite3.Error, OSError) as error:
            raise explained(error, "restore", self.path) from error
        finally:
            new.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        """Open the file, setting a damaged one aside. Raises ``StoreError``."""
        if self.path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            return self._prepared(connection)
        try:
            self._make_folder(self.path.parent)
            try:
                return self._connect(self.path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in DAMAGE:
                    raise
                aside = set_aside(self.path)
                log.warning("%s is damaged (%s): it has been moved to %s, and a new one begun", self.path, error, aside)
                return self._connect(self.path)
        except (sqlite3.Error, OSError) as error:
            raise explained(error, "open", self.path) from error

    @staticmethod
    def _make_folder(folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)

    def _connect(self, path: Path) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?mode=rwc"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            # Nobody else has the file, so its log needs no shared memory, and there is a file less to keep open.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            return self._prepared(connection)
        except BaseException:
            connection.close()
            raise

    def _prepared(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        if self.size is not None:
            connection.execute(f"PRAGMA max_page_count = {max(1, self.size // page)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -512")  # KiB
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # damage shows here
        for limit, most in _LIMITS.items():
            connection.setlimit(limit, most)
        connection.set_authorizer(self._rules.authorize)
        connection.set_progress_handler(self._late, STEPS)
        return connection

    # -- errors ------------------------------------------------------------------------------------------------------

    def _explaining(self, work: Callable[[], T]) -> T:
        """Run ``work``; what SQLite raises becomes an error of ours."""
        self._rules.refused = ""
        try:
            return work()
        except PartyroomError:
            raise
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> PartyroomError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if isinstance(error, sqlite3.DataError):  # some that Python finds have no code
            code = sqlite3.SQLITE_TOOBIG
        name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        match code:
            case sqlite3.SQLITE_AUTH:
                return SqlError(f"not in a room's database: {self._rules.refused or error}", name)
            case sqlite3.SQLITE_INTERRUPT if self._was_late:
                return LimitError(f"a statement may take {self.seconds} s, and this one was stopped: add an index?")
            case sqlite3.SQLITE_TOOBIG:
                return LimitError(f"the statement, or a value in it, is too large for a room's database ({error})")
            case sqlite3.SQLITE_FULL if self._is_full():
                return LimitError(f"a room's database has at most {self.size} bytes, and this one is full")
            case sqlite3.SQLITE_ERROR | sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH | sqlite3.SQLITE_RANGE:
                return SqlError(str(error), name)
        made = explained(error, "use", self.path or Path(":memory:"))
        return made if isinstance(made, PartyroomError) else StoreError(str(made))

    def _is_full(self) -> bool:
        """Whether it is the room's bound that has been reached, rather than the disk's."""
        if self.size is None or self._connection is None:
            return False
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (page,) = self._connection.execute("PRAGMA page_size").fetchone()
        return bool((pages + 16) * page >= self.size)


def check_image(image: bytes) -> None:
    """Raise ``Damaged`` for what is no whole image of a room's database."""
    _loaded(image).close()


def _without_log(image: bytes) -> bytes:
    """The bytes of a SQLite file that says it has no log beside it (https://sqlite.org/fileformat.html#the_database_header)."""
    if len(image) < 512 or not image.startswith(b"SQLite format 3\0"):
        raise Damaged("this is no image of a room's database")
    return image[:18] + b"\1\1" + image[20:]


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise Damaged(f"this image of a room's database is damaged: {verdict}")


def _loaded(image: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.deserialize(_without_log(image))
        _check(connection)
    except sqlite3.Error as error:
        connection.close()
        raise Damaged(f"this image of a room's database is damaged: {error}") from error
    except Damaged:
        connection.close()
        raise
    return connection
