"""Topics, on the wire of partysub's client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from partyroom import Connection, Lobby, Request
from partyroom.errors import ConnectionClosed
from partyroom.local import LocalSocket
from partyroom.readymade import PubSub
from partyroom.testing import ManualClock, fetch, visit

PATH = "/parties/pub-sub/news"


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby(PubSub) as lobby:
        yield lobby


async def publish(socket: LocalSocket, topic: str, data: Any) -> None:
    await socket.send(json.dumps({"topic": topic, "data": data}))


async def heard(socket: LocalSocket) -> Any:
    return json.loads(await socket.receive())


@pytest.mark.parametrize(
    ("topics", "gets"),
    [
        (None, ["a", "a:b", "a:b:c", "ab", "b"]),
        ("*", ["a", "a:b", "a:b:c", "ab", "b"]),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a:*", ["a", "a:b", "a:b:c"]),
        ("a:b:*,a:*,a:b", ["a", "a:b", "a:b:c"]),
        ("", []),
    ],
)
async def test_a_client_gets_each_message_of_its_topics_once(lobby: Lobby, topics: str | None, gets: list[str]) -> None:
    query = "" if topics is None else f"?topics={topics}"
    async with visit(lobby, PATH + query) as reader, visit(lobby, PATH) as writer:
        for topic in ("a", "a:b", "a:b:c", "ab", "b"):
            await publish(writer, topic, {"from": topic})
        await reader.send(json.dumps({"__topics": ["end"]}))
        await publish(writer, "end", None)
        got = []
        while (message := await heard(reader))["topic"] != "end":
            got.append(message)
    assert got == [{"topic": topic, "data": {"from": topic}} for topic in gets]


async def test_subscribing_anew_replaces_what_was_subscribed(lobby: Lobby) -> None:
    async with visit(lobby, PATH + "?topics=a") as reader:
        await reader.send(json.dumps({"__topics": ["b", "b"]}))
        assert (await fetch(lobby, PATH)).body == b'{"b":1}'
    assert (await fetch(lobby, PATH)).body == b"{}"


async def test_publishing_over_http(lobby: Lobby) -> None:
    async with visit(lobby, PATH + "?topics=a") as reader:
        assert (await fetch(lobby, PATH, "POST", body=b'{"topic": "a", "data": 0}')).text() == "OK"
        assert await heard(reader) == {"topic": "a", "data": 0}
    for body in (b"", b"[]", b'{"topic": "a"}', b'{"topic": "", "data": 1}', b'{"topic": "a:*", "data": 1}'):
        assert (await fetch(lobby, PATH, "POST", body=body)).status == 400
    assert (await fetch(lobby, PATH, "PUT")).status == 405


@pytest.mark.parametrize("message", ["no json", "3", '{"topic": 1, "data": 1}', '{"__topics": "a"}', b"\x00"])
async def test_what_is_no_message_of_topics_costs_its_sender(lobby: Lobby, message: str | bytes) -> None:
    async with visit(lobby, PATH) as other:
        async with visit(lobby, PATH) as one:
            await one.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await one.receive()
            assert closed.value.code == 1008
        await publish(other, "a", 1)
        assert await heard(other) == {"topic": "a", "data": 1}


async def test_more_topics_than_a_connection_holds_are_refused(lobby: Lobby) -> None:
    async with visit(lobby, PATH) as one:
        await one.send(json.dumps({"__topics": [f"topic {number}" for number in range(1000)]}))
        with pytest.raises(ConnectionClosed, match="use a pattern"):
            await one.receive()


async def test_subscriptions_outlive_a_sleeping_room() -> None:
    clock = ManualClock()
    async with Lobby(PubSub, clock=clock) as lobby, visit(lobby, PATH + "?topics=a") as reader:
        await clock.advance(60)
        (room,) = lobby.rooms()
        assert room.life.phase.value == "asleep"
        await fetch(lobby, PATH, "POST", body=b'{"topic": "a", "data": 1}')
        assert await heard(reader) == {"topic": "a", "data": 1}


async def test_a_subclass_says_who_may_publish_and_subscribe() -> None:
    class Careful(PubSub):
        async def on_may_publish(self, topic: str, who: Connection | Request) -> bool:
            return topic == "open"

        def on_may_subscribe(self, topic: str, connection: Connection) -> bool:
            return topic != "secret"

    async with Lobby({"pub-sub": Careful}) as lobby, visit(lobby, PATH + "?topics=open,secret,shut") as reader:
        assert (await fetch(lobby, PATH)).body == b'{"open":1,"shut":1}'
        assert (await fetch(lobby, PATH, "POST", body=b'{"topic": "shut", "data": 1}')).status == 403
        await publish(reader, "shut", 1)
        await publish(reader, "open", 2)
        assert await heard(reader) == {"topic": "open", "data": 2}
