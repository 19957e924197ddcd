"""Dumps: what rooms keep, as lines of JSON that people can read and other programs can write.

::

    {"partyroom": 1}
    {"party": "chat", "room": "lobby", "key": "lines", "json": ["hello"]}
    {"party": "main", "room": "today", "key": "document/snapshot", "base64": "AQ..."}
    {"party": "main", "room": "today", "alarm": 1790000000.0}
    {"party": "game", "room": "one", "sql": "U1FMaXRl..."}

All lines of a room stand together, and a room is read at one moment and written in one batch; its SQL database, which
is a SQLite file in base64, by itself.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..documents.log import PREFIX, replaced
from ..errors import Damaged, PartyroomError, ProtocolError, Refused
from ..http import Address
from ..storage import decode, encode
from ..stores.sql import SqlStore
from ..stores.sqlite_room import check_image
from .deleted import document_of, is_deleted, rooms

if TYPE_CHECKING:
    from ..lobby import Lobby

__all__ = ["HEADER", "Kept", "TransferError", "dump", "parse", "restore"]

HEADER = '{"partyroom": 1}\n'


class TransferError(PartyroomError):
    """A dump is not what it should be; the message says in which line, and nothing has been written."""


@dataclass(slots=True)
class Kept:
    """All that one room keeps: rows as a store has them, its alarm, and its SQL database."""

    address: Address
    rows: dict[str, bytes] = field(default_factory=dict)
    alarm: float | None = None
    sql: bytes | None = None

    def lines(self) -> Iterator[str]:
        """The room's lines of a dump."""
        where = {"party": self.address.party, "room": self.address.room}
        for key, stored in self.rows.items():
            value = decode(stored)
            said = {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"json": value}
            yield json.dumps({**where, "key": key, **said}, ensure_ascii=False) + "\n"
        if self.alarm is not None:
            yield json.dumps({**where, "alarm": self.alarm}, ensure_ascii=False) + "\n"
        if self.sql is not None:
            yield json.dumps({**where, "sql": base64.b64encode(self.sql).decode()}, ensure_ascii=False) + "\n"


def parse(lines: Iterable[str]) -> Iterator[Kept]:
    """The rooms of a dump, one after the other. Raises ``TransferError``."""
    kept: Kept | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if value == {"partyroom": 1}:
                continue
            address = Address(_text(value, "party"), _text(value, "room"))
            if kept is not None and kept.address != address:
                yield kept
                kept = None
            kept = kept or Kept(address)
            if "alarm" in value:
                kept.alarm = float(value["alarm"])
            elif "sql" in value:
                kept.sql = base64.b64decode(value["sql"], validate=True)
                check_image(kept.sql)
            elif "base64" in value:
                kept.rows[_text(value, "key")] = encode(base64.b64decode(value["base64"], validate=True))
            else:
                kept.rows[_text(value, "key")] = encode(value["json"])
        except json.JSONDecodeError:
            raise TransferError(f"line {number} is no line of a dump: it is not JSON") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
            raise TransferError(f"line {number} is no line of a dump: {error!r}") from None
        except Damaged as error:
            raise TransferError(f"line {number}: {error}") from None
    if kept is not None:
        yield kept


def _text(value: dict[str, Any], name: str) -> str:
    if not isinstance(text := value[name], str):
        raise TypeError(f"{name} is a text")
    return text


async def dump(lobby: Lobby, address: Address) -> str:
    """The lines of one room, live or not. Raises ``Refused`` and ``StoreError``."""
    room = await lobby.room(address)
    await room.storage.flush()
    kept = Kept(address, dict(await lobby.store.load(address)), room.get_alarm())
    if isinstance(lobby.store, SqlStore):
        kept.sql = await lobby.store.image(address)
    if is_deleted(kept.rows.items()):
        kept.rows = {}
    if not kept.rows and kept.alarm is None and kept.sql is None:
        raise Refused(404, f"There is no room {address}")
    return "".join(kept.lines())


async def restore(lobby: Lobby, lines: Iterable[str], *, replace: bool) -> list[Address]:
    """Write the rooms of a dump, all that each keeps, and return which. Raises ``TransferError``, ``Refused``...

    A room that keeps something already is refused (409) before any is written, unless they may be replaced. A replaced
    document is another history: its clients begin anew, or are sent away where they would merge the two.
    """
    dumped = await asyncio.to_thread(lambda: list(parse(lines)))
    for kept in dumped:
        party = lobby.party_classes.get(kept.address.party)
        if party is not None and not party.durable:
            raise TransferError(f"{kept.address}: its party keeps nothing (durable = False)")
    if any(kept.sql is not None for kept in dumped) and not isinstance(lobby.store, SqlStore):
        raise TransferError(f"the dump has SQL databases, and {type(lobby.store).__name__} keeps none")
    there = await rooms(lobby.store)
    taken = [kept.address for kept in dumped if kept.address in there]
    if taken and not replace:
        raise Refused(409, f"{', '.join(map(str, taken))}: there already; --replace puts the dump in its place")
    for kept in dumped:
        await _replaces(lobby, kept)
        await lobby.overwrite(kept.address, kept.rows, kept.alarm, reason="this room has been replaced by another")
        if kept.sql is not None and isinstance(lobby.store, SqlStore):
            await lobby.store.set_image(kept.address, kept.sql)
    return [kept.address for kept in dumped]


async def _replaces(lobby: Lobby, kept: Kept) -> None:
    """Make a document that takes the place of another, be it a deleted one, a history of its own."""
    if not (before := await document_of(lobby, kept.address)):
        return
    now = {key: decode(value) for key, value in kept.rows.items() if key.startswith(PREFIX)}
    others = {key: value for key, value in kept.rows.items() if not key.startswith(PREFIX)}
    try:
        made = await asyncio.to_thread(replaced, before, now)
    except (ProtocolError, TypeError) as error:
        raise TransferError(f"{kept.address}: what is in {PREFIX} is no document: {error}") from None
    kept.rows = {**others, **{key: encode(value) for key, value in made.items()}}
