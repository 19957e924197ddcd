"""The published ``@hocuspocus/provider`` against the server's documents, many of them on one socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.server import Server

Connect = Callable[..., Awaitable[NodeClient]]


@pytest.fixture(scope="module")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it running; each uses documents of its own."""
    server = Server(tmp_path_factory.mktemp("hub") / "data", target="hocuspocus_parties.py")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_hub_server(tmp_path: Path) -> Iterator[Server]:
    """A server for one test, which may stop and start it."""
    server = Server(tmp_path / "data", target="hocuspocus_parties.py")
    server.start()
    yield server
    if server.running:
        server.stop()


@pytest.fixture
def connect(start_client: StartClient) -> Connect:
    """Starts a client with one socket to a server."""

    async def connect(server: Server, hub: str = "any") -> NodeClient:
        client = await start_client("hocuspocus.js")
        await client.call("connect", host=server.host, room=hub)
        return client

    return connect


async def opened(client: NodeClient, name: str, **options: Any) -> None:
    """Open a document and wait until it is synced, and nothing of the client's is left to be stored."""
    await client.call("open", name=name, **options)
    await client.until(lambda seen: settled(seen, name))


def settled(seen: dict[str, Any], name: str, text: str | None = None) -> bool:
    document = seen["documents"][name]
    return document["synced"] and document["unsynced"] == 0 and text in (None, document["text"])


async def test_two_clients_in_different_hubs_edit_two_documents_each(
    hub_server: Server, room: str, connect: Connect
) -> None:
    ann, bob = await connect(hub_server, "one"), await connect(hub_server, "two")
    names = [f"{room}/a ü", f"{room}/b"]
    for client in ann, bob:
        for name in names:
            await opened(client, name)
    edits = [
        client.call("insert", name=name, text=f"{n} ") for n in range(20) for name in names for client in (ann, bob)
    ]
    await asyncio.gather(*edits)
    for client in ann, bob:
        await client.until(
            lambda seen: all(
                settled(seen, name) and len(seen["documents"][name]["text"].split()) == 40 for name in names
            )
        )
    seen = [(await client.call("snapshot"))["documents"] for client in (ann, bob)]
    assert [seen[0][name]["text"] for name in names] == [seen[1][name]["text"] for name in names]


async def test_a_y_websocket_client_is_in_the_same_document(
    hub_server: Server, room: str, connect: Connect, start_client: StartClient
) -> None:
    ann, bob = await connect(hub_server), await start_client("provider.js", "y-websocket")
    await bob.call("open", host=hub_server.host, party="notes", room=room)
    await bob.call("insert", index=0, text="from bob. ")
    await opened(ann, room)
    await ann.until(lambda seen: settled(seen, room, "from bob. "))
    await ann.call("insert", name=room, text="from ann. ")
    await bob.until(lambda seen: seen["text"] == "from ann. from bob. ")
    await ann.call("present", name=room, **{"as": "ann"})
    await bob.call("present", name="bob")
    await bob.until(lambda seen: seen["here"] == ["ann", "bob"])
    await ann.until(lambda seen: seen["documents"][room]["here"] == ["ann", "bob"])
    await ann.call("leave", name=room)  # the socket stays, and so would she if her document did
    await bob.until(lambda seen: seen["here"] == ["bob"])


async def test_a_refusal_is_an_event_and_the_other_document_lives(
    hub_server: Server, room: str, connect: Connect
) -> None:
    ann = await connect(hub_server)
    await opened(ann, room)
    await ann.call("open", name=f"secret-{room}")
    refused = await ann.event("refused")
    assert (refused["name"], refused["reason"]) == (f"secret-{room}", "who are you?")
    await opened(ann, f"secret-{room}-too", token="friend")
    await ann.call("insert", name=room, text="still here")
    await ann.until(lambda seen: settled(seen, room, "still here"))
    assert (await ann.call("snapshot"))["disconnects"] == 0


async def test_a_reader_reads_and_is_seen_and_a_new_token_makes_it_a_writer(
    hub_server: Server, room: str, connect: Connect
) -> None:
    ann, bob = await connect(hub_server), await connect(hub_server)
    await opened(ann, room)
    await opened(bob, room, token="reader")
    await ann.call("insert", name=room, text="ann may write")
    await bob.until(lambda seen: settled(seen, room, "ann may write"))
    assert (await bob.event("authenticated"))["scope"] == "readonly"
    await bob.call("present", name=room, **{"as": "bob"})
    await ann.until(lambda seen: seen["documents"][room]["here"] == ["bob"])

    await bob.call("token", name=room, token="writer")
    async with aiohttp.request("GET", f"http://{hub_server.host}/parties/hub/any?document={room}") as answer:
        assert await answer.text() == "asked"
    assert (await bob.event("authenticated"))["scope"] == "read-write"
    await bob.call("insert", name=room, text="bob may now, ")
    for client in ann, bob:
        await client.until(lambda seen: settled(seen, room, "bob may now, ann may write"))


