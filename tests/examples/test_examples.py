"""The examples do what they say, each in a lobby of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partyroom import Lobby, MemoryStore, Refused, SQLiteStore
from partyroom.errors import ConnectionClosed
from partyroom.local import LocalSocket
from partyroom.testing import ManualClock, fetch, visit

from . import counter, cursors, guestbook, limited, noughts, polls, private, streaming, wasm


async def heard(socket: LocalSocket) -> Any:
    return json.loads(await socket.receive())


async def test_a_poll_counts_one_vote_a_visitor() -> None:
    async with Lobby(polls.Poll) as lobby:
        assert (await fetch(lobby, "/parties/poll/lunch")).status == 404
        made = await fetch(
            lobby, "/parties/poll/lunch", "POST", body=b'{"title": "Lunch?", "options": ["rice", "soup"]}'
        )
        assert json.loads(made.body) == {"title": "Lunch?", "votes": {"rice": 0, "soup": 0}}
        async with (
            visit(lobby, "/parties/poll/lunch?_pk=ada") as ada,
            visit(lobby, "/parties/poll/lunch?_pk=bob") as bob,
        ):
            await heard(ada), await heard(bob)
            for socket, vote in ((ada, "rice"), (bob, "soup"), (ada, "soup"), (bob, "nothing")):
                await socket.send(vote)
            assert [(await heard(bob))["votes"] for _ in range(3)] == [
                {"rice": 1, "soup": 0}, {"rice": 1, "soup": 1}, {"rice": 0, "soup": 2}
            ]  # fmt: skip


async def test_cursors_move_and_newcomers_see_them_also_after_a_sleep() -> None:
    clock = ManualClock()
    async with Lobby(cursors.Cursors, clock=clock) as lobby, visit(lobby, "/parties/cursors/a?_pk=ada") as ada:
        assert await heard(ada) == {"type": "all", "cursors": {}}
        await ada.send('{"x": 1, "y": 2}')
        await clock.advance(60)
        async with visit(lobby, "/parties/cursors/a?_pk=bob") as bob:
            assert await heard(bob) == {"type": "all", "cursors": {"ada": {"x": 1, "y": 2}}}
            await bob.send('{"x": 3, "y": 4}')
            assert await heard(ada) == {"type": "move", "id": "bob", "x": 3, "y": 4}
        assert await heard(ada) == {"type": "gone", "id": "bob"}


async def test_a_game_is_played_in_turns_and_outlives_the_server(tmp_path: Path) -> None:
    file = tmp_path / "game.db"
    async with (
        Lobby(noughts.Noughts, store=SQLiteStore(file)) as lobby,
        visit(lobby, "/parties/noughts/x?_pk=a") as a,
        visit(lobby, "/parties/noughts/x?_pk=b") as b,
    ):
        await heard(a), await heard(b)
        assert (await heard(a))["turn"] == "a"
        for player, square in ((a, 0), (b, 3), (a, 1), (b, 4)):
            await player.send(str(square))
            await heard(a)
            await heard(b)
        await b.send("5")
        assert "error" in await heard(b)
    async with (
        Lobby(noughts.Noughts, store=SQLiteStore(file)) as lobby,
        visit(lobby, "/parties/noughts/x?_pk=a") as a,
    ):
        assert (await heard(a))["board"] == ["a", "a", None, "b", "b", None, None, None, None]
        await a.send("2")
        assert (await heard(a))["winner"] == "a"
        await a.send("8")
        assert "error" in await heard(a)


async def test_the_hall_knows_how_full_the_tables_are() -> None:
    async with (
        Lobby({"table": counter.Table, "hall": counter.Hall}) as lobby,
        visit(lobby, "/parties/hall/main") as hall,
    ):
        assert await heard(hall) == {}
        async with visit(lobby, "/parties/table/one"), visit(lobby, "/parties/table/two"):
            assert await heard(hall) == {"one": 1}
            assert await heard(hall) == {"one": 1, "two": 1}
        assert (await fetch(lobby, "/parties/hall/main", "POST", body=b'["one", 99]')).status == 403
        while await heard(hall) != {}:
            pass


async def test_who_sends_too_much_is_slowed_and_then_shown_the_door() -> None:
    clock = ManualClock()
    async with Lobby(limited.Limited, clock=clock) as lobby, visit(lobby, "/parties/limited/a") as one:
        for number in range(4):
            await one.send(str(number))
        assert [await one.receive() for _ in range(4)] == ["0", "1", "2", '{"error":"slow down"}']
        await clock.advance(1)
        await one.send("again")
        assert await one.receive() == "again"
        for _ in range(6):
            await one.send("more")
        assert [await heard(one) for _ in range(5)] == [{"error": "slow down"}] * 5
        with pytest.raises(ConnectionClosed, match="too many") as closed:
            await one.receive()
        assert closed.value.code == 4429


async def test_an_answer_comes_piece_by_piece_to_all_and_is_remembered() -> None:
    store = MemoryStore()
    async with Lobby(streaming.Assistant, store=store) as lobby:
        async with visit(lobby, "/parties/assistant/a") as ada, visit(lobby, "/parties/assistant/a") as bob:
            await heard(ada), await heard(bob)
            await ada.send("why?")
            for socket in (ada, bob):
                assert await heard(socket) == {"type": "question", "text": "why?"}
                pieces = ""
                while (said := await heard(socket))["type"] == "piece":
                    pieces += said["text"]
                assert (pieces, said) == ("You asked: why? ", {"type": "end"})
        async with visit(lobby, "/parties/assistant/a") as carol:
            assert (await heard(carol))["said"][-1] == {"who": "assistant", "text": "You asked: why? "}


async def test_a_webassembly_module_computes_within_its_bounds() -> None:
    async with Lobby(wasm.Sandbox) as lobby, visit(lobby, "/parties/sandbox/a") as one:
        await one.send("20")
        assert await heard(one) == {"fib": 6765}
        await one.send("40")
        assert await heard(one) == {"error": "that takes too long"}
        await one.send("10")
        assert await heard(one) == {"fib": 55}


async def test_a_guestbook_is_kept_in_sql_and_nothing_unescaped_reaches_it(tmp_path: Path) -> None:
    name = "Robert'); DROP TABLE entries; --"
    async with Lobby(guestbook.Guestbook, store=SQLiteStore(tmp_path / "book.db")) as lobby:
        body = json.dumps({"name": name, "line": "hello"}).encode()
        await fetch(lobby, "/parties/guestbook/a", "POST", body=body)
    async with Lobby(guestbook.Guestbook, store=SQLiteStore(tmp_path / "book.db")) as lobby:
        assert json.loads((await fetch(lobby, "/parties/guestbook/a")).body) == [{"name": name, "line": "hello"}]
        assert json.loads((await fetch(lobby, "/parties/guestbook/a?name=nobody")).body) == []


async def test_members_come_in_with_a_token() -> None:
    signed = private.token.sign({"sub": "ada", "rooms": ["club"]}, seconds=60)
    async with Lobby(private.Members) as lobby:
        async with visit(lobby, f"/parties/members/club?token={signed}") as ada:
            assert await ada.receive() == "ada has come"
        with pytest.raises(Refused, match="401"):
            async with visit(lobby, "/parties/members/club"):
                pass
