"""PartySocket against a server of Node's ``ws`` package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from partyroom.client import Backoff, ConnectionClosed, HandshakeRefused, PartySocket
from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient

MIB = 1024 * 1024

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
async def server(start_client: StartClient) -> NodeClient:
    return await start_client("ws_server.js")


@pytest.fixture
async def socket(server: NodeClient) -> AsyncIterator[PartySocket]:
    port = await server.call("listen")
    backoff = Backoff(initial=0.02, maximum=0.05)
    async with PartySocket(f"127.0.0.1:{port}", room="a/b ü", id="me", backoff=backoff) as socket:
        yield socket


async def test_messages_of_every_kind_and_length_come_back_in_order(socket: PartySocket) -> None:
    await socket.opened()
    messages: list[str | bytes] = []
    for length in (0, 1, 125, 126, 65535, 65536, 3 * MIB):
        messages += ["日" * (length // 3), b"\xff" * length]
    for message in messages:
        await socket.send(message)
    assert [await anext(socket) for _ in messages] == messages


async def test_a_message_in_fragments_is_one_message(server: NodeClient, socket: PartySocket) -> None:
    await socket.opened()
    await server.call("send", text="0123456789", fragments=4)
    assert await anext(socket) == "0123456789"


async def test_the_address_is_read_as_it_was_meant(server: NodeClient, socket: PartySocket) -> None:
    assert (await server.event("handshake"))["url"] == "/parties/main/a%2Fb%20%C3%BC?_pk=me"


async def test_a_cut_and_a_close_are_followed_by_another_connection(server: NodeClient, socket: PartySocket) -> None:
    ends: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    socket.on_close(lambda *end: ends.put_nowait(end))
    await socket.opened()
    await server.call("cut")
    assert (await ends.get())[0] == 1006
    await socket.opened()
    await server.call("close", code=1012, reason="neu")
    assert await ends.get() == (1012, "neu")
    assert [(await server.event("close"))["code"] for _ in range(2)] == [1006, 1012]  # and ours was echoed
    await socket.send("there again")
    assert await anext(socket) == "there again"


async def test_a_ping_is_answered(server: NodeClient, socket: PartySocket) -> None:
    await socket.opened()
    await server.call("ping")
    await server.event("pong")


async def test_our_goodbye_is_heard(server: NodeClient, socket: PartySocket) -> None:
    await socket.opened()
    await socket.close(4000, "genug")
    assert await server.event("close") == {"event": "close", "code": 4000, "reason": "genug"}


async def test_a_final_close_ends_it(server: NodeClient, socket: PartySocket) -> None:
    await socket.opened()
    await server.call("close", code=4401, reason="who are you?")
    with pytest.raises(ConnectionClosed, match="4401: who are you"):
        await anext(socket)


async def test_refusals_are_borne_until_one_is_final(server: NodeClient, socket: PartySocket) -> None:
    await socket.opened()
    await server.call("refuse", statuses=[503, 429, 403])
    await server.call("cut")
    with pytest.raises(HandshakeRefused, match="403"):
        await anext(socket)
