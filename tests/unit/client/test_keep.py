"""What a client keeps on this computer: a program that starts again goes on, with or without a network."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Collection, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import MemoryStore, SQLiteStore
from partyroom.client.document import DocumentClient, DocumentStatus
from partyroom.client.keep import MANY, SOME, Keep
from partyroom.errors import StoreClosed, StoreError
from partyroom.http import Address
from partyroom.stores.base import Batch, Range
from partyroom.stores.keys import EVERYTHING
from partyroom.testing import ManualClock, settle
from tests.unit.client.inside import Inside, body, text

HERE = Address("ws://localhost/parties/notes", "a")


class Failing(MemoryStore):
    """A store whose disk is full for a while."""

    full = False

    def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> Coroutine[Any, Any, None]:
        if self.full:

            async def fail() -> None:
                raise StoreError("the disk is full")

            return fail()
        return super().apply(address, batch, fence=fence)


class Slow(MemoryStore):
    """A store that gives what it has when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def load(self, address: Address, range: Range = EVERYTHING) -> list[tuple[str, bytes]]:
        await self.go_on.wait()
        return await super().load(address, range)


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    async with Inside.running() as inside:
        yield inside


async def rows(store: MemoryStore) -> dict[str, bytes]:
    return dict(await store.load(HERE))


class TestAProgramThatStartsAgain:
    async def test_has_its_document_before_there_is_a_network(self, inside: Inside, tmp_path: Path) -> None:
        file = tmp_path / "folder" / "notes.db"
        async with inside.joined(keep=file) as ada, inside.joined() as bob:
            body(bob).insert(0, "by bob ")
            await settle()
            body(ada).insert(0, "by ada ")
            await ada.kept()
        inside.down = True
        async with inside.client(keep=str(file)) as ada:
            assert (ada.status, text(ada)) == (DocumentStatus.CONNECTING, "by ada by bob ")

    async def test_sends_what_it_never_sent(self, inside: Inside, tmp_path: Path) -> None:
        inside.down = True
        async with inside.client(keep=tmp_path / "notes.db") as ada:
            body(ada).insert(0, "written on the train")
        inside.down = False
        async with inside.client(keep=tmp_path / "notes.db") as ada:
            assert ada.unsaved
            await ada.synced()
            await inside.saved(ada)
            assert str(inside.party.doc.get("body", type=Text)) == "written on the train"

    async def test_knows_its_lineage_and_begins_anew_where_the_servers_is_another(
        self, inside: Inside, tmp_path: Path
    ) -> None:
        async with inside.joined(keep=tmp_path / "notes.db") as ada, inside.joined():
            body(ada).insert(0, "old ")
            await inside.saved(ada)
            lineage = ada.lineage
            await ada.close()
            new: Doc[Any] = Doc()
            new.get("body", type=Text).insert(0, "new ")
            replacing = asyncio.create_task(inside.party.replace(new.get_update()))
            await inside.pass_time()
            await replacing
            resets: list[Doc[Any]] = []
            async with inside.client(keep=tmp_path / "notes.db") as again:
                again.on_reset(resets.append)
                assert (again.lineage, text(again)) == (lineage, "old ")
                await again.synced()
                await settle()
                assert (text(again), len(resets)) == ("new ", 1)
                await again.kept()
            inside.down = True
            async with inside.client(keep=tmp_path / "notes.db") as offline:
                assert text(offline) == "new "
                assert offline.lineage not in (lineage, "")

    async def test_keeps_what_was_edited_before_it_began(self, inside: Inside) -> None:
        store = MemoryStore()
        doc: Doc[Any] = Doc()
        doc.get("body", type=Text).insert(0, "given. ")
        ada = inside.client(keep=store, doc=doc)
        body(ada).insert(0, "early. ")
        inside.down = True
        async with ada:
            body(ada).insert(0, "late. ")
        async with inside.client(keep=store) as again:
            assert text(again) == "late. early. given. "

    async def test_edits_made_while_the_file_is_read_are_merged(self, inside: Inside) -> None:
        store = Slow()
        await store.apply(HERE, Batch(puts={"update/000000000000": _update("kept. ")}))
        ada = inside.client(keep=store)
        starting = asyncio.create_task(ada.start())
        await settle()
        body(ada).insert(0, "meanwhile. ")
        store.go_on.set()
        await starting
        await ada.close()
        assert sorted(text(ada).split()) == ["kept.", "meanwhile."]
        async with inside.client(keep=store) as again:
            assert text(again) == text(ada)

    async def test_has_an_update_whose_predecessor_is_missing(self, inside: Inside) -> None:
        store = MemoryStore()
        first, second = _two_updates()
        async with inside.joined(keep=store) as ada:
            await inside.party.merge(second)
            await settle()
            assert text(ada) == ""
        inside.down = True
        async with inside.client(keep=store) as again:
            again.doc.apply_update(first)
            await settle()
            assert text(again) == "ab"


