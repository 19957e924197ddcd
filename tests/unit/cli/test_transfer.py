"""A dump has all that a room keeps, its SQL database too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from partyroom import Lobby, MemoryStore, Party, Refused, SQLiteStore
from partyroom.cli.transfer import TransferError, dump, restore
from partyroom.errors import Damaged
from partyroom.http import Address
from partyroom.stores.base import Store

HERE = Address("party", "one")


async def test_a_room_goes_through_a_dump_with_its_sql_database(tmp_path: Path) -> None:
    stores: list[Store] = [SQLiteStore(tmp_path / "a.db"), MemoryStore(), SQLiteStore(tmp_path / "b.db")]
    lines = ""
    for number, store in enumerate(stores):
        async with Lobby(Party, store=store) as lobby:
            if number:
                assert await restore(lobby, lines.splitlines(), replace=False) == [HERE]
                with pytest.raises(Refused, match="there already"):
                    await restore(lobby, lines.splitlines(), replace=False)
                await restore(lobby, lines.splitlines(), replace=True)
            room = await lobby.room(HERE)
            await room.sql("CREATE TABLE IF NOT EXISTS log (n)")
            assert len(await room.sql("SELECT * FROM log")) == number
            await room.sql("INSERT INTO log VALUES (?)", number)
            lines = await dump(lobby, HERE)
    assert [list(json.loads(line)) for line in lines.splitlines()] == [["party", "room", "sql"]]


async def test_a_database_that_is_damaged_or_has_no_place_is_an_error() -> None:
    line = json.dumps({"party": "party", "room": "one", "sql": "bm8gZGF0YWJhc2U="})
    async with Lobby(Party) as lobby:
        with pytest.raises(Damaged):
            await restore(lobby, [line], replace=False)

    class Bare:
        """A store that keeps keys only."""

        def __init__(self) -> None:
            kept = MemoryStore()
            for name in ("get", "load", "apply", "alarms", "rooms", "close"):
                setattr(self, name, getattr(kept, name))

    async with Lobby(Party, store=Bare()) as lobby:  # type: ignore[arg-type]
        with pytest.raises(TransferError, match="Bare keeps none"):
            await restore(lobby, [line], replace=False)
