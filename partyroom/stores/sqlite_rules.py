"""What a statement of ``room.sql`` may do: work on the room's own tables, and nothing beyond them.

A statement comes from the room's own code, but what is in it may not. SQLite asks an authorizer about every step of a
statement when it is prepared (https://sqlite.org/c3ref/set_authorizer.html); this one refuses whatever is not named
here, as ``ATTACH``, extensions, and pragmas that change how the file is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["Rules"]

_PRAGMAS: Final = {"page_count", "page_size", "freelist_count", "data_version", "foreign_keys"}
"""Those that only tell something."""
_PRAGMAS_OF: Final = {
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"),
    *("foreign_key_check", "quick_check", "integrity_check", "user_version", "defer_foreign_keys"),
}
"""Those that may also be given an argument."""
_FUNCTIONS: Final = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}
"""What is refused of the functions: the rest computes."""
_MODULES: Final = {"fts5", "fts5vocab"}
_ALLOWED: Final = {
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_VIEW,
    sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_DROP_VTABLE,
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_REINDEX,
    sqlite3.SQLITE_ANALYZE,
}
_TRANSACTIONS: Final = {sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT}


class Rules:
    """The authorizer of one connection."""

    def __init__(self) -> None:
        self.refused = ""
        """Why the last statement was refused, if one was."""
        self._lifted = False

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """For statements of our own: while this is open, all is allowed."""
        self._lifted = True
        try:
            yield
        finally:
            self._lifted = False

    def authorize(self, action: int, first: str | None, second: str | None, base: str | None, _: str | None) -> int:
        """What ``set_authorizer`` takes."""
        if self._lifted or self._may(action, first or "", second or "", base or ""):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _may(self, action: int, first: str, second: str, base: str) -> bool:
        if base == "temp" and action not in (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT):
            self.refused = "a temporary table, which would not outlast the room's sleep, is not kept"
            return False
        if action in _ALLOWED:
            return True
        if action == sqlite3.SQLITE_FUNCTION:
            self.refused = f"the function {second} may not be used"
            return second.lower() not in _FUNCTIONS
        if action == sqlite3.SQLITE_PRAGMA:
            self.refused = f"PRAGMA {first} may not be {'set' if second else 'asked'}"
            return first.lower() in _PRAGMAS_OF or (first.lower() in _PRAGMAS and not second)
        if action == sqlite3.SQLITE_CREATE_VTABLE:
            self.refused = f"a virtual table may not be made with {second}"
            return second.lower() in _MODULES
        if action in _TRANSACTIONS:
            self.refused = "transactions begin with: async with room.sql.transaction() as sql"
        elif action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            self.refused = "a room has one database (ATTACH, DETACH and VACUUM are not for it)"
        else:
            self.refused = "this kind of statement may not be used"
        return False
