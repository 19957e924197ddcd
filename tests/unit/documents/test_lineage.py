"""A document whose history is replaced: who minds its lineage begins anew, nobody merges the old history back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import DocumentParty, Lobby, MemoryStore
from partyroom.errors import ProtocolError
from partyroom.http import Address
from partyroom.protocols import guard, yjs
from partyroom.testing import ManualClock, settle, visit
from tests.unit.documents.client import PATH, Client, Notes, Shared, join

NOTE = Address("notes", "today")


def document(text: str) -> bytes:
    """A document of somebody else's making."""
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, text)
    return doc.get_update()


def party_of(lobby: Lobby) -> DocumentParty:
    (room,) = lobby.rooms()
    party = room.life.party
    assert isinstance(party, DocumentParty)
    return party


def close_code(client: Client) -> int | None:
    ended = client.socket.transport.ended
    return None if ended is None else ended.code


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Notes}, clock=ManualClock()) as lobby:
        yield lobby


class TestWhoMindsIt:
    async def test_a_document_has_none_until_its_first_update_and_tells_then(self, lobby: Lobby) -> None:
        async with join(lobby, lineage="") as ada, join(lobby, lineage="") as bob:
            assert ada.lineage == party_of(lobby).lineage == ""
            await bob.insert(0, "x")
            await ada.read()
            await bob.read()
            assert ada.lineage == bob.lineage == party_of(lobby).lineage != ""
            assert (ada.resets, str(ada.text)) == (0, "x")

    async def test_it_stays_over_a_restart_and_a_client_with_it_goes_on_with_what_it_wrote_offline(self) -> None:
        store = MemoryStore()
        async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby, lineage="") as ada:
            await ada.insert(0, "before ")
            await ada.read()
        lineage = ada.lineage
        ada.text.insert(7, "offline")
        async with (
            Lobby({"notes": Notes}, store=Shared(store)) as lobby,
            join(lobby, doc=ada.doc, lineage=lineage) as again,
            join(lobby) as bob,
        ):
            assert again.lineage == lineage
            assert (again.resets, str(bob.text)) == (0, "before offline")

    async def test_live_clients_empty_their_document_and_get_the_new_one(self, lobby: Lobby) -> None:
        async with join(lobby, lineage="") as ada, join(lobby, lineage="") as bob:
            await ada.insert(0, "old")
            await bob.present('{"user":"bob"}', client=2)
            for client in ada, bob:
                await client.read()
            old = party_of(lobby).lineage
            await party_of(lobby).replace(document("new"))
            await ada.insert(0, "sent before it heard ")
            for client in ada, bob:
                await client.read()
                assert (client.resets, str(client.text)) == (1, "new")
                assert client.lineage == party_of(lobby).lineage != old
            await ada.insert(3, "er")
            await bob.read()
            assert str(bob.text) == "newer"
            assert ada.people == {2: '{"user":"bob"}'}

    async def test_a_client_that_comes_with_another_history_brings_nothing_in_and_is_present(
        self, lobby: Lobby
    ) -> None:
        foreign: Doc[Any] = Doc()
        foreign.get("body", type=Text).insert(0, "another history")
        async with join(lobby) as ada, visit(lobby, PATH) as socket:
            await ada.insert(0, "here")
            bob = Client(socket, foreign)
            await socket.send(yjs.lineage("another"))
            await bob.insert(0, "more of ")
            await bob.present('{"user":"bob"}', client=2)
            await socket.send(yjs.sync_status(b"\x01"))
            await bob.read()  # answers our SyncStep1 with all of it
            await ada.read()
            assert str(ada.text) == "here"
            assert ada.people == {2: '{"user":"bob"}'}
            assert yjs.Lineage(party_of(lobby).lineage) in bob.received
            assert yjs.SyncStatus(b"\x01") not in bob.received
            assert not any(isinstance(message, yjs.PermissionDenied) for message in bob.received)

    async def test_promise_9_after_its_reset_it_hears_again_what_is_saved(self) -> None:
        clock = ManualClock()
        async with Lobby({"notes": Notes}, clock=clock) as lobby, join(lobby) as ada:
            await ada.insert(0, "here")
            async with join(lobby, lineage="another") as bob:
                assert (bob.resets, str(bob.text)) == (1, "here")
                await bob.insert(4, " too")
                await bob.socket.send(yjs.sync_status(b"\x02"))
                await clock.advance(1)
                await bob.read()
                assert yjs.SyncStatus(b"\x02") in bob.received

    async def test_promise_9_what_a_replaced_history_held_is_not_said_to_be_saved(self) -> None:
        clock = ManualClock()
        async with Lobby({"notes": Notes}, clock=clock) as lobby, join(lobby, lineage="") as ada:
            await ada.insert(0, "old")
            await ada.read()
            await ada.insert(0, "lost ")
            await ada.socket.send(yjs.sync_status(b"\x03"))
            await party_of(lobby).replace(document("new"))
            await clock.advance(1)
            await ada.read()
            assert yjs.SyncStatus(b"\x03") not in ada.received

    async def test_a_lineage_that_is_no_lineage_costs_the_connection(self, lobby: Lobby) -> None:
        async with visit(lobby, PATH) as socket:
            await socket.send(yjs.lineage("x" * 65))
            assert socket.transport.ended is not None
            assert socket.transport.ended.code == 1002