class TestOneOwner:
    @pytest.mark.slow
    async def test_two_programs_on_one_file_get_a_clear_error(self, inside: Inside, tmp_path: Path) -> None:
        async with inside.client(keep=tmp_path / "notes.db"):
            code = (
                "import asyncio, sys\nfrom partyroom import SQLiteStore\nasyncio.run(SQLiteStore(sys.argv[1]).open())"
            )
            other = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, str(tmp_path / "notes.db"), stderr=PIPE
            )
            _, complaint = await other.communicate()
            assert b"StoreError" in complaint
            second = inside.client(keep=tmp_path / "notes.db", room="b")
            with pytest.raises(StoreError, match="this process"):
                await second.start()
            assert second.status is DocumentStatus.CONNECTING
            await second.close()

    async def test_nor_can_two_clients_keep_one_document_in_one_store(self, inside: Inside) -> None:
        store = MemoryStore()
        async with inside.client(keep=store), inside.client(keep=store, room="b"):
            with pytest.raises(StoreError, match="another client of this program"):
                await inside.client(keep=store).start()
        async with inside.client(keep=store):
            pass

    async def test_a_store_of_the_callers_stays_open(self, inside: Inside, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path / "mine.db")
        async with inside.client(keep=store) as ada:
            body(ada).insert(0, "x")
        assert await store.rooms() == [HERE]
        await store.close()

    async def test_who_keeps_nothing_is_told_so(self, inside: Inside) -> None:
        async with inside.client() as ada:
            with pytest.raises(ValueError, match="kept nowhere"):
                await ada.kept()


