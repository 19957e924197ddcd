"""How rooms become rows: the tables of the SQLite store, the checksum of a row, and every statement that touches them.

::

    rooms    id, party, room        a number for each address, so that items need not repeat it
             fence                  the highest epoch that has written
             seq                    counts the batches of this room
    items    room, key, value       clustered by room and key: a room's journal lies together on disk
             seq                    the batch that wrote the row
             crc                    CRC-32 of room, seq, key and value
    alarms   room, at               at most one a room, indexed by time
    doomed   party, room            rooms that were cleared, and whose SQL database has to go

Disks and memories flip bits, and SQLite's pages carry no checksum of their own. Therefore ``crc`` is compared at every
read; it covers the key, the room and ``seq`` as well, so that a row which has come to stand in the wrong place is
noticed too. A ``seq`` above the room's own says that the room's row is older than the items, as after a lost write.

Nothing here begins or ends a transaction; the caller does. Text comes back as bytes (``text_factory``), because a
damaged key may not be UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from ..errors import Damaged, Fenced
from ..http import Address
from .base import KEEP, Batch, Range
from .keys import span

if TYPE_CHECKING:
    import sqlite3

__all__ = ["APPLICATION", "SCHEMA_VERSION", "alarms", "checksum", "complete", "create", "doom", "doomed", "get", "load",
           "rooms", "spare", "write"]  # fmt: skip

APPLICATION: Final = 0x50525459
"""``PRTY`` in the file's header (``PRAGMA application_id``): tells our files from other programs' databases."""

SCHEMA_VERSION: Final = 1
"""The tables below (``PRAGMA user_version``)."""

_TABLES: Final = (
    """CREATE TABLE rooms (
        id INTEGER PRIMARY KEY, party TEXT NOT NULL, room TEXT NOT NULL,
        fence INTEGER NOT NULL, seq INTEGER NOT NULL, UNIQUE (party, room))""",
    """CREATE TABLE items (
        room INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, crc INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (room, key)) WITHOUT ROWID""",
    "CREATE TABLE alarms (room INTEGER PRIMARY KEY, at REAL NOT NULL)",
    "CREATE INDEX alarms_by_time ON alarms (at)",
    f"PRAGMA application_id = {APPLICATION}",
)
_LATER: Final = ("CREATE TABLE IF NOT EXISTS doomed (party TEXT, room TEXT, PRIMARY KEY (party, room)) WITHOUT ROWID",)
"""Tables that a file of the same schema may lack."""
_HEAD: Final = struct.Struct(">qqI")


class _Room(NamedTuple):
    """One row of ``rooms``, without its names."""

    id: int
    fence: int
    seq: int


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database."""
    for statement in _TABLES:
        connection.execute(statement)


def complete(connection: sqlite3.Connection) -> None:
    """Make what has been added to the tables since."""
    for statement in _LATER:
        connection.execute(statement)


def checksum(room: int, seq: int, key: bytes, value: bytes) -> int:
    """The CRC-32 of one row; the key's length keeps it apart from the value."""
    return crc32(value, crc32(key, crc32(_HEAD.pack(room, seq, len(key)))))


def write(connection: sqlite3.Connection, address: Address, batch: Batch, fence: int) -> None:
    """Apply ``batch``; raises ``Fenced`` before it has changed anything."""
    room, seq = _advance(connection, address, fence)
    if batch.clear:
        connection.execute("DELETE FROM items WHERE room = ?", (room,))
    if batch.deletes:
        connection.executemany("DELETE FROM items WHERE room = ? AND key = ?", [(room, key) for key in batch.deletes])
    if batch.puts:
        connection.executemany(
            "INSERT OR REPLACE INTO items (room, key, seq, crc, value) VALUES (?, ?, ?, ?, ?)",
            [(room, key, seq, checksum(room, seq, key.encode(), value), value) for key, value in batch.puts.items()],
        )
    if batch.alarm is None:
        connection.execute("DELETE FROM alarms WHERE room = ?", (room,))
    elif batch.alarm is not KEEP:
        connection.execute("INSERT OR REPLACE INTO alarms (room, at) VALUES (?, ?)", (room, batch.alarm))
    if batch.clear and not batch.puts and not fence:
        _forget(connection, room)


def doom(connection: sqlite3.Connection, address: Address) -> None:
    """Note that the room's SQL database has to go once this is committed: a file does not go with a transaction."""
    connection.execute("INSERT OR IGNORE INTO doomed VALUES (?, ?)", address)


def doomed(connection: sqlite3.Connection) -> list[Address]:
    """The rooms whose SQL database has to go."""
    return [_address(party, room) for party, room in connection.execute("SELECT party, room FROM doomed")]