class TestWhoDoesNot:
    async def test_never_receives_one(self, lobby: Lobby) -> None:
        async with join(lobby) as ada, join(lobby, lineage="") as bob:
            await ada.insert(0, "x")
            await bob.read()
            await ada.read()
            assert any(isinstance(message, yjs.Lineage) for message in bob.received)
            assert not any(isinstance(message, yjs.Lineage) for message in ada.received)

    async def test_is_closed_for_good_when_the_history_is_replaced(self, lobby: Lobby) -> None:
        async with join(lobby) as ada:
            await ada.insert(0, "old")
            await party_of(lobby).replace(document("new"))
            await ada.read()
            assert close_code(ada) == 4410
        async with join(lobby) as bob:
            assert str(bob.text) == "new"

    async def test_is_closed_when_it_comes_back_with_the_old_document_also_after_a_restart(self) -> None:
        store = MemoryStore()
        async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as ada:
            await ada.insert(0, "old")
            await party_of(lobby).replace(document("new"))
            await party_of(lobby).replace(document("newest"))
        async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, visit(lobby, PATH) as socket:
            again = Client(socket, ada.doc)
            await socket.send(yjs.sync_step1(again.doc.get_state()))
            assert close_code(again) == 4410
            async with join(lobby) as bob:
                assert str(bob.text) == "newest"

    async def test_is_closed_when_it_brings_the_old_document_before_it_asks_for_ours(self, lobby: Lobby) -> None:
        async with join(lobby) as ada:
            await ada.insert(0, "old")
            await party_of(lobby).replace(document("new"))
        async with join(lobby) as bob:
            for message in yjs.sync_step2(ada.doc.get_update()), yjs.update(ada.doc.get_update()):
                async with visit(lobby, PATH) as socket:
                    await socket.send(message)
                    assert close_code(Client(socket)) == 4410
            await bob.read()
            assert str(bob.text) == "new"

    @pytest.mark.parametrize("large", [False, True])
    async def test_is_closed_when_it_finds_the_old_document_after_it_has_asked_for_ours(
        self, lobby: Lobby, large: bool
    ) -> None:
        """As a page does that keeps it in y-indexeddb, which is slower to open than the WebSocket."""
        async with join(lobby) as ada:
            await ada.insert(0, "old" * (100_000 if large else 1))
            await party_of(lobby).replace(document("new"))
        async with join(lobby) as page, join(lobby) as bob:
            await page.socket.send(yjs.update(ada.doc.get_update()))
            assert close_code(page) == 4410
            await bob.read()
            assert str(bob.text) == "new"

    async def test_is_closed_also_where_the_new_history_holds_a_part_of_the_old(self, lobby: Lobby) -> None:
        async with join(lobby) as ada:
            await ada.insert(0, "kept")
            kept = ada.doc.get_update()
            await ada.insert(4, " and dropped")
            await party_of(lobby).replace(kept)
        async with join(lobby) as page:
            await page.socket.send(yjs.update(ada.doc.get_update()))
            assert close_code(page) == 4410

    async def test_is_closed_too_if_it_minds_lineages_but_knows_none_of_what_it_has(self, lobby: Lobby) -> None:
        """As a client that lost the connection before it heard how the history is called that it began."""
        async with join(lobby) as ada:
            await ada.insert(0, "old")
            await party_of(lobby).replace(document("new"))
        async with visit(lobby, PATH) as socket:
            await socket.send(yjs.lineage(""))
            await socket.send(yjs.sync_step1(ada.doc.get_state()))
            assert close_code(Client(socket)) == 4410
        async with join(lobby, lineage="") as bob:
            assert (close_code(bob), str(bob.text)) == (None, "new")

    async def test_may_have_what_the_new_history_holds_of_the_old(self, lobby: Lobby) -> None:
        async with join(lobby) as ada:
            await ada.insert(0, "kept")
            kept = ada.doc.get_update()
            await ada.insert(4, " and dropped")
            dropped = ada.doc
            await party_of(lobby).replace(kept)
        doc: Doc[Any] = Doc()
        doc.apply_update(kept)
        async with join(lobby, doc=doc) as bob:
            await bob.insert(4, ", and more")
            assert close_code(bob) is None
            async with visit(lobby, PATH) as socket:
                again = Client(socket, dropped)
                await socket.send(yjs.sync_step1(dropped.get_state()))
                assert close_code(again) == 4410

    async def test_may_come_back_with_what_it_has_written_in_the_new_history(self, lobby: Lobby) -> None:
        """As the page of a document that was deleted and has been brought back."""
        async with join(lobby) as ada:
            await ada.insert(0, "kept")
            kept = ada.doc.get_update()
            await ada.insert(4, " and dropped")
            await party_of(lobby).replace(kept)
        page: Doc[Any] = Doc(client_id=ada.doc.client_id)
        page.apply_update(kept)
        async with join(lobby, doc=page) as again:
            await again.insert(4, ", and more")
        again.text.insert(0, "offline: ")
        async with join(lobby, doc=page) as once_more:
            assert close_code(once_more) is None
            assert str(party_of(lobby).doc.get("body", type=Text)) == "offline: kept, and more"


