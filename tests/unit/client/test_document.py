"""DocumentClient with real rooms and without a network, in both dialects: in step, online and offline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import Connection, MemoryStore, Party
from partyroom.client.document import DocumentClient, DocumentStatus, NotSaved
from partyroom.client.values import Values
from partyroom.errors import ConnectionClosed, HandshakeRefused
from partyroom.protocols import yjs
from partyroom.protocols.lib0 import varuint
from partyroom.testing import settle
from tests.unit.client.inside import Hub, Inside, body, text


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    async with Inside.running() as inside:
        yield inside


@pytest.fixture(params=["yjs", "hocuspocus"])
def dialect(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The option that chooses one."""
    return {"dialect": request.param}


class Talk(Party):
    """No document: it answers whatever it is sent with a text."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send("what?")


class TestInStep:
    async def test_the_log_wonders_once_about_a_party_that_sends_no_document(
        self, inside: Inside, caplog: pytest.LogCaptureFixture
    ) -> None:
        inside.lobby.party_classes["talk"] = Talk
        async with inside.client(party="talk") as client:
            await settle()
            await inside.pass_time()
            assert [record.getMessage() for record in caplog.records] == [
                f"{client.socket.url} sends texts and no document: is its party a DocumentParty?"
            ]

    async def test_edits_go_both_ways_and_come_once(self, inside: Inside, dialect: dict[str, Any]) -> None:
        async with inside.joined(**dialect) as ada, inside.joined(**dialect) as bob:
            body(ada).insert(0, "hello 🎉")
            await settle()
            body(bob).insert(0, "oh, ")
            await settle()
            assert text(ada) == text(bob) == "oh, hello 🎉"

    async def test_what_was_written_before_the_first_sync_is_merged(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(**dialect) as ada:
            body(ada).insert(0, "was there. ")
            await settle()
            doc = Doc[Any]()
            doc.get("body", type=Text).insert(0, "before the client. ")
            bob = inside.client(doc=doc, **dialect)
            body(bob).insert(0, "before it began. ")
            async with bob:
                body(bob).insert(0, "before it was synced. ")
                await bob.synced()
                await settle()
                assert text(ada) == text(bob)
                assert sorted(text(ada).split(". ")[:-1]) == [
                    "before it began",
                    "before it was synced",
                    "before the client",
                    "was there",
                ]

    async def test_edits_made_offline_by_all_are_merged_when_there_is_a_network_again(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(**dialect) as ada, inside.joined(**dialect) as bob:
            body(ada).insert(0, "online. ")
            await settle()
            inside.cut()
            await settle()
            body(ada).insert(0, "ada. ")
            body(bob).insert(0, "bob. ")
            await settle()
            assert (text(ada), text(bob)) == ("ada. online. ", "bob. online. ")
            await inside.mend()
            assert text(ada) == text(bob)
            assert sorted(text(ada).split()) == ["ada.", "bob.", "online."]

    async def test_the_edits_of_one_turn_of_the_loop_are_one_message(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(**dialect) as ada, inside.joined(**dialect) as bob:
            sent = len(inside.wires[0].sent)
            for number in range(100):
                body(ada).insert(0, f"{number} ")
            await settle()
            assert len(inside.wires[0].sent) - sent <= 2  # and the question whether it is stored
            assert text(bob) == text(ada)

    async def test_nothing_waits_in_a_queue_while_there_is_no_connection(self, inside: Inside) -> None:
        async with inside.joined() as ada:
            inside.cut()
            for number in range(50):
                body(ada).insert(0, f"{number} ")
                await settle(3)
            await inside.mend()
            assert len(inside.wires[-1].sent) < 10
            assert str(inside.party.doc.get("body", type=Text)) == text(ada)

    async def test_it_is_told_of_changes_once_a_turn_outside_of_transactions(self, inside: Inside) -> None:
        async with inside.joined() as ada, inside.joined() as bob:
            seen: list[str] = []
            take_away = bob.on_change(lambda: seen.append(text(bob)))
            body(ada).insert(0, "a")
            body(ada).insert(0, "b")
            await settle()
            body(bob).insert(0, "c")
            body(bob).insert(0, "d")
            await settle()
            assert seen == ["ba", "dcba"]
            take_away()
            body(bob).insert(0, "e")
            await settle()
            assert len(seen) == 2

    async def test_text_beside_the_document_reaches_the_servers_program_and_comes_from_it(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(**dialect) as ada, inside.joined(**dialect) as bob:
            heard: list[str] = []
            bob.on_custom_message(heard.append)
            ada.send_custom_message("grüezi")
            await settle()
            assert heard == ["all heard: grüezi"]
            inside.cut()
            await settle()
            with pytest.raises(ConnectionClosed, match="no connection"):
                ada.send_custom_message("hello?")

    async def test_values_read_and_write_it(self, inside: Inside) -> None:
        async with inside.joined() as ada, inside.joined() as bob:
            mine, theirs = Values(ada), Values(bob)
            heard: list[Any] = []
            theirs.map("state").on_change(heard.append)
            mine.map("state")["count"] = 3
            await settle()
            assert dict(theirs.map("state")) == {"count": 3}
            assert len(heard) == 1
            assert heard[0].remote


class TestHowItStands:
    async def test_the_status_tells_of_every_turn(self, inside: Inside, dialect: dict[str, Any]) -> None:
        ada = inside.client(**dialect)
        seen: list[str] = []
        ada.on_status(seen.append)
        assert ada.status is DocumentStatus.CONNECTING
        async with ada:
            await ada.synced()
            inside.cut()
            await settle()
            await inside.mend()
            await ada.synced()
        assert seen == ["syncing", "synced", "offline", "syncing", "synced", "closed"]

    async def test_waiting_for_a_server_that_is_not_there_ends_in_time_and_says_why(self, inside: Inside) -> None:
        inside.down = True
        async with inside.client() as ada:
            waiting = asyncio.create_task(ada.synced(timeout=5))
            await inside.clock.advance(6)
            with pytest.raises(TimeoutError, match=r"notes/a is not synced within 5 s.*the network is down"):
                await waiting

    async def test_a_lost_connection_is_told_with_its_reason(self, inside: Inside) -> None:
        async with inside.joined() as ada:
            assert ada.failure == ""
            inside.down = True
            inside.wires[0].socket.transport.close(1012, "the room starts again")
            await settle()
            assert ada.failure == "the connection has ended (1012: the room starts again)"
            await inside.clock.advance(2)
            assert ada.failure == "the network is down"

    async def test_a_client_that_is_turned_away_says_so_to_whoever_waits(self, inside: Inside) -> None:
        async with inside.client(room="secret") as ada:
            with pytest.raises(ConnectionClosed, match="who are you"):
                await ada.synced()
            body(ada).insert(0, "never sent")
            with pytest.raises(ConnectionClosed):
                await ada.saved()
            assert (ada.status, ada.failure) == (DocumentStatus.CLOSED, "who are you?")

    async def test_hocuspocus_refusal_of_a_document_ends_it_too(self, inside: Inside) -> None:
        async with inside.client(room="secret", dialect="hocuspocus") as ada:
            with pytest.raises(ConnectionClosed, match="who are you") as refused:
                await ada.synced()
            assert refused.value.code == 4403
            assert not isinstance(refused.value, HandshakeRefused)

    async def test_a_token_opens_a_document_and_is_asked_for_at_every_attempt(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        asked = 0

        async def token() -> str:
            nonlocal asked
            asked += 1
            return "let me in"

        async with inside.joined(room="secret", token=token, **dialect) as ada:
            inside.cut()
            await inside.mend()
            await ada.synced()
            assert asked == 2

    async def test_it_wants_to_be_started(self, inside: Inside) -> None:
        with pytest.raises(RuntimeError, match="async with"):
            await inside.client().synced()

    async def test_starting_and_closing_twice_is_fine_and_edits_go_on_without_a_server(self, inside: Inside) -> None:
        ada = inside.client()
        async with ada:
            await ada.start()
            await ada.synced()
        await ada.close()
        body(ada).insert(0, "still mine")
        assert text(ada) == "still mine"

    async def test_one_that_never_began_can_be_closed(self, inside: Inside) -> None:
        ada = inside.client(user={"name": "Ada"})
        await ada.close()
        assert ada.status is DocumentStatus.CLOSED

    def test_an_unknown_dialect_is_refused(self) -> None:
        with pytest.raises(ValueError, match="latin"):
            DocumentClient("localhost", room="a", dialect="latin")  # type: ignore[arg-type]


class TestSaved:
    async def test_it_returns_when_the_server_has_stored_it(self, inside: Inside, dialect: dict[str, Any]) -> None:
        async with inside.joined(**dialect) as ada:
            await ada.saved()  # nothing is to be saved
            body(ada).insert(0, "x")
            assert ada.unsaved
            waiting = asyncio.create_task(ada.saved())
            await settle()
            assert not waiting.done()  # the room's write waits for company
            await inside.clock.advance(1)
            await waiting
            assert [ada.unsaved] == [False]
            rows = await inside.lobby.store.load(inside.party.room.address)
            assert any(key.startswith("document/") for key, _ in rows)

    async def test_what_was_written_offline_is_saved_when_it_has_arrived(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(**dialect) as ada:
            inside.cut()
            body(ada).insert(0, "offline")
            waiting = asyncio.create_task(ada.saved())
            await inside.clock.advance(10)
            assert not waiting.done()
            await inside.mend()
            await waiting

    async def test_many_edits_cost_one_question_at_a_time(self, inside: Inside) -> None:
        async with inside.joined() as ada:
            for number in range(20):
                body(ada).insert(0, f"{number} ")
                await settle(5)
            questions = [m for m in inside.wires[0].sent if isinstance(m, bytes) and m[0] == 102]
            assert len(questions) == 1
            await inside.saved(ada)
            questions = [m for m in inside.wires[0].sent if isinstance(m, bytes) and m[0] == 102]
            assert len(questions) == 2

    async def test_waiting_ends_in_time(self, inside: Inside) -> None:
        async with inside.joined() as ada:
            inside.cut()
            body(ada).insert(0, "x")
            waiting = asyncio.create_task(ada.saved(timeout=3))
            await inside.clock.advance(4)
            with pytest.raises(TimeoutError, match="not saved within 3 s, but offline"):
                await waiting


class TestReadOnly:
    @pytest.fixture
    def reader(self, dialect: dict[str, Any]) -> dict[str, Any]:
        return {**dialect, "token": "read"}

    async def test_it_is_told_and_nothing_of_it_is_ever_saved(self, inside: Inside, reader: dict[str, Any]) -> None:
        async with inside.joined(**reader) as ada:
            assert ada.read_only
            await ada.saved()  # nothing is to be saved
            body(ada).insert(0, "mine alone")
            await settle()
            assert ada.unsaved
            with pytest.raises(NotSaved, match="takes no edits"):
                await ada.saved()
            assert str(inside.party.doc.get("body", type=Text)) == ""

    async def test_the_log_says_so_to_who_edits_without_looking(
        self, inside: Inside, reader: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with inside.joined(**reader) as ada:
            for _ in range(3):
                body(ada).insert(0, "x")
                await settle()
            assert [record.getMessage() for record in caplog.records if "stays here" in record.getMessage()] == [
                f"what is edited of {ada.socket.url} stays here: this client may only read"
            ]

    async def test_it_reads_what_the_others_write(self, inside: Inside, reader: dict[str, Any]) -> None:
        async with inside.joined(**reader) as ada, inside.joined() as bob:
            body(bob).insert(0, "for all")
            await settle()
            assert text(ada) == "for all"

    async def test_what_it_wrote_is_sent_when_it_may_write_after_all(
        self, inside: Inside, reader: dict[str, Any]
    ) -> None:
        async with inside.joined(**reader) as ada, inside.joined() as bob:
            body(ada).insert(0, "patience")
            await settle()
            inside.party.open = True
            inside.cut()
            await inside.mend()
            await inside.saved(ada)
            assert not ada.read_only
            assert text(bob) == "patience"

    async def test_who_loses_the_right_in_between_hears_it_when_it_asks(self, inside: Inside) -> None:
        async with inside.joined(token="read") as bob:
            assert bob.read_only
            inside.party.open = True
            async with inside.joined(token="read") as ada:
                body(ada).insert(0, "taken. ")
                await inside.saved(ada)
                inside.party.open = False
                body(ada).insert(0, "not taken. ")
                await settle()
                with pytest.raises(NotSaved, match="may not write"):
                    await ada.saved()
                assert ada.read_only
                assert text(bob) == "taken. "

    async def test_a_hocuspocus_client_shows_a_new_token_when_it_is_asked_to(self, inside: Inside) -> None:
        tokens = iter(["read", "write"])
        async with inside.joined(dialect="hocuspocus", token=lambda: next(tokens)) as ada:
            body(ada).insert(0, "please")
            await settle()
            assert ada.read_only
            (hub,) = (room for room in inside.lobby.rooms() if room.party == "hub")
            assert isinstance(hub.life.party, Hub)
            (connection,) = hub.connections()
            hub.life.party.request_token(connection, "a")
            await inside.saved(ada)
            assert str(inside.party.doc.get("body", type=Text)) == "please"


class TestHistory:
    async def test_a_replaced_document_takes_the_place_of_ours_and_is_never_doubled(self, inside: Inside) -> None:
        async with inside.joined() as ada:
            body(ada).insert(0, "old ")
            await inside.saved(ada)
            known = ada.lineage
            olds: list[str] = []
            ada.on_reset(lambda old: olds.append(str(old.get("body", type=Text))))
            ids = {ada.client_id}
            await inside.party.replace(_document("new "))
            await settle()
            assert (text(ada), olds) == ("new ", ["old "])
            assert ada.lineage not in (known, "")
            assert ada.client_id not in ids
            body(ada).insert(0, "and ")
            await inside.saved(ada)
            assert str(inside.party.doc.get("body", type=Text)) == "and new "

    async def test_one_that_was_away_meanwhile_begins_anew_and_can_rescue_what_it_wrote(self, inside: Inside) -> None:
        async with inside.joined() as ada, inside.joined() as bob:
            body(bob).insert(0, "old ")
            await inside.saved(bob)
            olds: list[str] = []
            replaced: list[str] = []
            ada.on_reset(lambda old: olds.append(str(old.get("body", type=Text))))
            ada.on_replace(lambda old: replaced.append("first"))
            inside.cut()
            await settle()
            body(ada).insert(0, "written offline, ")
            waiting = asyncio.create_task(ada.saved())
            replacing = asyncio.create_task(inside.party.replace(_document("new ")))
            await inside.mend()
            await replacing
            with pytest.raises(NotSaved, match="replaced"):
                await waiting
            assert (olds, replaced) == (["written offline, old "], ["first"])
            assert text(ada) == text(bob) == "new "
            body(ada).insert(0, olds[0].split("old ")[0])
            await inside.saved(ada)
            assert text(bob) == "written offline, new "

    async def test_who_is_shown_to_the_others_stays_so(self, inside: Inside) -> None:
        async with inside.joined(user={"name": "Ada"}) as ada, inside.joined() as bob:
            body(ada).insert(0, "old ")
            await inside.saved(ada)
            before = ada.client_id
            await inside.party.replace(_document("new "))
            await settle()
            assert ada.client_id != before
            assert bob.others == {ada.client_id: {"user": {"name": "Ada"}}}

    async def test_a_document_that_gets_its_first_lineage_is_not_reset(self, inside: Inside) -> None:
        async with inside.joined() as ada, inside.joined() as bob:
            resets: list[Doc[Any]] = []
            ada.on_reset(resets.append)
            assert ada.lineage == ""
            body(bob).insert(0, "the first word")
            await settle()
            assert ada.lineage == bob.lineage == inside.party.lineage != ""
            inside.cut()
            await inside.mend()
            assert (resets, text(ada)) == ([], "the first word")


class TestPresence:
    async def test_it_goes_both_ways_and_ends_with_its_owner(self, inside: Inside, dialect: dict[str, Any]) -> None:
        async with inside.joined(user={"name": "Ada"}, **dialect) as ada:
            changes: list[Any] = []
            ada.on_presence(lambda *change: changes.append(change))
            async with inside.joined(**dialect) as bob:
                assert (bob.others, bob.user) == ({ada.client_id: {"user": {"name": "Ada"}}}, None)
                bob.user = {"name": "Bob"}
                bob.set_presence(cursor=3)
                bob.set_presence(cursor=None, typing=True)
                await settle()
                assert ada.others == {bob.client_id: {"user": {"name": "Bob"}, "typing": True}}
                other = bob.client_id
            await settle()
            assert ada.others == {}
            assert changes == [((other,), (), ()), ((), (other,), ()), ((), (other,), ()), ((), (), (other,))]

    async def test_offline_nobody_else_is_here_and_all_are_back_with_the_network(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(user={"name": "Ada"}, **dialect) as ada, inside.joined(**dialect) as bob:
            bob.user = {"name": "Bob"}
            await settle()
            inside.cut()
            await settle()
            assert (ada.others, bob.others) == ({}, {})
            bob.user = {"name": "Robert"}
            await inside.mend()
            assert ada.others[bob.client_id] == {"user": {"name": "Robert"}}
            assert bob.others[ada.client_id] == {"user": {"name": "Ada"}}

    async def test_idle_clients_stay_and_say_that_they_are_here_for_those_who_forget_the_silent(
        self, inside: Inside, dialect: dict[str, Any]
    ) -> None:
        async with inside.joined(user={"name": "Ada"}, **dialect) as ada, inside.joined(**dialect) as bob:
            said = len(inside.wires[0].sent)
            await inside.clock.advance(300)
            assert bob.others == {ada.client_id: {"user": {"name": "Ada"}}}
            assert len(inside.wires[0].sent) - said == 20

    async def test_what_is_no_json_is_refused_and_not_shown(self, inside: Inside) -> None:
        async with inside.joined(user={"name": "Ada"}) as ada:
            with pytest.raises(ValueError, match="JSON"):
                ada.set_presence(at=float("nan"))
            with pytest.raises(TypeError):
                ada.set_presence(doc=ada.doc)
            assert ada.user == {"name": "Ada"}


class TestWhatServersSend:
    @pytest.mark.parametrize(
        ("garbage", "why"),
        [
            (b"", "ends inside a number"),
            (b"\x00\x02\x05abc", "announced"),
            (yjs.update(b"\x01\x01"), ""),
            (yjs.update(b"\xff" * 20), ""),
            (yjs.awareness(b"\x01\x01"), "announces"),
            (yjs.sync_step1(b"\x07"), ""),
            (b"\x66\x01\xff", "number"),
        ],
        ids=lambda value: value.hex() if isinstance(value, bytes) else "",
    )
    async def test_garbage_costs_the_connection_and_another_mends_it(
        self, inside: Inside, garbage: bytes, why: str
    ) -> None:
        async with inside.joined() as ada, inside.joined() as bob:
            body(ada).insert(0, "unharmed")
            await settle()
            inside.spoil = lambda message: garbage
            body(bob).insert(0, "still ")
            await settle()
            inside.spoil = lambda message: message
            assert (ada.status, ada.failure != "", why in ada.failure) == ("offline", True, True)
            await inside.pass_time()
            assert (ada.status, bob.status) == ("synced", "synced")
            assert text(ada) == text(bob) == "still unharmed"
            assert ada.failure == ""

    async def test_an_engine_that_breaks_costs_the_document_object_and_nothing_in_it(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Panic(BaseException):
            pass

        def fail(update: bytes) -> None:
            raise Panic("called `Option::unwrap()` on a `None` value")

        async with inside.joined() as ada, inside.joined() as bob:
            body(ada).insert(0, "online ")
            await settle()
            old = ada.doc
            olds: list[Doc[Any]] = []
            ada.on_replace(olds.append)
            monkeypatch.setattr(old, "apply_update", fail)
            body(ada).insert(0, "not sent yet ")
            body(bob).insert(0, "and bob ")
            await settle()
            assert olds == [old]
            assert ada.doc is not old
            assert "not sent yet online" in text(ada)
            await inside.pass_time()
            body(ada).insert(0, "goes on ")
            await inside.saved(ada)
            assert text(ada) == text(bob)
            assert sorted(text(ada).split()) == sorted(["goes", "on", "not", "sent", "yet", "and", "bob", "online"])

    @pytest.mark.parametrize("keeps", [True, False])
    async def test_a_document_that_cannot_even_be_read_any_more_comes_from_what_is_kept_and_from_the_server(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch, keeps: bool
    ) -> None:
        class Panic(BaseException):
            pass

        def fail(update: bytes = b"") -> bytes:
            raise Panic("broken")

        store = MemoryStore() if keeps else None
        async with inside.joined(keep=store) as ada, inside.joined() as bob:
            body(ada).insert(0, "sent ")
            await settle()
            monkeypatch.setattr(inside.wires[0].socket, "send", _swallow)
            body(ada).insert(0, "never sent ")
            await settle()
            monkeypatch.setattr(ada.doc, "apply_update", fail)
            monkeypatch.setattr(ada.doc, "get_update", fail)
            body(bob).insert(0, "bob ")
            await inside.pass_time()
            assert text(ada) == text(bob)
            assert sorted(text(ada).split()) == (["bob", "never", "sent", "sent"] if keeps else ["bob", "sent"])
            body(ada).insert(0, "goes on ")
            await inside.saved(ada)
            assert text(ada) == text(bob)

    async def test_an_emoji_cut_in_half_by_another_is_a_new_document_object_with_the_same_content(
        self, inside: Inside
    ) -> None:
        async with inside.joined() as ada:
            body(ada).insert(0, "a🎉b")
            await inside.saved(ada)
            replaced: list[Doc[Any]] = []
            ada.on_replace(replaced.append)
            client = ada.doc.client_id
            # What Yjs sends when somebody inserts between the two halves of it: an item whose origins are clocks 1, 2.
            halves = varuint(client)
            cut = b"\x01\x01\x07\x00\xc4" + halves + b"\x01" + halves + b"\x02" + b"\x01x\x00"
            await inside.party.merge(cut)
            await settle()
            assert len(replaced) == 1
            body(ada).insert(0, "still in step ")
            await inside.saved(ada)
            assert text(ada) == str(inside.party.doc.get("body", type=Text))


async def _swallow(message: str | bytes) -> None:
    """The network takes it, and that was that."""


def _document(content: str) -> bytes:
    """A document of somebody else's making."""
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, content)
    return doc.get_update()
