"""FileParty: a document and a text file, both edited, and nothing that either side has written is lost."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

import pytest
from pycrdt import Doc, Text

from partyroom import Lobby, MemoryStore
from partyroom.documents.file import FileParty, Reading
from partyroom.errors import ConnectionClosed
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.stores.base import Batch
from tests.unit.documents.client import Client, Shared, join


class File:
    """A file: text, and how often it has been written by whomever."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.version = 0
        self.written: list[str] = []
        self.failure: Exception | None = None
        self.looked = 0
        self.look = asyncio.Event()

    def edit(self, text: str | None) -> None:
        self.text = text
        self.version += 1


class Page(FileParty):
    root = "body"
    look_every = 0.002
    file: ClassVar[File]

    def read_file(self) -> Reading:
        self.file.looked += 1
        self.file.look.set()
        self.file.look = asyncio.Event()
        if self.file.failure is not None:
            raise self.file.failure
        if self.file.text is None:
            raise FileNotFoundError
        return Reading(self.file.text, str(self.file.version))

    def write_file(self, text: str) -> None:
        if self.file.failure is not None:
            raise self.file.failure
        self.file.edit(text)
        self.file.written.append(text)

    def stamp_file(self) -> str:
        return self.read_file().stamp


@pytest.fixture
def file() -> File:
    Page.file = File("one\ntwo\nthree\n")
    return Page.file


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def opened(store: MemoryStore) -> Lobby:
    return Lobby({"notes": Page}, store=Shared(store))


def party(lobby: Lobby) -> Page:
    (room,) = lobby.rooms()
    assert isinstance(room.life.party, Page)
    return room.life.party


async def shows(client: Client, text: str) -> None:
    """Wait until a client has this text."""
    try:
        async with asyncio.timeout(5):
            while str(client.text) != text:
                data = await client.socket.receive()
                assert isinstance(data, bytes)
                match yjs.parse(data):
                    case yjs.SyncStep2(update) | yjs.Update(update):
                        client.doc.apply_update(update)
    except TimeoutError:
        raise AssertionError(f"it shows {client.text}") from None