class TestKeep:
    @pytest.fixture
    async def keep(self) -> AsyncIterator[tuple[Keep, Failing, ManualClock]]:
        store, clock = Failing(), ManualClock()
        keep = Keep(store, HERE, clock)
        await keep.open()
        yield keep, store, clock
        store.full = False
        await keep.close()

    async def test_updates_of_one_turn_are_one_batch_and_come_back_in_order(
        self, keep: tuple[Keep, Failing, ManualClock]
    ) -> None:
        kept, store, _ = keep
        for letter in "abc":
            kept.append(letter.encode())
        kept.continues("one")
        await kept.flush()
        assert await kept.read() == (None, [b"a", b"b", b"c"], "one")
        assert list(await rows(store)) == ["lineage", *(f"update/{number:012}" for number in range(3))]

    async def test_a_snapshot_takes_the_place_of_all_before_it(self, keep: tuple[Keep, Failing, ManualClock]) -> None:
        kept, _, _ = keep
        for _ in range(MANY - 1):
            kept.append(b"1234")
        await kept.flush()
        kept.append(b"1234")
        assert kept.worth_compacting()
        kept.compact(b"snapshot", [b"waits"])
        assert not kept.worth_compacting()
        kept.append(b"more")
        assert await kept.read() == (b"snapshot", [b"waits", b"more"], "")

    async def test_a_file_is_compacted_at_the_end_where_that_is_worth_it(self, inside: Inside) -> None:
        store = MemoryStore()
        async with inside.client(keep=store) as ada:
            for number in range(SOME):
                body(ada).insert(0, f"{number} ")
            await ada.kept()
            assert len(await rows(store)) == SOME
        assert list(await rows(store)) == ["snapshot"]
        async with inside.client(keep=store) as again:
            assert text(again) == text(ada)

    async def test_a_long_session_stays_small(self, inside: Inside) -> None:
        store = MemoryStore()
        async with inside.client(keep=store) as ada:
            for number in range(4 * MANY):
                body(ada).insert(0, f"{number} ")
                if number % 100 == 0:
                    await settle(2)
            await ada.kept()
            assert len(await rows(store)) < 2 * MANY

    async def test_a_full_disk_is_tried_again_and_nothing_is_lost(
        self, keep: tuple[Keep, Failing, ManualClock], caplog: pytest.LogCaptureFixture
    ) -> None:
        kept, store, clock = keep
        kept.append(b"before")
        await kept.flush()
        store.full = True
        kept.append(b"one")
        await settle()
        kept.append(b"two")
        waiting = asyncio.create_task(kept.flush())
        await clock.advance(60)
        assert not waiting.done()
        store.full = False
        await clock.advance(6)
        await waiting
        assert (await kept.read()).updates == [b"before", b"one", b"two"]
        assert "disk is full" in caplog.text

    async def test_a_reset_while_the_disk_is_full_forgets_what_was_not_written(
        self, keep: tuple[Keep, Failing, ManualClock]
    ) -> None:
        kept, store, clock = keep
        kept.append(b"old")
        await kept.flush()
        store.full = True
        kept.append(b"old too")
        await settle()
        kept.reset("two")
        kept.append(b"new")
        await settle()
        store.full = False
        await clock.advance(6)
        assert await kept.read() == (None, [b"new"], "two")

    async def test_what_waits_for_a_full_disk_is_tried_once_more_at_the_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = Failing()
        for full in (False, True):
            keep = Keep(store, HERE, ManualClock())
            await keep.open()
            store.full = True
            keep.append(b"late")
            await settle()
            store.full = full
            await keep.close()
        assert len(await rows(store)) == 1
        assert "is not kept: the disk is full" in caplog.text

    async def test_a_store_that_was_closed_under_it_is_told_to_who_waits(self) -> None:
        store = MemoryStore()
        keep = Keep(store, HERE, ManualClock())
        await keep.open()
        await store.close()
        keep.append(b"x")
        with pytest.raises(StoreClosed):
            await keep.flush()
        keep.append(b"y")
        await keep.close()


KILLED = """
import asyncio, sys
from pycrdt import Text
from partyroom.client import DocumentClient

async def main():
    async with DocumentClient("127.0.0.1:1", room="a", keep=sys.argv[1], connect_timeout=0.1) as ada:
        body = ada.doc.get("body", type=Text)
        for number in range(10_000):
            body.insert(len(str(body)), f"{number} ")
            await ada.kept()
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_kill_9_costs_nothing_that_was_kept(tmp_path: Path, inside: Inside) -> None:
    file = tmp_path / "notes.db"
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(file), stdout=PIPE, stderr=DEVNULL)
    assert program.stdout is not None
    said = 0
    while said < 60:
        said = int(await program.stdout.readline())
    program.kill()
    said = int((b"%d\n" % said + await program.stdout.read()).split()[-1])
    await program.wait()
    inside.down = True
    async with DocumentClient("127.0.0.1:1", room="a", keep=file, dial=inside) as again:
        found = [int(word) for word in text(again).split()]
    assert found == list(range(len(found)))
    assert len(found) > said


def _update(content: str) -> bytes:
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, content)
    return doc.get_update()


def _two_updates() -> Collection[bytes]:
    doc: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    for at, letter in enumerate("ab"):
        doc.get("body", type=Text).insert(at, letter)
    doc.unobserve(subscription)
    return updates
