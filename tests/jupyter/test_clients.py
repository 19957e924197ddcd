"""The published npm clients, unmodified, at a Jupyter Server's URL and with its token."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.interop.node import NodeClient
from tests.jupyter.server import TOKEN, JupyterServer


def place(server: JupyterServer) -> str:
    """Host and base, as these clients take them."""
    return f"{server.host}{server.base}".rstrip("/")


@pytest.mark.parametrize("family", ["y-websocket", "@y/websocket", "y-sweet", "hocuspocus"])
async def test_providers_sync_through_jupyters_url(family: str, shared: JupyterServer, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = [await stack.enter_async_context(NodeClient.running("provider.js", family)) for _ in range(2)]
        for client, name in (ann, "ann"), (bob, "bob"):
            await client.call("open", host=place(shared), party="main", room=room, params={"token": TOKEN})
            await client.call("present", name=name)
            await client.until(lambda seen: seen["synced"])
        await asyncio.gather(ann.call("insert", index=0, text="ann 🎉 "), bob.call("insert", index=0, text="bob "))
        for client in ann, bob:
            await client.until(lambda seen: sorted(seen["text"].split()) == ["ann", "bob", "🎉"])
            await client.until(lambda seen: seen["here"] == ["ann", "bob"])


async def test_partysocket_joins_and_its_fetch_asks(shared: JupyterServer, room: str) -> None:
    options = {"host": place(shared), "party": "relay", "room": room, "query": {"token": TOKEN}}
    async with AsyncExitStack() as stack:
        ann, bob = [await stack.enter_async_context(NodeClient.running("socket.js")) for _ in range(2)]
        for client in ann, bob:
            await client.call("open", **options)
            await client.event("open")
        await ann.call("send", text="hello 🎉")
        assert await bob.event("message") == {"event": "message", "text": "hello 🎉"}
        answer = await ann.call("fetch", options={**options, "protocol": "http", "party": "chat"}, init={})
        assert answer["status"] == 200


async def test_a_client_without_the_token_is_turned_away(shared: JupyterServer, room: str) -> None:
    async with NodeClient.running("socket.js") as stranger:
        await stranger.call("open", host=place(shared), party="relay", room=room, maxRetries=0)
        await stranger.event("error")
