"""What a room has stored is replaced, or deleted, while nobody can get in between."""

from __future__ import annotations

import asyncio

import pytest

from partyroom import Connection, Limits, Lobby, Party
from partyroom import room as room_module
from partyroom.errors import CloseCode, ConnectionClosed, StoreError
from partyroom.http import Address
from partyroom.storage import encode
from partyroom.stores.base import Batch
from partyroom.stores.memory import MemoryStore
from partyroom.testing import fetch, visit

NOTE = Address("notes", "today")
PATH = "/parties/notes/today"


class Notes(Party):
    """Keeps the last word, and writes once more when it stops, as documents do."""

    async def on_start(self) -> None:
        self.word = await self.room.storage.get("word", default="")

    def on_connect(self, connection: Connection) -> None:
        connection.send(self.word)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.word = str(message)
        self.room.set_alarm(2_000_000_000)

    def on_stop(self) -> None:
        self.room.storage.put("word", self.word)


async def test_a_deleted_room_begins_anew_and_its_clients_are_told_to_stay_away() -> None:
    store = MemoryStore()
    async with Lobby({"notes": Notes}, store=store) as lobby:
        async with visit(lobby, PATH) as ada:
            assert await ada.receive() == ""
            await ada.send("secret")
            await lobby.overwrite(NOTE, {})
            with pytest.raises(ConnectionClosed) as closed:
                await ada.receive()
            assert closed.value.code == CloseCode.GONE
        assert await store.rooms() == []
        assert await store.alarms() == []
        async with visit(lobby, PATH) as bob:
            assert await bob.receive() == ""


async def test_who_comes_while_it_happens_finds_what_is_new() -> None:
    async with Lobby({"notes": Notes}) as lobby:
        async with visit(lobby, PATH) as ada:
            await ada.send("old")
            overwriting = asyncio.create_task(lobby.overwrite(NOTE, {"word": encode("new")}, 2_000_000_001.0))
            await asyncio.sleep(0)
            async with visit(lobby, PATH) as bob:
                assert await bob.receive() == "new"
            await overwriting
        assert (await lobby.room(NOTE)).get_alarm() == 2_000_000_001


async def test_a_room_of_a_party_that_is_not_served_is_overwritten_in_the_store() -> None:
    store = MemoryStore()
    await store.apply(Address("gone", "x"), Batch(puts={"a": encode(1), "b": encode(2)}))
    async with Lobby({"notes": Notes}, store=store) as lobby:
        await lobby.overwrite(Address("gone", "x"), {"c": encode(3)})
        assert await store.load(Address("gone", "x")) == [("c", encode(3))]


async def test_a_store_that_will_not_do_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "GRACE", 0.02)

    class Full(MemoryStore):
        async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
            if batch.clear:
                raise StoreError("the disk is full")
            await super().apply(address, batch, fence=fence)

    async with Lobby({"notes": Notes}, store=Full(), limits=Limits(close=0)) as lobby:
        await fetch(lobby, PATH)
        with pytest.raises(StoreError):
            await lobby.overwrite(NOTE, {})