class TestReplacing:
    async def test_is_one_batch_and_is_on_disk_when_it_returns(self) -> None:
        store = MemoryStore()
        async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as ada:
            for number in range(30):
                await ada.insert(number, "x")
            await party_of(lobby).room.storage.flush()
            batches = []
            apply = store.apply

            async def spy(address: Address, batch: Any, *, fence: int = 0) -> None:
                batches.append(batch)
                await apply(address, batch, fence=fence)

            store.apply = spy  # type: ignore[method-assign]
            await party_of(lobby).replace(document("new"))
            (batch,) = batches
            assert sorted(batch.puts) == ["document/lineage", "document/retired", "document/snapshot"]
            assert len(batch.deletes) == 30
            keys = [key for key, _ in await store.load(NOTE)]
            assert keys == ["document/lineage", "document/retired", "document/snapshot"]

    async def test_under_concurrent_edits_everyone_ends_with_the_same_document_and_nothing_of_the_old(
        self, lobby: Lobby
    ) -> None:
        async with join(lobby, lineage="") as ada, join(lobby, lineage="") as bob:
            clients = ada, bob
            await ada.insert(0, "old ")
            for turn in range(10):
                for client in clients:
                    await client.insert(0, f"{turn}")
                replacing = asyncio.create_task(party_of(lobby).replace(document(f"new {turn} ")))
                for client in clients:
                    await client.insert(0, "lost")
                    await settle(turn)
                await replacing
            for _ in range(3):
                for client in clients:
                    await client.read()
            await ada.insert(0, "the end of ")
            await bob.read()
            assert str(ada.text) == str(bob.text) == "the end of new 9 "
            assert guard.state_vector(ada.doc.get_state()) == guard.state_vector(party_of(lobby).doc.get_state())

    async def test_by_an_empty_document_deletes_for_good(self, lobby: Lobby) -> None:
        async with join(lobby, lineage="") as ada, join(lobby) as old:
            await ada.insert(0, "delete me")
            await old.read()
            await party_of(lobby).replace(yjs.EMPTY_UPDATE)
            await ada.read()
            assert (str(ada.text), ada.resets) == ("", 1)
        async with visit(lobby, PATH) as socket:
            await socket.send(yjs.sync_step1(old.doc.get_state()))
            assert socket.transport.ended is not None
            assert socket.transport.ended.code == 4410

    async def test_refuses_what_is_no_whole_document_and_changes_nothing(self, lobby: Lobby) -> None:
        doc: Doc[Any] = Doc()
        text = doc.get("body", type=Text)
        text.insert(0, "one")
        before = doc.get_state()
        text.insert(3, "two")
        async with join(lobby, lineage="") as ada:
            await ada.insert(0, "here")
            lineage = party_of(lobby).lineage
            for bad in doc.get_update(before), b"\xff\xff", b"":
                with pytest.raises(ProtocolError):
                    await party_of(lobby).replace(bad)
            assert party_of(lobby).lineage == lineage
            assert str(party_of(lobby).doc.get("body", type=Text)) == "here"

    async def test_a_document_that_somebody_still_holds_is_not_heard_any_more(self, lobby: Lobby) -> None:
        async with join(lobby, lineage="") as ada:
            await ada.insert(0, "old")
            party = party_of(lobby)
            held = party.doc
            await party.replace(document("new"))
            held.get("body", type=Text).insert(0, "into nowhere")
            party.doc.get("body", type=Text).insert(0, "brand ")
            await ada.read()
            assert str(ada.text) == "brand new"


