"""Clients that do nothing for two minutes stay connected and present, on every kind of server.

Servers with y-protocols' awareness forget who is silent for 30 seconds, and Hocuspocus' drops a connection that is
silent for a minute, which it looks at once a minute.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.interop.node import NodeClient
from tests.interop.sites import KINDS, Kind, Site, names, until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(240)]

IDLE = 130


async def _idle(kind: Kind, folder: Path) -> None:
    site = Site(kind, folder)
    await asyncio.to_thread(site.server.start)
    async with AsyncExitStack() as stack:
        stack.callback(site.server.kill)
        bob = await stack.enter_async_context(NodeClient.running("provider.js", site.family))
        await bob.call("open", host=site.server.host, party="notes", room="a")
        await bob.call("present", name="bob")
        ada = await stack.enter_async_context(site.client("a", user={"name": "ada"}))
        quiet = await stack.enter_async_context(site.client("a"))
        turns: list[str] = []
        for client in ada, quiet:
            await client.synced(timeout=10)
            await until(client, lambda client=client: "bob" in names(client))  # type: ignore[misc]
            client.on_status(turns.append)
        await asyncio.sleep(IDLE)  # that nothing happens in this time is what is tested
        assert turns == []
        assert (names(ada), names(quiet)) == (["bob"], ["ada", "bob"])
        seen = await bob.call("snapshot")
        assert (seen["here"], seen["disconnects"]) == (["ada", "bob"], 0)


async def test_idle_clients_stay_on_every_kind_of_server(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(KINDS))]
    for folder in folders:
        folder.mkdir()
    await asyncio.gather(*map(_idle, KINDS.values(), folders))
