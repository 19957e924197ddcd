"""A deleted document: nobody who has it brings it back, and for all else its room is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote

import pytest
from pycrdt import Doc, Text

from partyroom import CloseCode, DocumentParty, Lobby, MemoryStore, Party, Refused, SQLiteStore, storage
from partyroom.cli.deleted import NAME, REMEMBERED, delete, is_deleted, rooms
from partyroom.cli.transfer import dump, restore
from partyroom.errors import ConnectionClosed
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.storage import decode
from partyroom.stores.base import Batch, Store
from partyroom.testing import visit

HERE, THERE = Address("notes", "a"), Address("notes", "b/c")
PATH = "/parties/notes/a"


@pytest.fixture(params=["memory", "sqlite"])
async def lobby(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Lobby]:
    monkeypatch.setattr(storage, "LINGER", 0.0)  # a deletion waits for what was written just before
    store: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "a.db")
    async with Lobby({"notes": DocumentParty, "plain": Party}, store=store) as lobby:
        yield lobby


async def write(lobby: Lobby, address: Address, text: str) -> Doc[Text]:
    """Somebody's copy of the document, once that says ``text``."""
    copy: Doc[Text] = Doc()
    copy.get("body", type=Text).insert(0, text)
    async with visit(lobby, f"/parties/notes/{quote(address.room, safe='')}") as socket:
        await socket.send(yjs.sync_step2(copy.get_update()))
        await socket.send(yjs.sync_status(b""))
        while await socket.receive() != yjs.sync_status(b""):
            pass
    return copy


async def is_let_in(lobby: Lobby, copy: Doc[Text]) -> bool:
    """Whether a page that has this copy is heard."""
    async with visit(lobby, PATH) as socket:
        await socket.send(yjs.sync_step1(copy.get_state()))
        try:
            while (await socket.receive())[:2] != bytes([0, 1]):
                pass
        except ConnectionClosed as closed:
            if closed.code != CloseCode.GONE:
                raise
            return False
    return True


async def test_who_comes_with_it_is_sent_away_and_who_comes_with_nothing_is_let_in(lobby: Lobby) -> None:
    copy = await write(lobby, HERE, "one")
    assert await is_let_in(lobby, copy)
    await delete(lobby, HERE, now=0)
    assert not await is_let_in(lobby, copy)
    another = await write(lobby, HERE, "two")
    assert await is_let_in(lobby, another)
    assert not await is_let_in(lobby, copy)


async def test_a_program_that_knows_which_history_it_has_is_told_of_another_and_brings_nothing(lobby: Lobby) -> None:
    copy = await write(lobby, HERE, "one")
    before = await lineage(lobby)
    await delete(lobby, HERE, now=0)
    now = await lineage(lobby)
    assert now not in ("", before)
    async with visit(lobby, PATH) as socket:
        await socket.send(yjs.lineage(before))
        await socket.send(yjs.sync_step2(copy.get_update()))
        while await socket.receive() != yjs.lineage(now):
            pass
        await socket.send(yjs.sync_step1(Doc().get_state()))  # as it does then, with an empty document
        while (await socket.receive())[:2] != bytes([0, 1]):
            pass
    assert is_deleted(await lobby.store.load(HERE))


async def lineage(lobby: Lobby) -> str:
    stored = await lobby.store.get(HERE, ["document/lineage"])
    return str(decode(stored["document/lineage"]))


async def test_its_room_is_not_there_and_can_be_restored(lobby: Lobby) -> None:
    copy = await write(lobby, HERE, "one")
    dumped = (await dump(lobby, HERE)).splitlines()
    with pytest.raises(Refused, match="there already"):
        await restore(lobby, dumped, replace=False)
    await delete(lobby, HERE, now=0)
    assert await rooms(lobby.store) == await rooms(lobby.store, "notes") == set()
    with pytest.raises(Refused, match="There is no room"):
        await dump(lobby, HERE)
    assert await restore(lobby, dumped, replace=False) == [HERE]
    assert await rooms(lobby.store) == {HERE}
    assert await is_let_in(lobby, copy), "what it has is what was restored"


@pytest.mark.parametrize("kept", ["an alarm", "a database", "a transaction"])
async def test_its_room_is_there_again_with_all_that_it_keeps_since(lobby: Lobby, kept: str) -> None:
    """Else a dump of all rooms would lack it, and a restore would take it for free."""
    await write(lobby, HERE, "one")
    await delete(lobby, HERE, now=0)
    room = await lobby.room(HERE)
    if kept == "an alarm":
        await room.set_alarm(1e12)
    else:
        await room.sql("CREATE TABLE scores (score)")
    async with room.sql.transaction() if kept == "a transaction" else nullcontext():
        assert await rooms(lobby.store) == {HERE}
    with pytest.raises(Refused, match="there already"):
        await restore(lobby, (await dump(lobby, HERE)).splitlines(), replace=False)


async def test_it_is_forgotten_with_the_first_deletion_after_a_day(lobby: Lobby) -> None:
    await write(lobby, HERE, "one")
    await delete(lobby, HERE, now=0)
    await write(lobby, THERE, "two")
    await delete(lobby, THERE, now=REMEMBERED / 2)
    await leave_memory(lobby)
    await lobby.store.apply(Address("plain", "a"), Batch(puts={"key": b"j1"}))
    await delete(lobby, Address("plain", "a"), now=REMEMBERED)
    assert not await lobby.store.load(HERE)
    assert is_deleted(await lobby.store.load(THERE))
    assert [key for key, _ in await lobby.store.load(Address(NAME, "deleted"))] == ["notes/b/c"]


async def test_where_another_has_begun_that_one_stays(lobby: Lobby) -> None:
    await write(lobby, HERE, "one")
    await delete(lobby, HERE, now=0)
    await write(lobby, HERE, "two")
    await leave_memory(lobby)
    await delete(lobby, Address("plain", "a"), now=REMEMBERED)
    assert await rooms(lobby.store) == {HERE}
    assert not await lobby.store.load(Address(NAME, "deleted"))


async def test_what_is_no_document_is_deleted_all_the_same(lobby: Lobby) -> None:
    await lobby.store.apply(HERE, Batch(puts={"document/snapshot": b"b\xff", "key": b"j1"}))
    await delete(lobby, HERE, now=0)
    assert not await lobby.store.load(HERE)
    assert not await lobby.store.rooms(NAME)


async def leave_memory(lobby: Lobby) -> None:
    for room in lobby.rooms():
        await room.stop()
