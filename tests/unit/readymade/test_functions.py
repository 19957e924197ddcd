"""Functions that clients call, in the envelope of partyfn's RPCClient."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from partyroom import Lobby
from partyroom.errors import ConnectionClosed
from partyroom.local import LocalSocket
from partyroom.readymade import CallError, Functions, function
from partyroom.testing import fetch, visit

PATH = "/parties/sums/any"


class Sums(Functions):
    @function
    async def add(self, a: int, b: int = 1) -> int:
        return a + b

    @function
    def refuse(self) -> None:
        raise CallError("not today")

    @function
    def fail(self) -> None:
        raise RuntimeError("a secret")

    def hidden(self) -> str:
        return "not for clients"


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby(Sums) as lobby:
        yield lobby


async def call(socket: LocalSocket, action: Any) -> Any:
    await socket.send(json.dumps({"rpc": True, "channel": "c", "id": "1", "action": action}))
    answer = json.loads(await socket.receive())
    assert (answer["rpc"], answer["channel"], answer["id"]) == (True, "c", "1")
    return answer["result"] if answer["type"] == "success" else answer["error"]


async def test_a_function_is_called_by_position_and_by_name(lobby: Lobby) -> None:
    async with visit(lobby, PATH) as socket:
        assert await call(socket, {"type": "add", "args": [1, 2]}) == 3
        assert await call(socket, {"type": "add", "args": {"a": 1}}) == 2


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({"type": "refuse"}, "not today"),
        ({"type": "add", "args": []}, "missing a required argument: 'a'"),
        ({"type": "add", "args": {"c": 1}}, "missing a required argument"),
        ({"type": "add", "args": "12"}, "args is a list"),
        ({"type": "hidden"}, "no function 'hidden'"),
        ({"type": "on_stop"}, "no function 'on_stop'"),
        ({"type": "__init__"}, "no function"),
        ({"type": "room"}, "no function"),
        ("add", "an action names a function"),
    ],
)
async def test_what_cannot_be_called_says_why_over_both_ways(lobby: Lobby, action: Any, says: str) -> None:
    async with visit(lobby, PATH) as socket:
        (reason,) = await call(socket, action)
    assert says in reason
    response = await fetch(lobby, PATH, "POST", body=json.dumps(action).encode())
    assert response.status == 400
    assert says in response.text()


async def test_why_a_function_failed_is_in_the_log_only(lobby: Lobby, caplog: pytest.LogCaptureFixture) -> None:
    async with visit(lobby, PATH) as socket:
        with caplog.at_level(logging.ERROR):
            assert await call(socket, {"type": "fail"}) == ["the server failed"]
        assert "a secret" in caplog.text
        assert await call(socket, {"type": "add", "args": [1, 2]}) == 3
        response = await fetch(lobby, PATH, "POST", body=b'{"type": "fail"}')
        assert (response.status, "secret" in response.text()) == (500, False)


async def test_over_http_the_result_is_the_answer(lobby: Lobby) -> None:
    response = await fetch(lobby, PATH, "POST", body=b'{"type": "add", "args": [1, 2]}')
    assert (response.status, response.body) == (200, b"3")
    assert (await fetch(lobby, PATH, "POST", body=b"{")).status == 400
    assert (await fetch(lobby, PATH)).status == 405


@pytest.mark.parametrize("message", ["{", "[]", "3", '{"rpc": true, "id": "1", "channel": "c"}', b"\xff",
                                     '{"rpc": false, "id": "1", "channel": "c", "action": {}}'])  # fmt: skip
async def test_what_is_no_call_costs_its_sender(lobby: Lobby, message: str | bytes) -> None:
    async with visit(lobby, PATH) as socket:
        await socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive()
        assert closed.value.code == 1008
