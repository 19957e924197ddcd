"""HocuspocusParty: several documents on one socket, without a network. Real pycrdt documents are the clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import Connection, DocumentParty, HocuspocusParty, Limits, Lobby, MemoryStore, Party, Request, Response
from partyroom.errors import RoomStopped
from partyroom.http import Address
from partyroom.local import LocalSocket
from partyroom.protocols import hocuspocus, yjs
from partyroom.protocols.lib0 import Encoder
from partyroom.stores.base import Batch
from partyroom.testing import ManualClock, settle, visit

HUB = "/parties/hub/any"


class Notes(DocumentParty):
    """Documents for those with a token; what a token begins with says what it allows."""

    limits = Limits(connections_per_room=3)

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        token = request.query.get("token", "")
        return None if token.startswith(("write", "read", "blind")) else Response("who are you?", 401)

    def can_read(self, connection: Connection) -> bool:
        return not connection.request.query["token"].startswith("blind")

    def can_write(self, connection: Connection) -> bool:
        return connection.request.query["token"].startswith("write")

    def on_custom_message(self, connection: Connection, message: str) -> None:
        self.send_custom_message(connection, f"{message}, {connection.request.query['token']}")


class Hub(HocuspocusParty):
    """The notes, on a socket that carries at most three of them."""

    documents = "notes"
    documents_per_connection = 3


class Provider:
    """One document on a socket: what ``@hocuspocus/provider`` does, written from the protocol's description."""

    def __init__(self, socket: LocalSocket, address: str) -> None:
        self.socket = socket
        self.prefix = hocuspocus.address(address)
        self.doc: Doc[Any] = Doc()
        self.text = self.doc.get("body", type=Text)
        self.unsynced = 0
        self.received: list[hocuspocus.Message] = []

    async def say(self, message: bytes) -> None:
        await self.socket.send(self.prefix + message)

    async def open(self, token: str = "write") -> None:
        await self.say(hocuspocus.token(token, "4.8.0"))
        await self.sync()

    async def sync(self) -> None:
        self.unsynced = 1
        await self.say(yjs.sync_step1(self.doc.get_state()))

    async def insert(self, text: str) -> None:
        before = self.doc.get_state()
        self.text.insert(0, text)
        self.unsynced += 1
        await self.say(yjs.update(self.doc.get_update(before)))

    async def present(self, state: str, clock: int = 1) -> None:
        line = Encoder().varuint(1).varuint(self.doc.client_id % 2**32).varuint(clock).string(state)
        await self.say(yjs.awareness(bytes(line)))

    async def hear(self, said: hocuspocus.Message) -> None:
        self.received.append(said)
        match said:
            case yjs.SyncStep1(state):
                await self.say(yjs.sync_step2(self.doc.get_update(state)))
            case yjs.SyncStep2(update) | yjs.Update(update):
                self.doc.apply_update(update)
            case hocuspocus.SyncStatus(True):
                self.unsynced = max(0, self.unsynced - 1)

    def got(self, kind: type) -> list[Any]:
        return [said for said in self.received if isinstance(said, kind)]


class House(Lobby):
    """A lobby with the notes and a hub for them, whose clock the tests move."""

    def __init__(self, hub: type[HocuspocusParty] = Hub, notes: type[Party] = Notes, **more: Any) -> None:
        self.clock = ManualClock()
        super().__init__({"notes": notes, "hub": hub}, clock=self.clock, **more)


class Browser:
    """One socket with its providers."""

    def __init__(self, socket: LocalSocket, clock: ManualClock) -> None:
        self.socket = socket
        self.clock = clock
        self.providers: dict[str, Provider] = {}

    def __getitem__(self, address: str) -> Provider:
        return self.providers.setdefault(address, Provider(self.socket, address))

    async def opened(self, address: str, token: str = "write") -> Provider:
        await self[address].open(token)
        await self.read()
        return self[address]

    async def read(self) -> None:
        """Take in everything that has arrived, and what comes of it."""
        await self.clock.advance(1)
        while self.socket.transport.messages:
            data = self.socket.transport.take()
            assert isinstance(data, bytes)
            address, said = hocuspocus.parse(data)
            await self[address].hear(said)
            await self.clock.advance(1)


