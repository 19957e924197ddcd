"""History: versions, who changed what, restoring and undo, with in-process clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from partyroom import DocumentParty, Lobby, MemoryStore
from partyroom.documents.authors import Author
from partyroom.documents.history import KEPT_UNDER, History
from partyroom.documents.versions import Version, Versioning
from partyroom.errors import LimitError, Refused
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.protocols.content import read
from partyroom.room import Room
from partyroom.storage import decode
from partyroom.stores.base import Batch
from partyroom.testing import ManualClock
from tests.unit.documents.client import Client, Shared, join

ADA, BOB = "client:ada", "client:bob"


class Notes(DocumentParty):
    """Documents with history as it comes."""


class Thrifty(DocumentParty):
    """Documents with few versions."""

    versioning = Versioning(every=20.0, pause=None, automatic=3, named=2)


class Oblivious(DocumentParty):
    """Documents without history."""

    versioning = None


def lobby_of(party: type[DocumentParty] = Notes, store: MemoryStore | None = None) -> Lobby:
    return Lobby({"notes": party}, clock=ManualClock(), store=Shared(store or MemoryStore()))


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with lobby_of() as lobby:
        yield lobby


def room_of(lobby: Lobby) -> Room:
    (room,) = lobby.rooms()
    return room


def party_of(lobby: Lobby) -> DocumentParty:
    party = room_of(lobby).life.party
    assert isinstance(party, DocumentParty)
    return party


def history_of(lobby: Lobby) -> History:
    return party_of(lobby).history


async def passes(lobby: Lobby, seconds: float, step: float = 1.0) -> None:
    """Let time pass, in steps, and whatever history does in it end."""
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    history = history_of(lobby)
    while seconds > 0:
        step = min(seconds, step)
        await clock.advance(step)
        while history._task is not None:
            await asyncio.wait([history._task])
        seconds -= step


async def erase(client: Client, start: int, end: int) -> None:
    updates: list[bytes] = []
    subscription = client.doc.observe(lambda event: updates.append(event.update))
    del client.text[start:end]
    client.doc.unobserve(subscription)
    await client.socket.send(yjs.update(updates[0]))


async def text_in(lobby: Lobby, version: Version) -> str:
    return read(await history_of(lobby).state(version.id)).root("body").text()


async def versions(lobby: Lobby) -> list[Version]:
    return await history_of(lobby).versions.all()


# -- versions --------------------------------------------------------------------------------------------------------


async def test_a_named_version_says_what_when_by_whom_and_how_large(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.present('{"user":{"name":"Ada"}}')
        await ada.insert(0, "first")
        await bob.read()
        await bob.insert(5, " second")
        version = await party_of(lobby).save_version("a draft", Author("user:carol", "Carol"))
        await ada.insert(0, "later ")
        assert await text_in(lobby, version) == "first second"
        assert (version.name, version.reason, version.saver) == ("a draft", "named", Author("user:carol", "Carol"))
        assert version.authors == (Author(ADA, "Ada"), Author(BOB))
        assert version.at == room_of(lobby).clock.now()
        assert version.size == len(await history_of(lobby).state(version.id))


async def test_versions_survive_a_restart_and_so_does_who_made_them() -> None:
    store = MemoryStore()
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "kept")
        made = await party_of(lobby).save_version("one")
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=bob") as bob:
        assert await versions(lobby) == [made]
        assert await text_in(lobby, made) == "kept"
        await bob.insert(0, "not ")
        second = await party_of(lobby).save_version("two")
        assert await text_in(lobby, second) == "not kept"
        difference = await history_of(lobby).difference(None, None)
        who = {change["insert"]: change["by"]["who"] for change in difference.changes}
        assert who == {"not ": BOB, "kept": ADA}


async def test_while_people_edit_there_is_a_version_every_so_often() -> None:
    async with lobby_of(Thrifty) as lobby, join(lobby) as ada:
        for second in range(100):
            await ada.insert(0, "x")
            await passes(lobby, 1)
            assert len(await versions(lobby)) <= 1 + second // 20
        made = await versions(lobby)
        assert {version.reason for version in made} == {"time"}
        assert len(made) == 3


async def test_a_pause_after_substantial_edits_makes_a_version_and_nothing_more_follows(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "little")
        await passes(lobby, 300)
        assert await versions(lobby) == []
        await ada.insert(0, "much " * 300)
        await passes(lobby, 59)
        assert await versions(lobby) == []
        await passes(lobby, 4)
        await passes(lobby, 1000)
        assert [version.reason for version in await versions(lobby)] == ["pause"]


async def test_who_leaves_after_substantial_edits_leaves_a_version() -> None:
    store = MemoryStore()
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=ada") as ada:
        await ada.present('{"name":"Ada"}')
        await ada.insert(0, "much " * 300)
    async with lobby_of(store=store) as lobby, join(lobby):
        (version,) = await versions(lobby)
        assert (version.reason, version.authors) == ("leave", (Author(ADA, "Ada"),))


async def test_automatic_versions_thin_out_as_they_age_and_named_ones_stay(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "named")
        named = await party_of(lobby).save_version("named")
        for _ in range(60):
            await ada.insert(0, "much " * 300)
            await passes(lobby, 63, step=63)
        await passes(lobby, 3000, step=600)
        await ada.insert(0, "much " * 300)
        await passes(lobby, 63)
        made = await versions(lobby)
        assert named in made
        now = room_of(lobby).clock.now()
        old = [version for version in made if version.automatic and now - version.at > 3600]
        assert 1 <= len(old) == len({version.at // 3600 for version in old})
        assert await text_in(lobby, made[0]) == "named"
        assert all(later.since == earlier.at for earlier, later in pairwise(made))


async def test_too_many_named_versions_are_refused_and_deleting_one_makes_room() -> None:
    async with lobby_of(Thrifty) as lobby, join(lobby) as ada:
        await ada.insert(0, "x")
        party = party_of(lobby)
        first = await party.save_version("one")
        await party.save_version("two")
        with pytest.raises(LimitError, match="2 named versions: delete one"):
            await party.save_version("three")
        await party.history.drop(first.id)
        await party.save_version("three")
        assert [version.name for version in await versions(lobby)] == ["two", "three"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
async def test_a_version_needs_a_name_of_reasonable_length(lobby: Lobby, name: str) -> None:
    async with join(lobby):
        with pytest.raises(ValueError, match="1 to 200 characters"):
            await party_of(lobby).save_version(name)


async def test_a_version_that_others_build_upon_can_be_deleted() -> None:
    store = MemoryStore()
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "a long text " * 500)
        whole = await party_of(lobby).save_version("whole")
        await erase(ada, 0, 12)
        part = await party_of(lobby).save_version("part")
        assert (part.base, part.stored < whole.stored) == (whole.id, True)
        await history_of(lobby).drop(whole.id)
        with pytest.raises(Refused, match="no version"):
            await history_of(lobby).state(whole.id)
        assert await text_in(lobby, part) == "a long text " * 499
    async with lobby_of(store=store) as lobby, join(lobby) as ada:
        (part,) = await versions(lobby)
        assert await text_in(lobby, part) == "a long text " * 499
        await history_of(lobby).drop(part.id)
        keys = [key for key, _ in await store.load(Address("notes", "today")) if key.startswith("document/version/")]
        assert keys == []


async def test_listing_reads_no_contents(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "x")
        await party_of(lobby).save_version("one")
        history_of(lobby).versions._all = None
        loaded: list[str] = []
        load = room_of(lobby).storage.list

        async def watched(prefix: str = "", **more: Any) -> dict[str, Any]:
            loaded.append(prefix)
            return await load(prefix, **more)

        monkeypatch.setattr(room_of(lobby).storage, "list", watched)
        assert len(await versions(lobby)) == 1
        assert loaded == ["document/version/meta/"]


async def test_a_version_is_stored_whole_or_not_at_all() -> None:
    store = MemoryStore()
    batches: list[Batch] = []

    class Watched(Shared):
        async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
            batches.append(batch)
            await store.apply(address, batch, fence=fence)

    async with Lobby({"notes": Notes}, store=Watched(store)) as lobby, join(lobby) as ada:
        await ada.insert(0, "x")
        await party_of(lobby).save_version("one")
    with_parts = [{key.split("/")[2] for key in batch.puts if "/version/" in key} for batch in batches]
    assert [parts for parts in with_parts if parts] == [{"meta", "data", "by"}]


async def test_without_versioning_there_is_no_history_and_nothing_of_it_is_stored() -> None:
    store = MemoryStore()
    async with lobby_of(Oblivious, store) as lobby, join(lobby) as ada:
        await ada.insert(0, "much " * 1000)
        with pytest.raises(Refused, match="keeps no history"):
            await party_of(lobby).save_version("one")
    assert not any(key.startswith(KEPT_UNDER) for key, _ in await store.load(Address("notes", "today")))


async def test_what_is_replaced_is_gone_with_its_history(lobby: Lobby) -> None:
    async with join(lobby, lineage="") as ada:
        await ada.insert(0, "to be forgotten")
        await party_of(lobby).save_version("one")
        await party_of(lobby).replace(yjs.EMPTY_UPDATE)
        assert await versions(lobby) == []
        await ada.read()
        await ada.insert(0, "new")
        version = await party_of(lobby).save_version("two")
        assert await text_in(lobby, version) == "new"
        rows = await room_of(lobby).storage.list()
        assert not any(b"forgotten" in value for value in rows.values() if isinstance(value, bytes))


async def test_a_document_from_before_there_was_history_is_kept_at_its_first_edit() -> None:
    store = MemoryStore()
    async with lobby_of(Oblivious, store) as lobby, join(lobby) as ada:
        await ada.insert(0, "old")
    async with lobby_of(store=store) as lobby, join(lobby) as ada:
        await passes(lobby, 5)
        assert await versions(lobby) == []
        await ada.insert(0, "x")
        await passes(lobby, 5)
        (version,) = await versions(lobby)
        assert version.reason == "first"


# -- changes ---------------------------------------------------------------------------------------------------------


async def test_changes_say_what_was_inserted_and_deleted_by_whom_and_when(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.insert(0, "one two three")
        before = await party_of(lobby).save_version("before")
        await passes(lobby, 10)
        await bob.read()
        await erase(bob, 3, 7)
        await bob.read()
        await ada.read()
        await ada.insert(0, "zero ")
        after = await party_of(lobby).save_version("after")
        difference = await history_of(lobby).difference(before.id, after.id)
        assert [{**change, "by": change["by"]["who"]} for change in difference.changes] == [
            {"path": ["body"], "index": 0, "insert": "zero ", "by": ADA},
            {"path": ["body"], "index": 8, "delete": " two", "by": BOB},
        ]
        times = [change["by"] for change in difference.changes]
        assert all(before.at + 10 <= by["from"] <= by["to"] <= after.at for by in times)


async def test_who_comes_back_and_sends_all_deletions_again_has_not_made_them(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "one two")
        before = await party_of(lobby).save_version("before")
        await erase(ada, 0, 4)
        copy: Doc[Any] = Doc()
        copy.apply_update(ada.doc.get_update())
        async with join(lobby, "?_pk=bob", doc=copy) as bob:
            await bob.insert(0, "x")
            (gone, _) = (await history_of(lobby).difference(before.id, None)).changes
            assert (gone["delete"], gone["by"]["who"]) == ("one ", ADA)


async def test_changes_reach_into_maps_lists_and_nested_types(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        settings, todo = ada.doc.get("settings", type=Map), ada.doc.get("todo", type=Array)
        settings["title"], settings["colour"] = "Draft", "red"
        todo.append(Map({"what": "milk"}))
        todo.append("bread 🥖")
        await ada.socket.send(yjs.update(ada.doc.get_update()))
        before = await party_of(lobby).save_version("before")
        settings["title"] = "Final"
        del settings["colour"]
        todo[0]["what"] = "oat milk"
        del todo[1]
        todo.append(Map({"what": "salt", "kinds": Array([1, 2])}))
        await ada.socket.send(yjs.update(ada.doc.get_update()))
        difference = await history_of(lobby).difference(before.id, None)
        found = [{key: value for key, value in change.items() if key != "by"} for change in difference.changes]
        assert sorted(map(repr, found)) == sorted(
            map(
                repr,
                [
                    {"path": ["settings"], "key": "title", "set": "Final"},
                    {"path": ["settings"], "key": "colour", "unset": "red"},
                    {"path": ["todo"], "index": 1, "delete": ["bread 🥖"]},
                    {"path": ["todo"], "index": 1, "insert": [{"what": "salt", "kinds": [1, 2]}]},
                    {"path": ["todo", 0], "key": "what", "set": "oat milk"},
                ],
            )
        )


# -- restoring -------------------------------------------------------------------------------------------------------


async def test_restoring_reaches_all_and_can_be_undone_by_restoring_again(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await ada.insert(0, "good")
        good = await party_of(lobby).save_version("good")
        await erase(ada, 0, 4)
        await ada.insert(0, "bad")
        present = await party_of(lobby).restore_version(good.id)
        for client in ada, bob:
            await client.read()
            assert str(client.text) == "good"
        assert present.reason == "restore"
        await party_of(lobby).restore_version(present.id)
        for client in ada, bob:
            await client.read()
            assert str(client.text) == "bad"


async def test_restoring_loses_nothing_of_what_others_write_meanwhile(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.insert(0, "the beginning and the end")
        version = await party_of(lobby).save_version("one")
        await erase(ada, 3, 25)
        await bob.read()
        asked = asyncio.create_task(party_of(lobby).restore_version(version.id))
        while not asked.done():
            await bob.insert(0, ".")
            await asyncio.sleep(0)
        await bob.insert(0, "!")
        await asked
        for client in ada, bob:
            await client.read()
        assert str(ada.text) == str(bob.text)
        assert str(ada.text).lstrip("!.") == "the beginning and the end"
        assert set(str(ada.text)[: -len("the beginning and the end")]) == {"!", "."}


async def test_restoring_what_is_the_same_edits_nothing(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "same")
        version = await party_of(lobby).save_version("one")
        before = party_of(lobby).doc.get_state()
        await party_of(lobby).restore_version(version.id)
        assert party_of(lobby).doc.get_state() == before


async def test_a_text_with_an_emoji_inside_an_array_hangs_nothing(lobby: Lobby) -> None:
    """pycrdt never returns from reading such an array; history never asks it to."""
    evil = bytes.fromhex("0101010004010172") + b"\x04\xf0\x9f\x98\x80" + b"\x00"
    async with join(lobby) as mallory:
        await mallory.insert(0, "x")
        await mallory.socket.send(yjs.update(evil))
        version = await party_of(lobby).save_version("one")
        await mallory.socket.send(yjs.update(bytes.fromhex("0001010100" + "02")))
        difference = await history_of(lobby).difference(version.id, None)
        assert [change["delete"] for change in difference.changes] == ["😀"]
        await party_of(lobby).restore_version(version.id)
        assert read(party_of(lobby).doc.get_update()).root("r").text() == "😀"


# -- undo ------------------------------------------------------------------------------------------------------------


async def test_undo_takes_back_ones_last_burst_and_leaves_everybody_elses(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.insert(0, "hello world")
        await passes(lobby, 10)
        await bob.read()
        await bob.insert(5, " big")
        await ada.read()
        await erase(ada, 0, 5)
        await ada.read()
        assert str(ada.text) == " big world"
        party = party_of(lobby)
        for expected in ("hello big world", " big"):
            assert await party.undo(ADA)
            await ada.read()
            assert str(ada.text) == expected
        assert not await party.undo(ADA)
        for expected in ("hello big world", " big world"):
            assert await party.redo(ADA)
            await ada.read()
            assert str(ada.text) == expected
        assert not await party.redo(ADA)
        assert await party.undo(BOB)
        await ada.read()
        assert str(ada.text) == " world"


async def test_undo_does_not_reach_over_a_version_that_was_saved(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "one")
        await passes(lobby, 0.3)
        await party_of(lobby).save_version("first")
        await passes(lobby, 0.3)
        await ada.insert(3, ", two")
        for expected in ("one", ""):
            assert await party_of(lobby).undo(ADA)
            await ada.read()
            assert str(ada.text) == expected


async def test_undo_knows_a_connection_and_what_one_wrote_again_ends_redo(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "one")
        connection = room_of(lobby).connection("ada")
        assert connection is not None
        assert await party_of(lobby).undo(connection)
        await ada.read()
        assert str(ada.text) == ""
        await ada.insert(0, "two")
        assert not await party_of(lobby).redo(connection)


async def test_undo_survives_compaction_and_a_restart() -> None:
    store = MemoryStore()
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.insert(0, "precious ")
        await bob.read()
        await passes(lobby, 10)
        await erase(bob, 0, 9)
        await passes(lobby, 10)
        party = party_of(lobby)
        party._live._log.compact(party._live.replica.snapshot())
    async with lobby_of(store=store) as lobby, join(lobby) as carol:
        assert str(carol.text) == ""
        assert await party_of(lobby).undo(BOB)
        await carol.read()
        assert str(carol.text) == "precious "


async def test_undo_of_a_key_that_somebody_else_has_set_since_leaves_it(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        ours, theirs = (client.doc.get("settings", type=Map) for client in (ada, bob))
        for value in ("first", "second"):
            ours["title"] = value
            await ada.socket.send(yjs.update(ada.doc.get_update()))
            await passes(lobby, 10)
        await bob.read()
        theirs["title"] = "bob's"
        await bob.socket.send(yjs.update(bob.doc.get_update()))
        await party_of(lobby).undo(ADA)
        await ada.read()
        assert ours["title"] == "bob's"
        await party_of(lobby).undo(BOB)
        await ada.read()
        assert ours.get("title") in (None, "second")


async def test_what_one_brings_of_others_is_not_ones_own(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "by ada ")
        await passes(lobby, 10)
        offline: Doc[Any] = Doc()
        offline.apply_update(ada.doc.get_update())
        ada.text.insert(0, "unsent ")
        offline.apply_update(ada.doc.get_update())
        offline.get("body", type=Text).insert(0, "by bob ")
        async with join(lobby, "?_pk=bob", doc=offline) as bob:
            await party_of(lobby).undo(BOB)
            await bob.read()
            assert str(bob.text) == "unsent by ada "


async def test_what_server_code_writes_can_be_undone_too(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        party_of(lobby).doc.get("body", type=Text).insert(0, "good morning")
        assert await party_of(lobby).undo("server")
        await ada.read()
        assert str(ada.text) == ""


async def test_what_cannot_be_known_any_more_is_refused(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        await ada.insert(0, "long ago")
        await passes(lobby, 10)
        await bob.read()
        await erase(bob, 0, 4)
        await passes(lobby, 10)
        rows = await room_of(lobby).storage.list("document/beat/")
        await room_of(lobby).storage.delete(next(iter(rows)))
        with pytest.raises(Refused, match="409: too much has happened"):
            await party_of(lobby).undo(BOB)


async def test_the_beats_are_bounded(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partyroom.documents.beats.KEPT", 2000)
    async with join(lobby) as ada:
        for number in range(40):
            await ada.insert(0, f"{number * 7919:050}")
            await passes(lobby, 3)
        rows = await room_of(lobby).storage.list("document/beat/")
        assert 1 < len(rows) < 40
        assert sum(map(len, rows.values())) <= 2000


@pytest.mark.parametrize("seed", range(12))
async def test_undo_is_exact_and_redo_its_opposite(lobby: Lobby, seed: int) -> None:
    random = Random(seed)
    async with join(lobby, "?_pk=ada") as ada, join(lobby, "?_pk=bob") as bob:
        said = [""]
        for _ in range(8):
            client = random.choice((ada, bob))
            await client.read()
            for _ in range(random.randrange(1, 5)):
                length = len(str(client.text))
                at = random.randrange(length + 1)
                if random.random() < 0.4 and at < length:
                    await erase(client, at, min(length, at + random.randrange(1, 8)))
                else:
                    await client.insert(at, random.choice(["one ", "two ", "three "]))
            said.append(str(client.text))
            await passes(lobby, 5)
            if random.random() < 0.3:
                party_of(lobby)._live.compact(quiet=True)
        party, last = party_of(lobby), ADA if client is ada else BOB
        assert await party.undo(last) == (said[-1] != said[-2])
        await ada.read()
        assert str(ada.text) == said[-2]
        for who in (ADA, BOB):
            before = str(ada.text)
            if await party.undo(who):
                assert await party.redo(who)
            await ada.read()
            assert str(ada.text) == before


async def test_promise_9_what_was_restored_undone_and_redone_is_on_disk_when_that_returns() -> None:
    store = MemoryStore()
    async with lobby_of(store=store) as lobby, join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "good")
        party = party_of(lobby)
        version = await party.save_version("good")
        await erase(ada, 0, 4)
        await passes(lobby, 10)

        async def on_disk() -> str:
            rows = await store.load(Address("notes", "today"))
            kept = dict(rows)
            doc: Doc[Any] = Doc()
            for key, value in kept.items():
                if key.startswith(("document/snapshot", "document/update/")):
                    doc.apply_update(decode(value))
            return str(doc.get("body", type=Text))

        await party.restore_version(version.id)
        assert await on_disk() == "good"
        await ada.read()
        await ada.insert(4, " enough")
        assert await party.undo(ADA)
        assert await on_disk() == "good"
        assert await party.redo(ADA)
        assert await on_disk() == "good enough"