async def test_what_a_reader_writes_reaches_nobody_and_stays_unsynced(
    hub_server: Server, room: str, connect: Connect
) -> None:
    ann, bob = await connect(hub_server), await connect(hub_server)
    await opened(ann, room)
    await opened(bob, room, token="reader")
    await bob.call("insert", name=room, text="bob may not")
    await bob.call("say", name=room, payload="I have written")  # comes after his edit, by the same way
    await bob.event("stateless", payload="all heard: I have written")
    assert (await bob.call("snapshot"))["documents"][room]["unsynced"] == 1
    await opened(ann, f"{room}-else")
    assert (await ann.call("snapshot"))["documents"][room]["text"] == ""


async def test_stateless_messages_go_both_ways(hub_server: Server, room: str, connect: Connect) -> None:
    ann, bob = await connect(hub_server), await connect(hub_server)
    for client in ann, bob:
        await opened(client, room)
    await ann.call("say", name=room, payload="hello ü")
    for client in ann, bob:
        assert (await client.event("stateless"))["payload"] == "all heard: hello ü"


async def test_two_providers_of_one_document_share_a_socket(hub_server: Server, room: str, connect: Connect) -> None:
    ann = await connect(hub_server)
    for name in "left", "right":
        await opened(ann, name, document=room, sessionAwareness=True)
    await ann.call("insert", name="left", text="from the left")
    for name in "left", "right":
        await ann.until(partial(settled, name=name, text="from the left"))
    await ann.call("leave", name="left")
    await ann.call("insert", name="right", text="alone ")
    await ann.until(lambda seen: settled(seen, "right", "alone from the left"))


async def test_the_server_may_close_one_document(hub_server: Server, room: str, connect: Connect) -> None:
    ann = await connect(hub_server)
    await opened(ann, room)
    await opened(ann, f"{room}-too")
    await ann.call("say", name=room, payload="close me")
    closed = await ann.event("closed")
    assert (closed["name"], closed["reason"]) == (room, "as you wish")
    await ann.call("insert", name=f"{room}-too", text="still here")
    await ann.until(lambda seen: settled(seen, f"{room}-too", "still here"))
    assert (await ann.call("snapshot"))["disconnects"] == 0


async def test_a_document_may_be_left_and_opened_again(hub_server: Server, room: str, connect: Connect) -> None:
    ann = await connect(hub_server)
    for round in range(3):
        await opened(ann, room)
        await ann.call("insert", name=room, text=f"{round} ")
        await ann.until(lambda seen: settled(seen, room))
        await ann.call("forceSync", name=room)
        await ann.until(lambda seen: settled(seen, room))
        await ann.call("leave", name=room)
    await opened(ann, room)
    await ann.until(lambda seen: settled(seen, room, "2 1 0 "))


async def test_clients_come_back_after_a_restart_and_bring_what_they_wrote_meanwhile(
    own_hub_server: Server, connect: Connect
) -> None:
    ann, bob = await connect(own_hub_server), await connect(own_hub_server)
    for client in ann, bob:
        await opened(client, "a")
    await ann.call("insert", name="a", text="before. ")
    await bob.until(lambda seen: settled(seen, "a", "before. "))
    own_hub_server.stop()
    for client in ann, bob:
        await client.until(lambda seen: not seen["connected"])
    await ann.call("insert", name="a", text="meanwhile. ")
    own_hub_server.start()
    for client, name in (ann, "ann"), (bob, "bob"):
        await client.until(lambda seen: settled(seen, "a", "meanwhile. before. "), timeout=30)
        await client.call("present", name="a", **{"as": name})
    for client in ann, bob:
        await client.until(lambda seen: seen["documents"]["a"]["here"] == ["ann", "bob"])


async def test_what_a_client_counts_as_synced_survives_a_kill(own_hub_server: Server, connect: Connect) -> None:
    ann, bob = await connect(own_hub_server), await connect(own_hub_server)
    await opened(ann, "a")
    await asyncio.gather(*(ann.call("insert", name="a", text=f"{n} ") for n in range(50)))
    await ann.until(lambda seen: settled(seen, "a"))
    own_hub_server.kill()
    await ann.call("leave", name="a")  # or she would bring the server what it has lost
    own_hub_server.start()
    await opened(bob, "a")
    assert sorted(map(int, (await bob.call("snapshot"))["documents"]["a"]["text"].split())) == list(range(50))