def spare(connection: sqlite3.Connection, address: Address) -> None:
    """The database has gone: one that the room makes from now on stays."""
    connection.execute("DELETE FROM doomed WHERE party = ? AND room = ?", address)


def get(connection: sqlite3.Connection, address: Address, keys: Collection[str]) -> dict[str, bytes]:
    """The values of those of ``keys`` that exist; raises ``Damaged``."""
    room = _find(connection, address)
    if room is None:
        return {}
    found = {}
    for key in keys:
        row = connection.execute(
            "SELECT key, seq, crc, value FROM items WHERE room = ? AND key = ?", (room.id, key)
        ).fetchone()
        if row is not None:
            found[key] = _verified(address, room, row)[1]
    return found


def load(connection: sqlite3.Connection, address: Address, range: Range) -> list[tuple[str, bytes]]:
    """The keys and values in ``range``; raises ``Damaged``."""
    room = _find(connection, address)
    if room is None:
        return []
    low, high = span(range)
    sql = "SELECT key, seq, crc, value FROM items WHERE room = ? AND key >= ?"
    bounds: list[Any] = [room.id, low]
    if high is not None:
        sql += " AND key < ?"
        bounds.append(high)
    sql += " ORDER BY key DESC LIMIT ?" if range.reverse else " ORDER BY key LIMIT ?"
    bounds.append(-1 if range.limit is None else range.limit)
    return [_verified(address, room, row) for row in connection.execute(sql, bounds)]


def alarms(connection: sqlite3.Connection, limit: int) -> list[tuple[Address, float]]:
    """The earliest ``limit`` alarms, in order."""
    rows = connection.execute(
        "SELECT party, rooms.room, at FROM alarms JOIN rooms ON rooms.id = alarms.room ORDER BY at LIMIT ?", (limit,)
    )
    return [(_address(party, room), at) for party, room, at in rows]


def rooms(
    connection: sqlite3.Connection, party: str | None, also: Callable[[Address], bool] = lambda address: False
) -> list[Address]:
    """The rooms that have an item or an alarm, or of which ``also`` says that they have something, in order."""
    rows = connection.execute(
        """SELECT party, room, EXISTS (SELECT 1 FROM items WHERE items.room = rooms.id)
             OR EXISTS (SELECT 1 FROM alarms WHERE alarms.room = rooms.id)
        FROM rooms WHERE :party IS NULL OR party = :party ORDER BY party, room""",
        {"party": party},
    )
    named = [(_address(name, room), kept) for name, room, kept in rows]
    return [address for address, kept in named if kept or also(address)]


def _find(connection: sqlite3.Connection, address: Address) -> _Room | None:
    row = connection.execute("SELECT id, fence, seq FROM rooms WHERE party = ? AND room = ?", address).fetchone()
    return None if row is None else _Room(*row)


def _advance(connection: sqlite3.Connection, address: Address, fence: int) -> tuple[int, int]:
    """Count one more batch of the room: its number and the batch's; raises ``Fenced``."""
    room = _find(connection, address)
    if room is None:
        cursor = connection.execute(
            "INSERT INTO rooms (party, room, fence, seq) VALUES (?, ?, ?, 1)", (*address, fence)
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid, 1
    if fence < room.fence:
        raise Fenced(f"the room {address} belongs to epoch {room.fence}; epoch {fence} may not write to it any more")
    connection.execute("UPDATE rooms SET fence = ?, seq = ? WHERE id = ?", (fence, room.seq + 1, room.id))
    return room.id, room.seq + 1


def _forget(connection: sqlite3.Connection, room: int) -> None:
    """Drop the name of a room that has nothing left; an epoch above 0 has been ruled out by the caller."""
    connection.execute(
        "DELETE FROM rooms WHERE id = ? AND NOT EXISTS (SELECT 1 FROM alarms WHERE room = rooms.id)", (room,)
    )


def _verified(address: Address, room: _Room, row: tuple[Any, ...]) -> tuple[str, bytes]:
    key, seq, crc, value = row
    try:
        sound = seq <= room.seq and crc == checksum(room.id, seq, key, value)
    except (TypeError, struct.error):  # damage has changed the type of a column, or its size
        sound = False
    if not sound:
        name = key.decode(errors="backslashreplace") if isinstance(key, bytes) else repr(key)
        raise Damaged(f"the stored value of the key {name!r} of the room {address} does not match its checksum")
    return key.decode(), value


def _address(party: bytes, room: bytes) -> Address:
    try:
        return Address(party.decode(), room.decode())
    except UnicodeDecodeError:
        raise Damaged(f"the name of the stored room {party!r}/{room!r} is not UTF-8") from None
