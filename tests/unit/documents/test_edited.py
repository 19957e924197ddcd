"""``on_edit``: when it is called, what it may do, and what becomes of it when it fails."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pycrdt import Text

from partyroom import DocumentParty, Lobby
from partyroom.testing import settle
from tests.unit.documents.client import join
from tests.unit.documents.test_lineage import document, party_of


class Watched(DocumentParty):
    """Notes what its text is each time, and ends a text that begins with "!"."""

    seen: list[str]

    def on_edit(self) -> None:
        text = self.doc.get("body", type=Text)
        self.seen.append(str(text))
        if str(text) == "fail":
            raise RuntimeError("no such word")
        if str(text).startswith("!") and not str(text).endswith("!"):
            text.insert(len(text), "!")


@pytest.fixture
def party() -> type[Watched]:
    class Fresh(Watched):
        seen: list[str] = []  # noqa: RUF012 - the class is this test's own

    return Fresh


async def test_it_sees_what_clients_and_server_code_edit_once_for_all_of_a_moment(party: type[Watched]) -> None:
    async with Lobby({"notes": party}) as lobby, join(lobby) as ada:
        await settle()
        assert party.seen == []
        await ada.insert(0, "a")
        await settle()
        text = party_of(lobby).doc.get("body", type=Text)
        text.insert(1, "b")
        text.insert(2, "c")
        await settle()
        assert party.seen == ["a", "abc"]
        await party_of(lobby).replace(document("new"))
        await settle()
        assert party.seen == ["a", "abc", "new"]
    assert party.seen == ["a", "abc", "new"], "all has been told"


async def test_what_it_edits_all_receive_and_it_sees_that_too(party: type[Watched]) -> None:
    async with Lobby({"notes": party}) as lobby, join(lobby) as ada:
        await ada.insert(0, "!so")
        await ada.read()
        assert str(ada.text) == "!so!"
        assert party.seen == ["!so", "!so!"]


async def test_one_that_fails_is_logged_and_called_again_with_the_next_edit(
    party: type[Watched], caplog: pytest.LogCaptureFixture
) -> None:
    async with Lobby({"notes": party}) as lobby, join(lobby) as ada:
        with caplog.at_level(logging.ERROR):
            await ada.insert(0, "fail")
            await settle()
        assert [record.message for record in caplog.records] == ["notes/today: on_edit failed"]
        await ada.insert(4, "ed")
        await settle()
        assert party.seen == ["fail", "failed"]
        assert ada.socket.transport.ended is None


async def test_one_that_edits_each_time_holds_nobody_up() -> None:
    class Restless(DocumentParty):
        calls = 0
        often = asyncio.Event()

        def on_edit(self) -> None:
            type(self).calls += 1
            self.doc.get("count", type=Text).insert(0, ".")
            if self.calls == 5:
                self.often.set()

    async with Lobby({"notes": Restless}) as lobby, join(lobby) as ada:
        await ada.insert(0, "x")
        async with asyncio.timeout(5):
            await Restless.often.wait()
            async with join(lobby) as bob:
                assert str(bob.text) == "x"


async def test_one_that_is_cut_off_by_the_end_of_the_room_is_called_once_more() -> None:
    class Slow(DocumentParty):
        calls = 0
        done = 0

        async def on_edit(self) -> None:
            type(self).calls += 1
            if self.calls == 1:
                await asyncio.Event().wait()
            type(self).done += 1

    async with Lobby({"notes": Slow}) as lobby, join(lobby) as ada:
        await ada.insert(0, "x")
        await settle()
        assert (Slow.calls, Slow.done) == (1, 0)
    assert (Slow.calls, Slow.done) == (2, 1)