@asynccontextmanager
async def browse(lobby: House, url: str = HUB) -> AsyncIterator[Browser]:
    async with visit(lobby, url) as socket:
        yield Browser(socket, lobby.clock)


@pytest.fixture
async def lobby() -> AsyncIterator[House]:
    async with House() as lobby:
        yield lobby


async def people(lobby: House, document: str) -> int:
    room = await lobby.room(Address("notes", document))
    return len(room.connections())


async def test_two_clients_edit_two_documents_on_a_socket_each(lobby: House) -> None:
    async with browse(lobby) as ada, browse(lobby) as bob:
        for browser in ada, bob:
            for name in "one", "two":
                await browser.opened(name)
        await ada["one"].insert("first")
        await bob["two"].insert("second")
        for browser in ada, bob:
            await browser.read()
            assert (str(browser["one"].text), str(browser["two"].text)) == ("first", "second")


async def test_a_client_is_told_first_that_it_may_then_what_there_is(lobby: House) -> None:
    async with browse(lobby) as ada:
        await (await ada.opened("one")).insert("here before")
        async with browse(lobby) as bob:
            one = await bob.opened("one")
            assert one.received[0] == hocuspocus.Authenticated(True)
            assert str(one.text) == "here before"
            assert one.unsynced == 0


async def test_y_websocket_clients_meet_in_the_same_document(lobby: House) -> None:
    async with visit(lobby, "/parties/notes/one?token=write") as other, browse(lobby) as ada:
        one = await ada.opened("one")
        await one.insert("hello")
        await one.present('{"name":"ada"}')
        await settle()
        said = [yjs.parse(message) for message in other.transport.messages if isinstance(message, bytes)]
        assert any(isinstance(message, yjs.Update) for message in said)
        (shown,) = (message.update for message in said if isinstance(message, yjs.Awareness))
        assert b'{"name":"ada"}' in shown
        await ada.read()
        assert one.got(yjs.Awareness) == [yjs.Awareness(shown)]  # its own comes back: a silent socket looks dead to it


async def test_who_leaves_is_gone_at_once_in_all_its_documents(lobby: House) -> None:
    async with browse(lobby) as ada:
        async with browse(lobby) as bob:
            for name in "one", "two":
                await ada.opened(name)
                await (await bob.opened(name)).present('{"name":"bob"}')
            assert await people(lobby, "one") == await people(lobby, "two") == 2
        await ada.read()
        for name in "one", "two":
            assert [b'{"name":"bob"}' in said.update for said in ada[name].got(yjs.Awareness)] == [True, False]
            assert await people(lobby, name) == 1


async def test_sessions_of_one_document_on_one_socket_are_two_clients(lobby: House) -> None:
    async with browse(lobby) as ada:
        left, right = await ada.opened("one\0left"), await ada.opened("one\0right")
        await left.insert("from the left")
        await ada.read()
        assert str(right.text) == "from the left"
        assert await people(lobby, "one") == 2


class TestSaved:
    """Promise 9: the client's count of unsynced changes comes to nothing when all of them are on disk."""

    class Held(MemoryStore):
        """A store whose disk waits for a word."""

        def __init__(self) -> None:
            super().__init__()
            self.free = asyncio.Event()

        async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
            await self.free.wait()
            await super().apply(address, batch, fence=fence)

    async def test_an_edit_counts_as_synced_when_it_is_on_disk(self) -> None:
        store = self.Held()
        async with House(store=store) as lobby, browse(lobby) as ada:
            one = await ada.opened("one")
            assert one.unsynced == 0
            await one.insert("precious")
            await one.insert("more ")
            await ada.read()
            assert one.unsynced == 2
            store.free.set()
            await ada.read()
            assert one.unsynced == 0

    async def test_what_was_written_before_it_came_counts_once(self) -> None:
        store = self.Held()
        async with House(store=store) as lobby, browse(lobby) as ada:
            ada["one"].text.insert(0, "written offline")
            one = await ada.opened("one")
            assert one.unsynced == 1
            store.free.set()
            await ada.read()
            assert one.unsynced == 0
            assert len(one.got(hocuspocus.SyncStatus)) == 1

    async def test_syncing_again_waits_for_all_that_was_sent_before(self) -> None:
        store = self.Held()
        async with House(store=store) as lobby, browse(lobby) as ada:
            one = await ada.opened("one")
            await one.insert("precious")
            await one.sync()
            await ada.read()
            assert one.unsynced == 1
            before = len(one.got(hocuspocus.SyncStatus))
            store.free.set()
            await ada.read()
            assert one.unsynced == 0
            assert len(one.got(hocuspocus.SyncStatus)) == before + 1

    async def test_what_came_before_the_token_comes_again_and_counts_once(self, lobby: House) -> None:
        """A provider whose token takes a while sends edits meanwhile, and starts its count anew with the handshake."""
        async with browse(lobby) as ada:
            await ada["one"].insert("too early")
            one = await ada.opened("one")
            assert one.unsynced == 0
            assert len(one.got(hocuspocus.SyncStatus)) == 1
            async with browse(lobby) as bob:
                assert str((await bob.opened("one")).text) == "too early"

    async def test_an_edit_that_does_not_count_is_never_said_to_be_saved(self, lobby: House) -> None:
        async with browse(lobby) as ada, browse(lobby) as bob:
            one = await ada.opened("one", "read")
            assert one.received[0] == hocuspocus.Authenticated(False)
            assert one.unsynced == 0
            await one.insert("not allowed")
            await ada.read()
            assert one.unsynced == 1
            assert one.got(hocuspocus.SyncStatus)[-1] == hocuspocus.SyncStatus(False)
            assert str((await bob.opened("one")).text) == ""


