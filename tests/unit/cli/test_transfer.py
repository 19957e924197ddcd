"""A dump has all that a room keeps, its SQL database too."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from partyroom import Lobby, MemoryStore, Party, Refused, SQLiteStore
from partyroom.cli.transfer import TransferError, dump, restore
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


class Passing(Party):
    durable = False


async def test_nothing_is_replaced_where_a_database_is_damaged_or_a_party_keeps_nothing(tmp_path: Path) -> None:
    async with Lobby({"party": Party, "passing": Passing}, store=SQLiteStore(tmp_path / "a.db")) as lobby:
        room = await lobby.room(HERE)
        await room.storage.put("word", "kept")
        await room.sql("CREATE TABLE t (n)")
        await room.sql("INSERT INTO t VALUES (?)", b"x" * 9000)
        lines = (await dump(lobby, HERE)).splitlines()
        whole = bytearray(base64.b64decode(json.loads(lines[-1])["sql"]))
        whole[4096:8192] = b"\xee" * 4096
        for line in (
            json.dumps({"party": "party", "room": "one", "sql": "bm8gZGF0YWJhc2U="}),
            json.dumps({"party": "party", "room": "one", "sql": base64.b64encode(whole).decode()}),
            json.dumps({"party": "passing", "room": "one", "key": "a", "json": 1}),
        ):
            with pytest.raises(TransferError):
                await restore(lobby, [*lines[:-1], line], replace=True)
        assert (await dump(lobby, HERE)).splitlines() == lines


async def test_a_store_without_databases_takes_none() -> None:
    async with Lobby(Party) as lobby:
        room = await lobby.room(HERE)
        await room.sql("CREATE TABLE t (n)")
        image = json.loads((await dump(lobby, HERE)).splitlines()[-1])["sql"]
    line = json.dumps({"party": "party", "room": "one", "sql": image})

    class Bare:
        """A store that keeps keys only."""

        def __init__(self) -> None:
            kept = MemoryStore()
            for name in ("get", "load", "apply", "alarms", "rooms", "close"):
                setattr(self, name, getattr(kept, name))

    async with Lobby(Party, store=Bare()) as lobby:  # type: ignore[arg-type]
        with pytest.raises(TransferError, match="Bare keeps none"):
            await restore(lobby, [line], replace=False)
