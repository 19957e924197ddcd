"""A lobby finds the room that a request asks for, as partyserver's router does, and says no when it must."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any, ClassVar

import pytest

from partyroom import Connection, Limits, Lobby, Party, Refused, Request, Response
from partyroom import room as room_module
from partyroom.errors import StoreError
from partyroom.http import Address, Headers, Query
from partyroom.lobby import Admission
from partyroom.local import LocalSocket
from partyroom.parties import party_name
from partyroom.stores.base import Batch
from partyroom.stores.memory import MemoryStore
from partyroom.testing import ManualClock, fetch, settle, visit


class Where(Party):
    """Tells which room a request has reached."""

    def on_request(self, request: Request) -> Response:
        return Response.json([self.room.party, self.room.id, request.party, request.room, request.subpath])

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send_json([self.room.party, self.room.id, connection.request.subpath])


class Other(Where):
    """Another party."""


async def status(lobby: Lobby, url: str, **headers: str) -> int:
    """101, or the status of the refusal of a WebSocket."""
    admitted = await lobby.admit(Request.build(url, headers=headers))
    return 101 if isinstance(admitted, Admission) else admitted.status


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"chat": Where, "other": Other}, limits=Limits(close=0)) as lobby:
        yield lobby


class TestRouting:
    @pytest.mark.parametrize(
        ("path", "party", "room", "subpath"),
        [
            ("/parties/chat/lobby", "chat", "lobby", ""),
            ("/parties/other/lobby/", "other", "lobby", ""),
            ("/parties/chat/lobby/and/more", "chat", "lobby", "and/more"),
            ("http://localhost//parties//chat//a%2Fb", "chat", "a/b", ""),
            ("/parties/chat/%F0%9F%8E%89", "chat", "🎉", ""),
            ("/parties/chat/../..", "chat", "..", ".."),
            ("/parties/chat/lobby?x=/parties/other/x", "chat", "lobby", ""),
        ],
    )
    async def test_http_and_websockets_reach_the_same_room(
        self, lobby: Lobby, path: str, party: str, room: str, subpath: str
    ) -> None:
        response = await fetch(lobby, path)
        assert response.body == Response.json([party, room, party, room, subpath]).body
        async with visit(lobby, path) as socket:
            await socket.send("where am I?")
            assert await socket.receive() == Response.json([party, room, subpath]).body.decode()
        assert len(list(lobby.rooms())) == 1

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/", 404),
            ("/parties", 404),
            ("/parties/chat", 404),
            ("/parties/nobody/lobby", 404),
            ("/parties/Chat/lobby", 404),
            ("/party/lobby", 404),
            ("/parties/chat/%FF", 400),
            ("/parties/%FF/lobby", 400),
            ("/parties/chat/" + "x" * 513, 400),
            ("/parties/chat/" + "%E2%98%83" * 171, 400),
        ],
    )
    async def test_what_is_no_room_is_refused_both_ways(self, lobby: Lobby, path: str, expected: int) -> None:
        assert await status(lobby, path) == expected
        assert (await fetch(lobby, path)).status == expected
        assert list(lobby.rooms()) == []

    async def test_the_longest_room_id_is_measured_in_bytes(self, lobby: Lobby) -> None:
        assert await status(lobby, "/parties/chat/" + "x" * 512) == 101
        assert await status(lobby, "/parties/chat/" + "%E2%98%83" * 170) == 101

    async def test_another_servers_paths_lead_to_rooms_where_they_are_rewritten(self) -> None:
        def rewrite(request: Request) -> Request | None:
            if request.path == "/bad":
                raise Refused(418, "no")
            if request.path == "/broken":
                raise RuntimeError("oh")
            if not request.path.startswith("/doc/"):
                return None
            return request.replace(path="/parties/chat/" + request.path.removeprefix("/doc/"))

        async with Lobby({"chat": Where}, rewrite=rewrite) as lobby:
            assert (await fetch(lobby, "/doc/a%2Fb/c")).body == b'["chat","a/b","chat","a/b","c"]'
            async with visit(lobby, "/doc/a%2Fb") as socket:
                await socket.send("where am I?")
                assert await socket.receive() == '["chat","a/b",""]'
            assert (await fetch(lobby, "/parties/chat/x")).status == 200
            for path, expected in ("/bad", 418), ("/broken", 500), ("/else", 404), ("/doc/", 404):
                assert (await fetch(lobby, path)).status == expected
                assert await status(lobby, path) == expected

    async def test_a_single_class_is_also_main(self) -> None:
        async with Lobby(Where) as lobby:
            assert (await fetch(lobby, "/parties/where/x")).body == b'["where","x","where","x",""]'
            assert (await fetch(lobby, "/parties/main/x")).body == b'["where","x","where","x",""]'
            assert (await fetch(lobby, "/party/x/y")).body == b'["where","x","where","x","y"]'
            assert len(list(lobby.rooms())) == 1, "by any name it is one room"

    async def test_a_party_called_main_is_main(self) -> None:
        async with Lobby({"other": Other, "main": Where}) as lobby:
            assert (await fetch(lobby, "/party/x")).body == b'["main","x","main","x",""]'

    async def test_a_module_serves_what_it_defines_and_not_what_it_imports(self) -> None:
        module = ModuleType("games")
        chess = type("ChessGame", (Where,), {"__module__": "games"})
        poker = type("Poker", (chess,), {"__module__": "games"})
        vars(module).update(Party=Party, Where=Where, ChessGame=chess, Poker=poker, helper=print, Limits=Limits)
        lobby = Lobby(module)
        assert lobby.party_classes == {"chess-game": chess, "poker": poker}
        async with lobby:
            assert (await fetch(lobby, "/party/x")).body == b'["chess-game","x","chess-game","x",""]'

    @pytest.mark.parametrize(
        ("parties", "error"),
        [({}, ValueError), (ModuleType("empty"), ValueError), ({"x": int}, TypeError), ({"a/b": Where}, ValueError),
         ({"": Where}, ValueError)],
    )  # fmt: skip
    async def test_what_cannot_be_served_is_an_error_at_once(self, parties: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            Lobby(parties)

    @pytest.mark.parametrize(
        ("name", "kebab"),
        [  # what partyserver's camelCaseToKebabCase makes of them
            ("Chat", "chat"),
            ("ChatRoom", "chat-room"),
            ("chatRoom", "chat-room"),
            ("CHAT_ROOM", "chat-room"),
            ("HTTPServer", "h-t-t-p-server"),
            ("Chat_", "chat"),
            ("_Chat", "--chat"),
            ("Chat_Room", "chat--room"),
            ("Room2", "room2"),
            ("Y2K", "y2k"),
            ("A_", "a-"),
            ("X", "x"),
        ],
    )
    def test_a_class_name_becomes_the_kebab_that_partyserver_makes(self, name: str, kebab: str) -> None:
        assert party_name(name) == kebab


class TestBeforeHooks:
    async def test_may_refuse_replace_or_go_on(self) -> None:
        class Guarded(Where):
            @classmethod
            async def on_before_request(cls, request: Request) -> Request | Response | None:
                match request.query.get("do"):
                    case "refuse":
                        return Response("no", 418)
                    case "replace":
                        return request.replace(subpath="replaced", room="ignored")
                return None

            @classmethod
            def on_before_connect(cls, request: Request) -> Request | Response | None:
                return request.replace(user="ada", subpath="replaced")

            def on_connect(self, connection: Connection) -> None:
                connection.send(str(connection.request.user))

        async with Lobby({"chat": Guarded}) as lobby:
            assert (await fetch(lobby, "/parties/chat/x?do=refuse")).status == 418
            assert list(lobby.rooms()) == []
            assert (await fetch(lobby, "/parties/chat/x")).body == b'["chat","x","chat","x",""]'
            replaced = await fetch(lobby, "/parties/chat/x?do=replace")
            assert replaced.body == b'["chat","x","chat","ignored","replaced"]', (
                "the room is the one that was asked for"
            )
            async with visit(lobby, "/parties/chat/x") as socket:
                assert await socket.receive() == "ada"

    async def test_a_request_made_anew_is_for_the_same_room(self) -> None:
        class Renewing(Where):
            @classmethod
            def on_before_request(cls, request: Request) -> Request:
                return Request.build(request.query["as"], "POST", body=b"made anew")

            def on_request(self, request: Request) -> Response:
                return Response.json([request.room, request.subpath, request.text(), request.env["key"]])

        async with Lobby({"chat": Renewing}, env={"key": 7}) as lobby:
            for url, subpath in (("/parties/chat/other/more", "more"), ("/", "rest")):
                answer = await fetch(lobby, f"/parties/chat/x/rest?as={url}")
                assert answer.body == Response.json(["x", subpath, "made anew", 7]).body

    async def test_see_the_room_the_env_and_the_other_parties(self) -> None:
        class Seeing(Where):
            @classmethod
            async def on_before_request(cls, request: Request) -> Response:
                other = await request.parties["other"]["y"].fetch("z")
                return Response.json([request.party, request.room, request.env["key"], other.body.decode()])

        async with Lobby({"chat": Seeing, "other": Other}, env={"key": "value"}) as lobby:
            response = await fetch(lobby, "/parties/chat/x")
        assert response.body == b'["chat","x","value","[\\"other\\",\\"y\\",\\"other\\",\\"y\\",\\"z\\"]"]'

    @pytest.mark.parametrize("answer", [RuntimeError("secret"), 42, "no"])
    async def test_one_that_fails_is_a_500_and_no_room(self, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(Where):
            @classmethod
            def on_before_connect(cls, request: Request) -> Any:
                if isinstance(answer, Exception):
                    raise answer
                return answer

            on_before_request = on_before_connect

        async with Lobby({"chat": Broken}) as lobby:
            with caplog.at_level(logging.ERROR):
                assert await status(lobby, "/parties/chat/x") == 500
                assert (await fetch(lobby, "/parties/chat/x")).body == b"Internal server error\n"
            assert list(lobby.rooms()) == []
        assert ["on_before_connect failed" in caplog.records[0].message, len(caplog.records)] == [True, 2]

    async def test_on_fetch_answers_what_addresses_no_room(self) -> None:
        class Front(Where):
            @classmethod
            async def on_fetch(cls, request: Request) -> Response | None:
                return Response(f"front {request.env['key']}") if request.path == "/front" else None

        def pages(request: Request) -> Response | None:
            return Response("page") if request.path == "/page" else None

        async with Lobby({"chat": Front, "other": Other}, env={"key": 1}, pages=pages) as lobby:
            assert (await fetch(lobby, "/front")).body == b"front 1"
            assert (await fetch(lobby, "/page")).body == b"page"
            assert (await fetch(lobby, "/nothing")).status == 404


class TestCors:
    """As partyserver's ``routePartykitRequest`` has it."""

    ALL: ClassVar = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, PATCH, HEAD, OPTIONS",
        "access-control-allow-headers": "*",
        "access-control-max-age": "86400",
    }

    class Answering(Where):
        @classmethod
        def on_before_request(cls, request: Request) -> Response | None:
            return Response("no", 401) if request.query.get("refuse") else None

        @classmethod
        def on_before_connect(cls, request: Request) -> Response:
            return Response("no", 401)

        @classmethod
        def on_fetch(cls, request: Request) -> Response:
            return Response("outside")

        def on_request(self, request: Request) -> Response:
            return Response(
                request.method, headers={"Access-Control-Allow-Origin": "https://own.example", "X-Own": "1"}
            )

    def cors(self, response: Response) -> dict[str, str]:
        return {name: value for name, value in response.headers.pairs() if name.startswith("access-control-")}

    async def test_off_leaves_everything_to_the_room(self) -> None:
        async with Lobby({"chat": self.Answering}) as lobby:
            response = await fetch(lobby, "/parties/chat/x", "OPTIONS")
            assert response.body == b"OPTIONS"
            assert self.cors(response) == {"access-control-allow-origin": "https://own.example"}

    async def test_on_answers_preflights_without_asking_anyone(self) -> None:
        async with Lobby({"chat": self.Answering}, cors=True) as lobby:
            response = await fetch(lobby, "/parties/chat/x?refuse=1", "OPTIONS")
            assert (response.status, response.body, self.cors(response)) == (200, b"", self.ALL)
            assert list(lobby.rooms()) == []

    async def test_on_sets_its_headers_on_every_answer_of_a_room_and_of_its_before_hook(self) -> None:
        async with Lobby({"chat": self.Answering}, cors=True) as lobby:
            response = await fetch(lobby, "/parties/chat/x")
            assert self.cors(response) == self.ALL, "set, not added beside the room's own"
            assert response.headers["x-own"] == "1"
            refused = await fetch(lobby, "/parties/chat/x?refuse=1")
            assert (refused.status, self.cors(refused)) == (401, self.ALL)

    async def test_on_leaves_websockets_and_what_is_outside_rooms_alone(self) -> None:
        async with Lobby({"chat": self.Answering}, cors=True) as lobby:
            refused = await lobby.admit(Request.build("/parties/chat/x"))
            assert isinstance(refused, Response)
            assert self.cors(refused) == {}
            assert self.cors(await fetch(lobby, "/outside")) == {}

    async def test_headers_of_ones_own_replace_the_usual_ones(self) -> None:
        own = {"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "true"}
        async with Lobby({"chat": self.Answering}, cors=own) as lobby:
            for method in ("GET", "OPTIONS"):
                response = await fetch(lobby, "/parties/chat/x", method)
                assert self.cors(response) == {name.lower(): value for name, value in own.items()}


class TestRefusing:
    async def test_origins(self) -> None:
        async with Lobby({"chat": Where}, origins=["https://*.example.com"]) as lobby:
            for origin, expected in (
                ("http://localhost", 101),
                ("https://app.example.com", 101),
                ("https://evil.example", 403),
                ("http://[", 403),
                ("null", 403),
            ):
                assert await status(lobby, "/parties/chat/x", Origin=origin) == expected, origin

    async def test_an_origin_is_shown_back_harmlessly(self) -> None:
        async with Lobby({"chat": Where}) as lobby:
            response = await lobby.admit(Request.build("/parties/chat/x", headers={"Origin": "\udcff\r\nX: y"}))
        assert isinstance(response, Response)
        assert b"\r" not in response.body

    async def test_the_log_says_once_why_a_websocket_was_refused_since_no_page_hears_of_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with Lobby({"chat": Where, ".partyroom": Other}) as lobby:
            for _ in range(2):
                await status(lobby, "/parties/chat/x?token=secret", Origin="http://localhost:5173")
                await status(lobby, "/parties/chta/x")
        assert [record.getMessage() for record in caplog.records] == [
            "WebSocket '/parties/chat/x' refused with 403: Origin 'http://localhost:5173' is not allowed here "
            "(partyroom serve --origin, or Lobby(origins=...))",
            "WebSocket '/parties/chta/x' refused with 404: Not found: there is no such party here (served here: chat)",
        ]

    async def test_what_a_before_hook_answers_is_told_on_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        class Closed(Where):
            @classmethod
            def on_before_connect(cls, request: Request) -> Response:
                return Response("who are\nyou?", 401)

        async with Lobby({"chat": Closed}) as lobby:
            await status(lobby, "/parties/chat/x")
        assert [record.getMessage() for record in caplog.records] == [
            "WebSocket '/parties/chat/x' refused with 401: 'who are\\nyou?'"
        ]

    async def test_visitors_cannot_fill_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        async with Lobby({"chat": Where}) as lobby:
            for number in range(200):
                await status(lobby, "/parties/chat/x", Origin=f"http://{number}.example")
        assert len(caplog.records) == 100

    async def test_other_origins_may_fetch(self) -> None:
        """It is the browser that keeps the answer from the page; CORS says whether it should."""
        async with Lobby({"chat": Where}) as lobby:
            response = await fetch(lobby, "/parties/chat/x", headers={"Origin": "https://evil.example"})
        assert response.status == 200

    async def test_hosts(self) -> None:
        async with Lobby({"chat": Where}, hosts=["localhost", "127.0.0.1", "::1"]) as lobby:
            for url, expected in (
                ("http://localhost:1999/parties/chat/x", 101),
                ("http://127.0.0.1/parties/chat/x", 101),
                ("http://[::1]:1999/parties/chat/x", 101),
                ("http://rebound.example:1999/parties/chat/x", 403),
                ("http://localhost.evil.example/parties/chat/x", 403),
            ):
                assert await status(lobby, url) == expected, url
                assert (await fetch(lobby, url)).status == (200 if expected == 101 else 403)

    async def test_a_connection_id_that_is_too_long(self, lobby: Lobby) -> None:
        assert await status(lobby, "/parties/chat/x?_pk=" + "x" * 256) == 101
        assert await status(lobby, "/parties/chat/x?_pk=" + "x" * 257) == 400

    async def test_the_caps_on_connections_and_rooms(self) -> None:
        limits = Limits(connections=3, connections_per_room=2, rooms=2, close=0)
        async with Lobby({"chat": Where}, limits=limits) as lobby:
            async with visit(lobby, "/parties/chat/a"), visit(lobby, "/parties/chat/a"):
                assert await status(lobby, "/parties/chat/a") == 503
                async with visit(lobby, "/parties/chat/b"):
                    assert await status(lobby, "/parties/chat/b") == 503
                assert await status(lobby, "/parties/chat/c") == 503
                assert (await fetch(lobby, "/parties/chat/c")).status == 503
            assert await status(lobby, "/parties/chat/a") == 101
            assert lobby.connected == 0

    async def test_those_who_wait_for_on_start_count_too(self) -> None:
        class Slow(Where):
            go = asyncio.Event()

            async def on_start(self) -> None:
                await self.go.wait()

        async with Lobby({"chat": Slow}, limits=Limits(connections_per_room=2, connections=3, close=0)) as lobby:
            rooms = ["a", "a", "b"]
            waiting = [asyncio.ensure_future(_stay(lobby, f"/parties/chat/{room}")) for room in rooms]
            await settle()
            assert await status(lobby, "/parties/chat/a") == 503
            assert await status(lobby, "/parties/chat/c") == 503
            waiting[0].cancel()
            await settle()
            assert await status(lobby, "/parties/chat/c") == 101
            for one in waiting:
                one.cancel()
            await settle()
            assert lobby.connected == 0

    async def test_a_slow_before_hook(self) -> None:
        class Slow(Where):
            @classmethod
            async def on_before_connect(cls, request: Request) -> None:
                await asyncio.Event().wait()

        async with Lobby({"chat": Slow}, limits=Limits(handshake=0.01)) as lobby:
            assert await status(lobby, "/parties/chat/x") == 503

    async def test_a_store_that_fails_is_a_503_and_tried_again_at_the_next_visit(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Flaky(MemoryStore):
            failures = 2

            async def alarms(self, *, limit: int = 1000) -> list[tuple[Address, float]]:
                self.failures -= 1
                if self.failures >= 0:
                    raise StoreError("locked")
                return await super().alarms(limit=limit)

        lobby = Lobby({"chat": Where}, store=Flaky())
        assert await status(lobby, "/parties/chat/x") == 503
        assert (await fetch(lobby, "/parties/chat/x")).status == 503
        assert await status(lobby, "/parties/chat/x") == 101
        await lobby.close()


async def _stay(lobby: Lobby, url: str) -> None:
    async with visit(lobby, url):
        await asyncio.Event().wait()


class TestRooms:
    async def test_all_who_ask_for_an_address_get_one_room(self, lobby: Lobby) -> None:
        rooms = await asyncio.gather(*(lobby.room(Address("chat", "x")) for _ in range(10)))
        assert len(set(rooms)) == 1
        assert await lobby.room(Address("other", "x")) is not rooms[0]

    async def test_a_room_that_stops_is_waited_for_before_the_next_one_starts(self) -> None:
        log: list[str] = []

        class Slow(Where):
            go = asyncio.Event()

            def on_start(self) -> None:
                log.append("start")

            async def on_stop(self) -> None:
                log.append("stopping")
                await self.go.wait()
                log.append("stopped")

        async with Lobby({"chat": Slow}) as lobby:
            await fetch(lobby, "/parties/chat/x")
            (room,) = lobby.rooms()
            stopping = asyncio.ensure_future(room.stop())
            await settle()
            asking = asyncio.ensure_future(fetch(lobby, "/parties/chat/x"))
            await settle()
            assert log == ["start", "stopping"]
            Slow.go.set()
            assert (await asking).status == 200
            await stopping
            assert log == ["start", "stopping", "stopped", "start"]

    async def test_an_address_that_cannot_be_is_refused(self, lobby: Lobby) -> None:
        for address in (Address("nobody", "x"), Address("chat", ""), Address("chat", "\ud800")):
            with pytest.raises(Refused):
                await lobby.room(address)

    async def test_a_party_that_is_not_durable_forgets_with_its_room(self) -> None:
        class Forgetful(Where):
            durable = False

        clock, store = ManualClock(), MemoryStore()
        async with Lobby({"chat": Forgetful}, store=store, clock=clock) as lobby:
            room = await lobby.room(Address("chat", "x"))
            await room.storage.put("key", 1)
            assert await room.storage.get("key") == 1
            assert await store.rooms() == []
            await clock.advance(20)
            assert await (await lobby.room(Address("chat", "x"))).storage.get("key") is None

    async def test_an_alarm_of_a_party_that_is_served_no_more_is_dropped(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock, store = ManualClock(), MemoryStore()
        await store.apply(Address("gone", "x"), Batch(alarm=clock.now()))
        async with Lobby({"chat": Where}, store=store, clock=clock):
            with caplog.at_level(logging.ERROR):
                await clock.advance(1)
            assert await store.alarms() == []
        assert "no such party" in caplog.records[0].message

    async def test_a_room_whose_writes_are_fenced_off_tells_its_clients_to_come_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = MemoryStore()
        async with Lobby({"chat": Where}, store=store) as lobby, visit(lobby, "/parties/chat/x") as socket:
            await store.apply(Address("chat", "x"), Batch(puts={"a": b"j1"}), fence=7)
            (room,) = lobby.rooms()
            room.storage.put("a", 2)
            await socket.transport.changed.wait()
            while socket.transport.ended is None:
                await settle()
            assert socket.transport.ended.code == 1012
            await settle()
            assert list(lobby.rooms()) == []
            assert await store.get(Address("chat", "x"), ["a"]) == {"a": b"j1"}

    async def test_a_room_that_is_being_placed_when_the_lobby_closes_is_not_made(self) -> None:
        class Slow:
            go = asyncio.Event()

            async def claim(self, address: Address) -> int:
                await self.go.wait()
                return 0

            async def release(self, address: Address) -> None:
                pass

        placement = Slow()
        lobby = Lobby({"chat": Where}, placement=placement)
        asking = asyncio.ensure_future(fetch(lobby, "/parties/chat/x"))
        await settle()
        await lobby.close()
        placement.go.set()
        assert (await asking).status == 503
        assert list(lobby.rooms()) == []


class TestRoomsThatVisitRooms:
    class Visitor(Where):
        async def on_request(self, request: Request) -> Response:  # type: ignore[override]
            other = self.room.parties["other"]["a/b ☃"]
            response: Response = await other.fetch(request.query["path"], "POST", body=b"hi", user="ada")
            return response

    class Host(Where):
        @classmethod
        def on_before_request(cls, request: Request) -> Response:
            return Response("not from outside", 403)

        on_before_connect = on_before_request

        def on_request(self, request: Request) -> Response:
            return Response.json(
                [
                    request.method,
                    request.path,
                    request.party,
                    request.room,
                    request.subpath,
                    request.user,
                    request.text(),
                ]
            )

        def on_message(self, connection: Connection, message: str | bytes) -> None:
            connection.send_json([connection.id, message])

    @pytest.mark.parametrize(
        ("path", "raw", "subpath"),
        [("", "", ""), ("x/y", "/x/y", "x/y"), ("/x%20y?q=1", "/x%20y", "x y"), ("?q=1", "", "")],
    )
    async def test_fetch_goes_past_the_before_hooks_and_looks_like_any_request(
        self, path: str, raw: str, subpath: str
    ) -> None:
        async with Lobby({"chat": self.Visitor, "other": self.Host}) as lobby:
            assert (await fetch(lobby, "/parties/other/x")).status == 403
            request = Request.build("/parties/chat/x").replace(query={"path": path})
            response = await lobby.fetch(request)
            own = "/parties/other/a%2Fb%20%E2%98%83"
            expected = ["POST", own + raw, "other", "a/b ☃", subpath, "ada", "hi"]
            assert response.body == Response.json(expected).body

    async def test_a_socket_speaks_to_the_other_room(self) -> None:
        async with Lobby({"chat": self.Visitor, "other": self.Host}) as lobby:
            socket = await lobby.parties["other"]["x"].socket("?_pk=me")
            await socket.send("hello")
            assert await socket.receive() == '["me","hello"]'
            await socket.close()

    async def test_a_visitor_from_outside_is_asked_as_at_the_gate(self) -> None:
        class Closed(Where):
            limits = Limits(connections_per_room=1)

            @classmethod
            def on_before_connect(cls, request: Request) -> Request | Response:
                if request.query.get("token") != "secret":
                    return Response("who are you?", 401)
                return request.replace(user="ada")

        async with Lobby({"closed": Closed}) as lobby:
            door, stranger = (
                lobby.parties["closed"]["a/b"],
                Request.build("/elsewhere", headers={"host": "example.com"}),
            )
            with pytest.raises(Refused, match="401: who are you"):
                await door.admit(stranger)
            guest = stranger.replace(query=Query({"token": "secret"}))
            room, request = await door.admit(guest)
            assert (request.room, request.user, request.headers["host"]) == ("a/b", "ada", "example.com")
            with pytest.raises(Refused, match="403: Origin"):
                await door.admit(guest.replace(headers=Headers({"origin": "http://evil.example"})))
            async with LocalSocket(room, request):
                with pytest.raises(Refused, match="503"):
                    await door.admit(guest)

    async def test_main_is_the_party_that_it_is_short_for(self) -> None:
        async with Lobby(Where) as lobby:
            assert lobby.parties["main"]["x"].address == ("where", "x")

    async def test_a_party_that_is_not_served_is_a_key_error(self, lobby: Lobby) -> None:
        assert list(lobby.parties) == ["chat", "other"]
        with pytest.raises(KeyError, match="only chat, other"):
            lobby.parties["nobody"]
        with pytest.raises(Refused):
            await lobby.parties["chat"][""].fetch()


class TestWhoIsThere:
    """What party code can see of the other rooms."""

    async def test_the_rooms_in_memory_and_how_many_are_in_them(self) -> None:
        clock = ManualClock()

        class Counter(Where):
            def on_request(self, request: Request) -> Response:
                rooms = {name: self.room.parties[name].rooms() for name in self.room.parties}
                return Response.json(
                    {name: [[one.id, one.connections, one.since] for one in there] for name, there in rooms.items()}
                )

        async with Lobby({"chat": Where, "counter": Counter}, clock=clock) as lobby:
            start = clock.now()
            async with visit(lobby, "/parties/chat/a"), visit(lobby, "/parties/chat/a"):
                await clock.advance(60)
                await fetch(lobby, "/parties/chat/b")
                answer = json.loads((await fetch(lobby, "/parties/counter/all")).body)
                expected = {"chat": [["a", 2, start], ["b", 0, start + 60]], "counter": [["all", 0, start + 60]]}
                assert answer == expected
                await clock.advance(60)
                assert [room.id for room in lobby.parties["chat"].rooms()] == ["a"], "looking keeps no room"

    async def test_the_people_in_a_room_which_is_not_woken(self) -> None:
        class Tagged(Where):
            @classmethod
            def on_before_connect(cls, request: Request) -> Request:
                return request.replace(user={"name": request.query["name"]})

            def tags(self, connection: Connection, request: Request) -> list[str]:
                return ["guest"]

            def on_connect(self, connection: Connection) -> None:
                connection.state = {"at": 1}

        async with Lobby({"chat": Tagged}) as lobby:
            rooms = lobby.parties["chat"]
            async with visit(lobby, "/parties/chat/a?_pk=1&name=Ada"), visit(lobby, "/parties/chat/a?_pk=2&name=Bob"):
                people = rooms["a"].people()
                assert [(one.id, one.tags, one.user["name"]) for one in people] == [
                    ("1", ("1", "guest"), "Ada"),
                    ("2", ("2", "guest"), "Bob"),
                ]
                people[0].state["at"] = 2
                assert rooms["a"].people()[0].state == {"at": 1}, "a copy"
            assert (rooms["a"].people(), rooms["nobody"].people()) == ([], [])
            assert [room.id for room in rooms.rooms()] == ["a"]


class TestCalling:
    """``room.parties[...][...].call``, as partyserver's ``getServerByName(...)`` calls methods."""

    async def test_a_method_runs_in_the_started_room_and_answers(self) -> None:
        class Score(Party):
            async def on_start(self) -> None:
                await asyncio.sleep(0)
                self.points = 10

            async def add(self, more: int, *, times: int = 1) -> int:
                self.points += more * times
                return self.points

            def total(self) -> int:
                return self.points

            def broken(self) -> None:
                raise KeyError("mine")

        async with Lobby({"score": Score}) as lobby:
            score = lobby.parties["score"]["ada"]
            assert await score.call("add", 5, times=2) == 20
            assert await score.call("total") == 20
            with pytest.raises(KeyError, match="mine"):
                await score.call("broken")
            with pytest.raises(AttributeError, match="missing"):
                await score.call("missing")

    async def test_a_room_stays_while_it_runs(self) -> None:
        clock, go = ManualClock(), asyncio.Event()

        class Slow(Party):
            async def wait(self) -> str:
                await go.wait()
                return "done"

        async with Lobby({"slow": Slow}, clock=clock) as lobby:
            waiting = asyncio.ensure_future(lobby.parties["slow"]["x"].call("wait"))
            await clock.advance(60)
            assert len(list(lobby.rooms())) == 1
            go.set()
            assert await waiting == "done"


class TestClosing:
    async def test_twice_at_once_closes_once(self) -> None:
        class Counting(MemoryStore):
            closed = 0

            async def close(self) -> None:
                self.closed += 1
                await super().close()

        store = Counting()
        lobby = Lobby({"chat": Where}, store=store)
        await asyncio.gather(lobby.close(), lobby.close())
        await lobby.close()
        assert store.closed == 1
        assert lobby.closing

    async def test_one_who_stops_waiting_does_not_stop_it(self) -> None:
        class Slow(Where):
            go = asyncio.Event()

            async def on_stop(self) -> None:
                await self.go.wait()

        lobby = Lobby({"chat": Slow})
        await fetch(lobby, "/parties/chat/x")
        impatient = asyncio.ensure_future(lobby.close())
        await settle()
        impatient.cancel()
        await settle()
        Slow.go.set()
        await lobby.close()
        assert list(lobby.rooms()) == []

    async def test_rooms_stop_side_by_side(self) -> None:
        class Meeting(Where):
            barrier: asyncio.Barrier

            async def on_stop(self) -> None:
                await self.barrier.wait()

        Meeting.barrier = asyncio.Barrier(20)
        lobby = Lobby({"chat": Meeting})
        for number in range(20):
            await fetch(lobby, f"/parties/chat/{number}")
        async with asyncio.timeout(5):
            await lobby.close()

    async def test_an_alarm_that_will_not_be_cancelled_does_not_hold_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(room_module, "GRACE", 0.02)

        class Stubborn(Where):
            go = asyncio.Event()

            async def on_alarm(self) -> None:
                while not self.go.is_set():
                    try:
                        await self.go.wait()
                    except asyncio.CancelledError:
                        continue

        clock = ManualClock()
        lobby = Lobby({"chat": Stubborn}, clock=clock, limits=Limits(close=0.02))
        (await lobby.room(Address("chat", "x"))).set_alarm(clock.now())
        await clock.advance(0)
        try:
            async with asyncio.timeout(5):
                await lobby.close()
        finally:
            Stubborn.go.set()
            await settle()
