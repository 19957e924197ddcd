"""The ready-made parties on the wire of their npm clients, spoken by the socket that these are made of.

``partysub`` connects a ``PartySocket`` with ``?topics=...``, sends ``{topic, data}``, and ``{__topics}`` to subscribe
anew; ``partyfn`` sends envelopes with an id and waits for the one with the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.server import Server


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", target="ready_parties.py")
    server.start()
    yield server
    if server.running:
        server.stop()


async def say(client: NodeClient, value: Any) -> None:
    await client.call("send", text=json.dumps(value))


async def heard(client: NodeClient) -> Any:
    return json.loads((await client.event("message"))["text"])


@pytest.mark.must_work(item=16)
async def test_topics_reach_their_subscribers_once_and_also_after_a_restart(
    ready: Server, start_client: StartClient
) -> None:
    here = {"host": ready.host, "party": "news", "room": "all"}
    ada, bob, staff = [await start_client("socket.js") for _ in range(3)]
    await ada.call("open", **here, query={"topics": "weather:*,weather:paris,news"})
    await bob.call("open", **here)
    await staff.call("open", **here, query={"topics": "nothing", "key": "staff"})
    for client in ada, bob, staff:
        await client.event("open")

    await say(bob, {"topic": "weather:paris", "data": {"sky": "☀️"}})
    assert await heard(ada) == await heard(bob) == {"topic": "weather:paris", "data": {"sky": "☀️"}}
    await say(bob, {"topic": "staff:news", "data": "not bob's to say"})
    posted = {"method": "POST", "body": json.dumps({"topic": "news", "data": [1]})}
    answer = await bob.call("fetch", options=here, init=posted)
    assert (answer["status"], answer["body"]) == (200, "OK")
    assert await heard(ada) == await heard(bob) == {"topic": "news", "data": [1]}

    await say(ada, {"__topics": ["staff:*"]})
    await say(ada, {"topic": "news", "data": "ada hears it no more"})
    assert await heard(bob) == {"topic": "news", "data": "ada hears it no more"}
    await say(staff, {"topic": "staff:news", "data": 2})
    assert await heard(ada) == await heard(bob) == {"topic": "staff:news", "data": 2}

    ready.restart()
    for client in ada, bob, staff:
        await client.event("open")  # and with the query it was made with
    await say(staff, {"topic": "weather", "data": None})
    assert await heard(ada) == await heard(bob) == {"topic": "weather", "data": None}
    assert staff.untaken("message") == []


@pytest.mark.must_work(item=16)
async def test_functions_answer_by_id(ready: Server, start_client: StartClient) -> None:
    ada = await start_client("socket.js")
    await ada.call("open", host=ready.host, party="sums", room="one")
    await ada.event("open")
    call = {"rpc": True, "channel": "sums"}
    for id, b in ("1", 2), ("2", 0):
        await say(ada, {**call, "id": id, "action": {"type": "divide", "args": [6, b]}})
    assert await heard(ada) == {**call, "id": "1", "type": "success", "result": 3}
    assert await heard(ada) == {**call, "id": "2", "type": "error", "error": ["by what?"]}
