"""What users test their rooms with does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from partyroom import Connection, Lobby, Party, Refused, Request, Response
from partyroom.testing import ManualClock, fetch, settle, visit


class Chat(Party):
    """Lets only friends in, and repeats what they say."""

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        return None if request.headers.get("x-friend") or request.user else Response("not you", 403)

    def on_connect(self, connection: Connection) -> None:
        connection.send(str(connection.request.user))

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.room.broadcast(message)

    def on_request(self, request: Request) -> Response:
        return Response(request.method.encode() + request.body)


class TestVisit:
    async def test_is_admitted_as_a_gateway_admits(self) -> None:
        async with Lobby({"chat": Chat}) as lobby:
            path, friend = "/parties/chat/x", {"X-Friend": "1"}
            async with visit(lobby, path, user="ada") as ada, visit(lobby, path, headers=friend) as bob:
                await bob.send("hello")
                assert [await ada.receive(), await ada.receive()] == ["ada", "hello"]
            assert lobby.connected == 0

    async def test_a_refusal_has_its_status_and_reason(self) -> None:
        async with Lobby({"chat": Chat}) as lobby:
            with pytest.raises(Refused, match="403: not you"):
                await visit(lobby, "/parties/chat/x").__aenter__()


class TestFetch:
    async def test_asks_as_a_client_asks(self) -> None:
        async with Lobby({"chat": Chat}, cors=True) as lobby:
            response = await fetch(lobby, "/parties/chat/x", "POST", body=b" it")
            assert response.body == b"POST it"
            assert response.headers["access-control-allow-origin"] == "*"


def step(loop: asyncio.AbstractEventLoop, left: int, end: Callable[[], object]) -> None:
    """Call ``end`` in ``left`` turns of the event loop."""
    if left:
        loop.call_soon(step, loop, left - 1, end)
    else:
        end()


class TestSettle:
    async def test_what_is_ready_runs_and_what_that_makes_ready(self) -> None:
        loop, ended = asyncio.get_running_loop(), list[int]()
        step(loop, 40, lambda: ended.append(40))
        loop.call_later(0, step, loop, 20, lambda: ended.append(20))
        await settle()
        assert ended == [20, 40]

    async def test_what_never_ends_has_its_turns(self) -> None:
        loop, ended = asyncio.get_running_loop(), list[int]()
        step(loop, 9, lambda: ended.append(9))
        step(loop, 11, lambda: ended.append(11))
        await settle(10)
        assert ended == [9]

    async def test_a_loop_that_does_not_show_what_is_ready_has_all_its_turns(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Bare:
            """As uvloop's is."""

        loop, ended = asyncio.get_running_loop(), list[int]()
        step(loop, 40, lambda: ended.append(40))
        monkeypatch.setattr("partyroom.testing.asyncio.get_running_loop", Bare)
        await settle()
        assert ended == [40]


class TestManualClock:
    async def test_stands_still_until_it_is_moved(self) -> None:
        clock = ManualClock(now=100.0)
        rung: list[float] = []
        clock.call_later(5, lambda: rung.append(clock.now()))
        clock.call_later(2, lambda: rung.append(clock.now()))
        assert clock.now() == 100.0
        await clock.advance(4)
        assert rung == [102.0]
        assert clock.now() == 104.0
        await clock.advance(4)
        assert rung == [102.0, 105.0]

    async def test_calls_what_is_asked_for_on_the_way(self) -> None:
        clock, rung = ManualClock(now=0.0), list[float]()

        def ring() -> None:
            rung.append(clock.now())
            if len(rung) < 5:
                clock.call_later(1, ring)

        clock.call_later(1, ring)
        await clock.advance(10)
        assert rung == [1, 2, 3, 4, 5]

    async def test_a_cancelled_call_is_not_made(self) -> None:
        clock = ManualClock()
        timer = clock.call_later(1, lambda: 1 / 0)
        timer.cancel()
        await clock.advance(2)

    async def test_what_is_past_is_called_at_once_in_the_order_asked_for(self) -> None:
        clock, rung = ManualClock(), list[str]()
        clock.call_later(-5, lambda: rung.append("a"))
        clock.call_later(0, lambda: rung.append("b"))
        await clock.advance(0)
        assert rung == ["a", "b"]