class TestAStoreThatHasForgotten:
    async def test_takes_the_history_of_the_first_that_writes_and_nobody_loses_anything(self, lobby: Lobby) -> None:
        one: Doc[Any] = Doc()
        two: Doc[Any] = Doc()
        shared = document("shared")
        for doc in one, two:
            doc.apply_update(shared)
        two.get("body", type=Text).insert(0, "offline and ")
        async with join(lobby, doc=one, lineage="known") as ada, join(lobby, doc=two, lineage="known") as bob:
            await ada.read()
            assert party_of(lobby).lineage == ada.lineage == bob.lineage == "known"
            assert ada.resets == bob.resets == 0
            assert str(ada.text) == str(bob.text) == "offline and shared"

    async def test_and_where_somebody_else_wrote_first_the_old_history_is_not_merged(self, lobby: Lobby) -> None:
        doc: Doc[Any] = Doc()
        doc.get("body", type=Text).insert(0, "old")
        async with join(lobby) as ada:
            await ada.insert(0, "made again")
            async with join(lobby, doc=doc, lineage="known") as bob:
                assert (bob.resets, str(bob.text)) == (1, "made again")
                await ada.read()
                assert str(ada.text) == "made again"

    async def test_a_document_from_before_lineages_gets_one_when_it_is_loaded(self) -> None:
        store = MemoryStore()
        async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as ada:
            await ada.insert(0, "from before")
            await party_of(lobby).room.storage.delete("document/lineage")
        for _ in range(2):
            async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby, lineage="") as bob:
                assert (str(bob.text), bob.resets) == ("from before", 0)
                assert bob.lineage != ""
        assert (await store.get(NOTE, ["document/lineage"]))["document/lineage"] == b'j"%s"' % bob.lineage.encode()  # type: ignore[union-attr]