async def test_opening_reads_the_file_and_writes_nothing(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        assert str(ada.text) == "one\ntwo\nthree\n"
    assert file.written == []


async def test_edits_reach_the_file_once_they_pause_and_when_all_have_left(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(0, "zero\n")
        await ada.insert(0, "🎉\n")
        assert file.written == []
        await party(lobby).on_save()
        assert file.written == ["🎉\nzero\none\ntwo\nthree\n"]
        await party(lobby).on_save()
        assert len(file.written) == 1
        await ada.insert(0, "last\n")
    assert file.text == "last\n🎉\nzero\none\ntwo\nthree\n"


async def test_what_is_changed_in_the_file_is_an_edit_for_those_who_have_it_open(
    file: File, store: MemoryStore
) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        cursor = ada.text.sticky_index(ada.text.observe(lambda _: None) and 8)  # before "three"
        file.edit("one\n2 🎉\nthree\nfour\n")
        await shows(ada, "one\n2 🎉\nthree\nfour\n")
        assert str(ada.text).encode()[cursor.get_index() :].startswith(b"three")
    assert file.written == []


async def test_both_sides_edits_are_in_both(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(4, "ada was here\n")
        file.edit("one\ntwo\nTHREE\n")
        await party(lobby).on_save()
        await shows(ada, "one\nada was here\ntwo\nTHREE\n")
    assert file.text == "one\nada was here\ntwo\nTHREE\n"


async def test_what_both_have_rewritten_is_there_twice(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        before = ada.doc.get_state()
        with ada.doc.transaction():
            del ada.text[4:7]
            ada.text.insert(4, "by ada")
        await ada.socket.send(yjs.update(ada.doc.get_update(before)))
        file.edit("one\nby another\nthree\n")
        await party(lobby).on_save()
        assert file.text is not None
        lines = file.text.splitlines()
        assert (lines[0], lines[-1]) == ("one", "three")
        assert "by ada" in lines[1]
        assert "by another" in lines[1]


async def test_a_restart_goes_on_where_both_were(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(0, "stored\n")
        file.failure = PermissionError("read-only for now")
    assert file.written == []  # the room could not write it
    file.failure = None
    file.edit("one\ntwo\nthree\nfour, meanwhile\n")
    async with opened(store) as lobby, join(lobby) as bob:
        await shows(bob, "stored\none\ntwo\nthree\nfour, meanwhile\n")
        await party(lobby).on_save()
    assert file.text == "stored\none\ntwo\nthree\nfour, meanwhile\n"
    async with opened(store) as lobby, join(lobby) as bob:
        assert str(bob.text) == file.text
    assert len(file.written) == 1


async def test_what_was_removed_from_the_file_while_nobody_looked_is_removed(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(0, "zero\n")
    file.edit("zero\nthree\n")
    async with opened(store) as lobby, join(lobby) as bob:
        assert str(bob.text) == "zero\nthree\n"
    assert file.text == "zero\nthree\n"


async def test_a_client_that_kept_the_document_while_the_store_was_lost_doubles_nothing(file: File) -> None:
    kept: Doc[Any] = Doc()
    async with opened(MemoryStore()) as lobby, join(lobby, doc=kept):
        pass
    async with opened(MemoryStore()) as lobby, join(lobby, doc=kept) as ada:
        assert str(ada.text) == "one\ntwo\nthree\n"


async def test_where_it_is_not_known_how_they_were_the_same_nothing_is_taken_away(
    file: File, store: MemoryStore
) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(0, "stored\n")
        file.failure = PermissionError("read-only for now")
    file.failure = None
    file.edit("two\nthree\nfour\n")
    await store.apply(Address("notes", "today"), Batch(deletes=["file/state", "file/lineage", "file/digest"]))
    async with opened(store) as lobby, join(lobby) as bob:
        await shows(bob, "stored\none\ntwo\nthree\nfour\n")
    assert file.text == "stored\none\ntwo\nthree\nfour\n"


async def test_a_document_that_is_replaced_replaces_the_file(file: File, store: MemoryStore) -> None:
    other: Doc[Any] = Doc()
    other.get("body", type=Text).insert(0, "quite another\n")
    async with opened(store) as lobby, join(lobby):
        await party(lobby).replace(other.get_update())
    assert file.text == "quite another\n"
    async with opened(store) as lobby, join(lobby) as ada:
        assert str(ada.text) == "quite another\n"


async def test_who_has_a_file_open_that_goes_is_told(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        file.edit(None)
        with pytest.raises(ConnectionClosed, match="no longer there"):
            await shows(ada, "never")
    assert file.written == []


async def test_a_file_that_goes_while_it_is_edited_is_written_anew(file: File, store: MemoryStore) -> None:
    async with opened(store) as lobby, join(lobby) as ada:
        await ada.insert(0, "unsaved\n")
        file.edit(None)
    assert file.text == "unsaved\none\ntwo\nthree\n"


async def test_a_file_that_cannot_be_read_is_said_once_and_tried_again(
    file: File, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with opened(store) as lobby, join(lobby) as ada:
        file.failure = OSError("the disk is away")
        looked = file.looked
        while file.looked < looked + 5:
            await file.look.wait()
        assert caplog.text.count("the disk is away") == 1
        file.failure = None
        file.edit("back\n")
        await shows(ada, "back\n")


async def test_an_empty_file_is_an_empty_document(file: File, store: MemoryStore) -> None:
    file.edit("")
    async with opened(store) as lobby, join(lobby) as ada:
        assert str(ada.text) == ""
        await ada.insert(0, "x")
        file.edit("y")
        await party(lobby).on_save()
    assert sorted(file.text or "") == ["x", "y"]
    file.edit("")
    async with opened(store) as lobby, join(lobby) as ada:
        assert str(ada.text) == ""
