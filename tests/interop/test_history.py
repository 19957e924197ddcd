"""History with the published y-websocket provider: what is restored reaches who is there, and who is typing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.server import Server
from tests.interop.test_documents import converged


@pytest.fixture
def history_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose documents have their HTTP face."""
    server = Server(tmp_path / "data", target="history_parties.py")
    server.start()
    yield server
    if server.running:
        server.stop()


async def ask(server: Server, path: str, method: str = "GET", **more: Any) -> Any:
    url = f"http://{server.host}/parties/notes/today/{path}"
    async with aiohttp.request(method, url, **more) as answer:
        assert answer.ok, await answer.text()
        return await answer.json()


async def test_a_restore_reaches_live_clients_while_one_is_typing_and_undo_too_over_a_restart(
    history_server: Server, start_client: StartClient
) -> None:
    server = history_server

    async def join(name: str) -> NodeClient:
        client = await start_client("provider.js", "y-websocket")
        await client.call("open", host=server.host, party="notes", room="today", params={"_pk": name})
        await client.call("present", name=name.title())
        await client.until(lambda seen: seen["synced"])
        return client

    ann, bob = await join("ann"), await join("bob")
    await ann.call("insert", index=0, text="the good beginning 🎉 ")
    await bob.until(lambda seen: seen["text"] != "")
    kept = await ask(server, "versions", "POST", json={"name": "good"})
    assert kept["authors"] == [{"who": "client:ann", "name": "Ann"}]
    await ann.call("delete", index=4, length=5)
    await ann.call("insert", index=0, text="spoiled: ")
    await bob.until(lambda seen: seen["text"].startswith("spoiled: the beginning"))

    server.restart()
    for client in ann, bob:
        await client.until(lambda seen: seen["connected"] and seen["synced"])
    await bob.call("type", letter="b", every=5)
    await ann.until(lambda seen: "b9 " in seen["text"])
    answer = await ask(server, f"versions/{kept['id']}/restore", "POST")
    await ann.until(lambda seen: "the good beginning 🎉 " in seen["text"] and "spoiled" not in seen["text"])
    typed = await bob.call("stopTyping")
    agreed = await converged(ann, bob)
    assert "the good beginning 🎉 " in agreed["text"]
    # What bob had typed when it was restored is gone with it, and nothing of what he typed from then on.
    numbers = [int(word[1:]) for word in agreed["text"].split("🎉 ")[1].split()]
    assert numbers == list(range(numbers[0] if numbers else typed, typed))

    changes = await ask(server, f"versions/{answer['before']['id']}/changes")
    by = {(one.get("insert") or one.get("delete"))[:7]: one["by"]["who"] for one in changes["changes"]}
    assert (by["spoiled"], by["good "], by["b0 b1 b"]) == ("client:ann", "client:ann", "client:bob")

    carol = await join("carol")
    await carol.call("insert", index=0, text="oops ")
    await bob.until(lambda seen: seen["text"].startswith("oops "))
    assert await ask(server, "undo", "POST", json={"who": "client:carol"}) == {"done": True}
    await bob.until(lambda seen: "oops" not in seen["text"])
    assert (await converged(ann, bob, carol))["text"] == agreed["text"]
    await asyncio.gather(*(client.call("leave") for client in (ann, bob, carol)))
