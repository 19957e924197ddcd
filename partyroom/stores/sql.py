"""A store may also keep a SQL database for each room: what ``room.sql`` asks of it, and what it answers.

It is an ability of its own (``SqlStore``), which a store may have or not. The database belongs to the room's data:
``Batch(clear=True)`` removes both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ..http import Address

__all__ = ["Cell", "Database", "Parameters", "Row", "SqlStore"]

Cell: TypeAlias = int | float | str | bytes | None
"""What a column holds and a parameter may be."""
Parameters: TypeAlias = Sequence[Cell] | Mapping[str, Cell]


class Row(dict[str, Any]):
    """A row of a result: a dict by column name, whose values are also attributes: ``row.name``, ``row["name"]``."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the result has no column {name!r}, only {', '.join(self)}") from None


class Database(Protocol):
    """One room's database. Calls take effect in the order in which they were made, also those that nobody awaits.

    Outside a transaction each write is a commit of its own, which is on disk when the call returns (a store in memory:
    as durable as the process). Errors are ``SqlError`` for the statement's, ``LimitError`` and ``StoreError``; after
    any of them the statement has done nothing.
    """

    async def execute(self, statement: str, parameters: Parameters) -> list[Row]:
        """Run one statement; the rows that it returns."""
        ...

    async def execute_many(self, statement: str, each: Sequence[Parameters]) -> None:
        """Run one statement for each set of parameters, all or nothing."""
        ...

    async def begin(self) -> None:
        """Begin a transaction."""
        ...

    async def commit(self) -> None:
        """Write what the transaction has done; raises ``SqlError`` where an error has undone it already."""
        ...

    async def rollback(self) -> None:
        """Undo what the transaction has done, if there is one."""
        ...

    def release(self) -> None:
        """The room has left memory; what is called later raises ``StoreClosed``."""
        ...


@runtime_checkable
class SqlStore(Protocol):
    """A store that keeps SQL databases too."""

    def database(self, address: Address, *, size: int | None, seconds: float | None, fence: int = 0) -> Database:
        """The database of a room, of at most ``size`` bytes, a statement of which may take ``seconds``."""
        ...

    async def image(self, address: Address) -> bytes | None:
        """A room's whole database as the bytes of a SQLite file, for dumps; ``None`` where it has none."""
        ...

    async def set_image(self, address: Address, image: bytes) -> None:
        """Replace a room's database, or give it one; raises ``Damaged`` for bytes that are none."""
        ...