class TestTokens:
    async def test_a_refusal_costs_one_document_and_may_be_mended(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            one = await ada.opened("one")
            two = await ada.opened("two", "stranger")
            assert two.received == [hocuspocus.PermissionDenied("who are you?")]
            await one.insert("still here")
            await two.open("write me in")
            await ada.read()
            assert (one.unsynced, two.unsynced) == (0, 0)
            assert two.received[1] == hocuspocus.Authenticated(True)

    async def test_who_may_not_read_is_refused(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            assert (await ada.opened("one", "blind")).received == [
                hocuspocus.PermissionDenied("you may not read this document")
            ]
            assert await people(lobby, "one") == 0

    async def test_without_a_token_the_one_in_the_sockets_url_counts(self, lobby: House) -> None:
        async with browse(lobby, HUB + "?token=read&x=1") as ada:
            assert (await ada.opened("one", "")).received[0] == hocuspocus.Authenticated(False)
            assert (await ada.opened("two", "write")).received[0] == hocuspocus.Authenticated(True)

    async def test_a_new_token_decides_anew(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            one = await ada.opened("one", "read")
            await one.say(hocuspocus.token("write", "4.8.0"))
            await ada.read()
            assert one.received[-1] == hocuspocus.Authenticated(True)
            await one.insert("now I may")
            await ada.read()
            assert one.unsynced == 0
            assert await people(lobby, "one") == 1

    async def test_a_new_token_counts_for_nobody_where_room_and_server_are_full(self, lobby: House) -> None:
        async with browse(lobby) as ada, browse(lobby) as bob, browse(lobby) as eve:
            for client in ada, bob, eve:
                await client.opened("one", "read")
            lobby.limits = replace(lobby.limits, connections=lobby.connected)
            await ada["one"].say(hocuspocus.token("write", "4.8.0"))
            await ada.read()
            assert ada["one"].received[-1] == hocuspocus.Authenticated(True)
            assert await people(lobby, "one") == 3

    @pytest.mark.parametrize(
        ("token", "reason"), [("expired", "who are you?"), ("blind", "you may not read this document")]
    )
    async def test_a_new_token_that_is_refused_closes_the_document(self, lobby: House, token: str, reason: str) -> None:
        async with browse(lobby) as ada:
            one, two = await ada.opened("one"), await ada.opened("two")
            await one.say(hocuspocus.token(token, "4.8.0"))
            await ada.read()
            assert one.received[-1] == hocuspocus.Close(reason)
            assert await people(lobby, "one") == 0
            await two.insert("still here")
            await ada.read()
            assert two.unsynced == 0

    async def test_the_server_may_ask_for_the_token(self) -> None:
        class Asking(Hub):
            def ask(self) -> None:
                for connection in self.room.connections():
                    self.request_token(connection, "one")

        async with House(Asking) as lobby, browse(lobby) as ada:
            one, session, two = [await ada.opened(address) for address in ("one", "one\0session", "two")]
            hub = (await lobby.room(Address("hub", "any"))).life.party
            assert isinstance(hub, Asking)
            hub.ask()
            await ada.read()
            assert one.received[-1] == session.received[-1] == hocuspocus.TokenRequest()
            assert not two.got(hocuspocus.TokenRequest)

    async def test_a_hub_may_decide_itself(self) -> None:
        class Own(Hub):
            async def on_authenticate(
                self, connection: Connection, document: str, token: str
            ) -> Request | Response | None:
                if document == "secret":
                    return Response("not that one", 403)
                return Request.build(f"/?token=write,{document},{token}")

        async with House(Own) as lobby, browse(lobby) as ada:
            assert (await ada.opened("secret", "abc")).received == [hocuspocus.PermissionDenied("not that one")]
            one = await ada.opened("one", "abc")
            await one.say(hocuspocus.stateless("who am I?"))
            await ada.read()
            assert one.received[-1] == hocuspocus.Stateless("who am I?, write,one,abc")


class TestStateless:
    async def test_messages_reach_the_documents_room_and_its_answers_the_client(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            one = await ada.opened("one")
            for text in "hello ü", "__YPS:hello", "y-pk-batch#{}", "":
                await one.say(hocuspocus.stateless(text))
                await ada.read()
                assert one.received[-1] == hocuspocus.Stateless(text + ", write")

    async def test_one_that_comes_before_the_token_waits_for_it(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            await ada["one"].say(hocuspocus.stateless("first"))
            await ada["two"].say(hocuspocus.stateless("never"))
            await ada["one"].say(hocuspocus.stateless("second"))
            one = await ada.opened("one")
            assert one.got(hocuspocus.Stateless) == [
                hocuspocus.Stateless("first, write"),
                hocuspocus.Stateless("second, write"),
            ]

    @pytest.mark.parametrize(("count", "size"), [(101, 1), (2, 40_000)])
    async def test_no_more_wait_than_the_bounds_allow(self, lobby: House, count: int, size: int) -> None:
        async with browse(lobby) as ada:
            for number in range(count):
                await ada[f"{number}"].say(hocuspocus.stateless("x" * size))
            assert ada.socket.transport.ended is not None
            assert ada.socket.transport.ended.code == 1008


class TestEnds:
    async def test_a_client_may_close_one_document_and_open_it_again(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            one, two = await ada.opened("one"), await ada.opened("two")
            await one.say(hocuspocus.close())
            assert await people(lobby, "one") == 0
            await one.insert("to nobody")
            await two.insert("two lives")
            await ada.read()
            assert two.unsynced == 0
            await one.open()
            await ada.read()
            assert one.unsynced == 0
            assert await people(lobby, "one") == 1
            assert not one.got(hocuspocus.Close)

    @pytest.mark.parametrize(("code", "reason"), [(4403, "out"), (1008, "enough"), (1011, "the server failed")])
    async def test_a_room_that_closes_a_client_closes_that_document(self, lobby: House, code: int, reason: str) -> None:
        async with browse(lobby) as ada:
            one, two = await ada.opened("one"), await ada.opened("two")
            for connection in (await lobby.room(Address("notes", "one"))).connections():
                connection.close(code, reason)
            await ada.read()
            assert one.received[-1] == hocuspocus.Close(reason)
            await two.insert("still here")
            await ada.read()
            assert two.unsynced == 0

    async def test_a_room_that_starts_again_has_the_client_connect_again(self, lobby: House) -> None:
        """Providers connect again when their socket ends, and not when a document is closed."""
        async with browse(lobby) as ada:
            await ada.opened("one")
            await (await lobby.room(Address("notes", "one"))).stop(1012, "the room starts again")
            await settle()
            assert ada.socket.transport.ended is not None
            assert ada.socket.transport.ended.code == 1012
            assert ada.socket.transport.ended.reason == "the room starts again"

    async def test_a_client_that_is_too_slow_is_cut_from_its_document_and_connects_again(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            await ada.opened("one")
            (visitor,) = (await lobby.room(Address("notes", "one"))).connections()
            visitor.abort("too slow")
            await settle()
            assert ada.socket.transport.ended is not None
            assert ada.socket.transport.ended.code == 1013

    async def test_a_document_that_is_replaced_is_closed_and_the_old_one_is_not_let_in_again(
        self, lobby: House
    ) -> None:
        async with browse(lobby) as ada:
            one = await ada.opened("one")
            await one.insert("old")
            party = (await lobby.room(Address("notes", "one"))).life.party
            assert isinstance(party, Notes)
            await party.replace(yjs.EMPTY_UPDATE)
            for _ in range(2):
                await ada.read()
                assert one.received[-1] == hocuspocus.Close("this document has been replaced: load it anew")
                await one.open()
            assert await people(lobby, "one") == 0
            assert str(party.doc.get("body", type=Text)) == ""

    async def test_an_update_that_is_no_update_costs_its_document(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            one, two = await ada.opened("one"), await ada.opened("two")
            await one.say(yjs.update(b"\xff\xff\xff"))
            await ada.read()
            assert isinstance(one.received[-1], hocuspocus.Close)
            await two.insert("still here")
            await ada.read()
            assert two.unsynced == 0

    @pytest.mark.parametrize("message", ["text", b"", b"\x05abc", b"\x01a\x05"])
    async def test_bytes_that_are_no_message_cost_the_socket(self, lobby: House, message: str | bytes) -> None:
        async with browse(lobby) as ada:
            await ada.opened("one")
            await ada.socket.send(message)
            assert ada.socket.transport.ended is not None
            assert ada.socket.transport.ended.code == 1002
            await settle()
            assert await people(lobby, "one") == 0

    async def test_a_client_that_leaves_while_its_document_starts_is_not_in_it(self) -> None:
        class Slow(Notes):
            go = asyncio.Event()

            async def on_load(self) -> bytes | None:
                await self.go.wait()
                return None

        async with House(notes=Slow) as lobby:
            async with browse(lobby) as ada:
                opening = asyncio.ensure_future(ada["one"].open())
                await settle()
                assert ada.socket.connection is not None
                ada.socket.connection.abort()
                Slow.go.set()
                await asyncio.gather(opening, return_exceptions=True)
            await settle()
            assert await people(lobby, "one") == 0


class TestBounds:
    async def test_one_document_too_many_is_refused(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            for name in "one", "two", "three":
                assert (await ada.opened(name)).unsynced == 0
            four = await ada.opened("four")
            assert four.received == [hocuspocus.PermissionDenied("too many documents on one connection")]
            await ada["one"].say(hocuspocus.close())
            assert (await ada.opened("four")).unsynced == 0

    @pytest.mark.parametrize("name", ["", "x" * 513])
    async def test_a_name_that_is_no_room_id_is_refused(self, lobby: House, name: str) -> None:
        async with browse(lobby) as ada:
            assert isinstance((await ada.opened(name)).received[0], hocuspocus.PermissionDenied)

    @pytest.mark.parametrize("name", ["a/b", "..", "ü ☃?x=1#y", "%2F"])
    async def test_any_other_name_is_the_room_id_as_it_is(self, lobby: House, name: str) -> None:
        async with browse(lobby) as ada:
            await ada.opened(name)
            assert await people(lobby, name) == 1

    async def test_a_full_document_has_the_client_try_again_later(self, lobby: House) -> None:
        async with browse(lobby) as ada, browse(lobby) as bob:
            for session in "abc":
                await ada.opened(f"one\0{session}")
            await bob["one"].say(hocuspocus.token("write", "4.8.0"))
            assert bob.socket.transport.ended is not None
            assert bob.socket.transport.ended.code == 1013

    async def test_a_hub_without_documents_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        async with Lobby({"hub": Hub}) as lobby:
            with pytest.raises(RoomStopped):
                async with visit(lobby, HUB):
                    pytest.fail("it has nothing to serve")
        assert "there is no party 'notes' here" in caplog.text

    async def test_a_hub_of_what_are_no_documents_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        async with House(notes=Party) as lobby, browse(lobby) as ada:
            await ada["one"].say(hocuspocus.token("write", "4.8.0"))
            assert ada.socket.transport.ended is not None
        assert "documents are the rooms of a DocumentParty" in caplog.text

    async def test_a_ping_is_answered(self, lobby: House) -> None:
        async with browse(lobby) as ada:
            await ada.socket.send(hocuspocus.PING)
            assert ada.socket.transport.take() == hocuspocus.PONG
            await ada.socket.send(hocuspocus.PONG)
            assert ada.socket.transport.ended is None
