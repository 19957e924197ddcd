"""``on_save``: when it is called, and what becomes of it when it fails."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pycrdt import Text

from partyroom import DocumentParty, Lobby
from partyroom.documents import saving
from partyroom.testing import settle
from tests.unit.documents.client import join


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAVE_AFTER", "SAVE_WITHIN", "FIRST_PAUSE"):
        monkeypatch.setattr(saving, name, 0.0)


class Elsewhere(DocumentParty):
    """Keeps its text in a list; fails as often as it is told to."""

    saved: list[str]
    failures = 0
    tried = 0

    async def on_save(self) -> None:
        type(self).tried += 1
        if self.failures:
            type(self).failures -= 1
            raise RuntimeError("elsewhere does not answer")
        self.saved.append(str(self.doc.get("body", type=Text)))


@pytest.fixture
def party() -> type[Elsewhere]:
    class Fresh(Elsewhere):
        saved: list[str] = []  # noqa: RUF012 - the class is this test's own

    return Fresh


async def test_a_save_that_fails_is_tried_again_until_it_works(
    party: type[Elsewhere], caplog: pytest.LogCaptureFixture
) -> None:
    party.failures = 2
    async with Lobby({"notes": party}) as lobby, join(lobby) as ada:
        with caplog.at_level(logging.ERROR):
            await ada.insert(0, "text")
            await settle()
        assert (party.saved, party.tried) == (["text"], 3)
        assert [record.message for record in caplog.records] == [
            f"notes/today: on_save failed ({number} of 6)" for number in (1, 2)
        ]
    assert party.tried == 3, "what is saved is not saved again at the end"


async def test_one_that_goes_on_failing_is_tried_with_the_next_edit_and_at_the_end(party: type[Elsewhere]) -> None:
    party.failures = 100
    async with Lobby({"notes": party}) as lobby, join(lobby) as ada:
        await ada.insert(0, "a")
        await settle()
        assert party.tried == saving.TRIES
        await ada.insert(1, "b")
        await settle()
        assert party.tried == 2 * saving.TRIES
        party.failures = 0
    assert party.saved == ["ab"]


async def test_edits_during_a_save_are_saved_by_another(party: type[Elsewhere]) -> None:
    go = asyncio.Event()

    class Slow(party):  # type: ignore[misc, valid-type]
        async def on_save(self) -> None:
            await super().on_save()
            await go.wait()

    async with Lobby({"notes": Slow}) as lobby, join(lobby) as ada:
        await ada.insert(0, "a")
        await settle()
        await ada.insert(1, "b")
        await settle()
        assert party.saved == ["a"]
        go.set()
        await settle()
        assert party.saved == ["a", "ab"]


async def test_an_edit_while_the_room_stops_is_saved_at_its_end(party: type[Elsewhere]) -> None:
    class Farewell(party):  # type: ignore[misc, valid-type]
        def on_close(self, *arguments: object) -> None:
            super().on_close(*arguments)
            self.doc.get("body", type=Text).insert(0, "bye ")

    lobby = Lobby({"notes": Farewell})
    async with join(lobby) as ada:
        await ada.insert(0, "ada")
        await settle()
        await lobby.close()
    assert party.saved[-1] == "bye ada"
