"""Sql: what ``room.sql`` is, a SQL database of the room's own beside its key-value storage.

::

    await self.room.sql("CREATE TABLE IF NOT EXISTS scores (player TEXT PRIMARY KEY, points INT)")
    for row in await self.room.sql("SELECT * FROM scores WHERE points > ?", 100):
        row.player, row["points"]
    async with self.room.sql.transaction() as sql:
        await sql("UPDATE scores SET points = points - 1 WHERE player = :giver", giver="ada")
        await sql("UPDATE scores SET points = points + 1 WHERE player = :taker", taker="bob")

The dialect is SQLite's. Values are bound to ``?`` or ``:name`` and never become part of the statement. A statement runs
off the event loop, so it is awaited; when a write has been awaited it is on disk, each one by itself, so that many
belong into a transaction or ``many``. It keeps its place in the order also when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from .errors import LimitError, RoomStopped, SqlError
from .stores.sql import Cell, Database, Parameters, Row

__all__ = ["Row", "Sql", "SqlTransaction"]


class SqlTransaction:
    """What ``room.sql.transaction()`` gives: its statements take effect together when the block ends, or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open = True

    async def __call__(self, statement: str, *values: Any, **named: Any) -> list[Row]:
        """As ``room.sql(...)``, within the transaction."""
        self._check_open()
        return await self._database.execute(*checked(statement, values, named))

    async def many(self, statement: str, each: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """As ``room.sql.many(...)``, within the transaction."""
        self._check_open()
        await self._database.execute_many(*_checked_many(statement, each))

    async def rollback(self) -> None:
        """Undo all of it and end it; the rest of the block can do no more with it."""
        self._check_open()
        self._open = False
        await self._database.rollback()

    async def commit(self) -> None:
        """End it, if it has not been rolled back: what leaving the block calls."""
        if self._open:
            self._open = False
            await self._database.commit()

    def _check_open(self) -> None:
        if not self._open:
            raise SqlError("this transaction has ended: begin another with room.sql.transaction()")


class Sql:
    """A room's SQL database. Made by the room, and by its store when a statement is first run."""

    def __init__(self, open: Callable[[], Database]) -> None:
        self._make = open
        self._database: Database | None = None
        self._turn = asyncio.Lock()
        self._inside: asyncio.Task[Any] | None = None
        self._ended = False

    async def __call__(self, statement: str, *values: Any, **named: Any) -> list[Row]:
        """Run one statement and return its rows, dicts whose values are attributes too; a write is then on disk.

        Raises ``SqlError`` for a statement that is wrong, not allowed or against a constraint, ``LimitError`` for one
        that takes too long (``Limits.sql_time``) or for which there is no place (``Limits.sql``), ``StoreError``.
        """
        asked = checked(statement, values, named)
        self._check_outside()
        async with self._turn:
            return await self._opened().execute(*asked)

    async def many(self, statement: str, each: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run one statement for each set of values, all or nothing: ``sql.many("INSERT ... VALUES (?, ?)", pairs)``."""
        asked = _checked_many(statement, each)
        self._check_outside()
        async with self._turn:
            await self._opened().execute_many(*asked)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """``async with room.sql.transaction() as sql``: what ``sql(...)`` does happens together, or not at all.

        An exception (or ``sql.rollback()``) undoes it. What others ask of the room's database meanwhile waits.
        """
        self._check_outside()
        async with self._turn:
            self._inside = asyncio.current_task()
            database = self._opened()
            transaction = SqlTransaction(database)
            try:
                await database.begin()
                yield transaction
                await transaction.commit()
            except BaseException:
                await database.rollback()  # also of a beginning or an end that has been cancelled
                raise
            finally:
                transaction._open = False
                self._inside = None

    def end(self) -> None:
        """The room has left memory; the room calls this."""
        self._ended = True
        if self._database is not None:
            self._database.release()

    def _opened(self) -> Database:
        if self._ended:
            raise RoomStopped("the room has stopped: its database takes no more statements from here")
        if self._database is None:
            self._database = self._make()
        return self._database

    def _check_outside(self) -> None:
        if self._inside is not None and self._inside is asyncio.current_task():
            raise SqlError(
                "within a transaction use what it gives: async with room.sql.transaction() as sql: await sql(...)"
            )


def checked(statement: str, values: Sequence[Any], named: Mapping[str, Any]) -> tuple[str, Parameters]:
    """A statement and its parameters as a database takes them. Raises ``TypeError`` and ``LimitError``."""
    if not isinstance(statement, str):
        raise TypeError(f"a statement is str, not {type(statement).__name__}")
    _check_text(statement)
    if values and named:
        raise TypeError("give values for ? or for :names, not for both")
    if named:
        return statement, {name: _cell(value) for name, value in named.items()}
    return statement, [_cell(value) for value in values]


def _checked_many(statement: str, each: Iterable[Sequence[Any] | Mapping[str, Any]]) -> tuple[str, list[Parameters]]:
    rows: list[Parameters] = []
    for one in each:
        values, named = ((), one) if isinstance(one, Mapping) else (one, {})
        rows.append(checked(statement, values, named)[1])
    return checked(statement, (), {})[0], rows


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, (float, bytes)):
        return value
    if isinstance(value, str):
        _check_text(value)
        return value
    if isinstance(value, int):  # True and False among them
        if not -(2**63) <= value < 2**63:
            raise LimitError(f"an integer in SQL has 64 bits, and {value} does not fit: store it as text")
        return int(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(
        f"SQL holds None, int, float, str and bytes, not {type(value).__name__}: turn it into one of these "
        "(a time into its timestamp, a list into JSON)"
    )


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise LimitError(f"the text {text[:40]!r} holds a lone surrogate, which cannot be stored") from None
