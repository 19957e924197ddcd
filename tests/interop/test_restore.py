"""``partyroom restore --replace`` and ``rooms delete`` under live editors: they bring nothing back, nor twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from partyroom.client import DocumentClient
from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.server import Server


@pytest.fixture
def plain_server(tmp_path: Path) -> Iterator[Server]:
    """A server of what is served without a target, for one test."""
    server = Server(tmp_path / "data", target=None)
    server.start()
    yield server
    server.stop()


async def partyroom(*arguments: str) -> None:
    """Run a verb of the command line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "partyroom", *arguments, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == 0


async def text(server: Server, room: str) -> str:
    """The document as the server has it."""
    async with aiohttp.request("GET", f"http://{server.host}/parties/main/{room}/doc.txt?root=body") as answer:
        assert answer.status == 200
        return await answer.text()


FAMILIES = "y-websocket", "hocuspocus", "@y/websocket", "y-partykit", "y-partyserver", "y-sweet"


async def open_in_all(server: Server, room: str, start_client: StartClient) -> list[NodeClient]:
    """An editor of each family, with the document open."""
    editors = [await start_client("provider.js", family) for family in FAMILIES]
    for editor in editors:
        await editor.call("open", host=server.host, party="main", room=room)
        await editor.until(lambda seen: seen["synced"])
    return editors


async def write_dots(server: Server, room: str) -> None:
    """Somebody comes later and writes twenty dots, each of them saved."""
    async with DocumentClient(server.host, party="main", room=room) as later:
        await later.synced()
        for _ in range(20):
            later.text("body").append(".")
            await later.saved()


async def test_a_deleted_document_stays_away_whoever_still_has_it(
    plain_server: Server, room: str, start_client: StartClient
) -> None:
    editors = await open_in_all(plain_server, room, start_client)
    async with DocumentClient(plain_server.host, party="main", room=room) as ours:
        await ours.synced()
        ours.text("body").append("one ")
        await ours.saved()
        for editor in editors:
            await editor.until(lambda seen: seen["text"] == "one ")
        await editors[0].call("disconnect")
        await partyroom("rooms", "delete", f"main/{room}", "--yes", "--data", str(plain_server.data))
        for editor in editors:
            await editor.until(lambda seen: not seen["connected"] or not seen["synced"])
            await editor.call("append", text="to nobody ")
        await editors[0].call("connect")  # it was away, and has not heard of it
    plain_server.restart()
    assert await text(plain_server, room) == ""
    await write_dots(plain_server, room)
    assert await text(plain_server, room) == "." * 20


async def test_a_dump_takes_the_place_of_a_document_that_is_open(
    plain_server: Server, room: str, start_client: StartClient
) -> None:
    dump, data = str(plain_server.data.with_suffix(".jsonl")), ("--data", str(plain_server.data))
    editors = await open_in_all(plain_server, room, start_client)
    async with DocumentClient(plain_server.host, party="main", room=room) as ours:
        await ours.synced()
        ours.text("body").append("one ")
        await ours.saved()
        await partyroom("dump", f"main/{room}", "-o", dump, *data)
        ours.text("body").append("two ")
        await ours.saved()
        for editor in editors:
            await editor.until(lambda seen: seen["text"] == "one two ")

        await partyroom("restore", dump, "--replace", *data)
        for editor in editors:
            await editor.until(lambda seen: not seen["connected"] or not seen["synced"])
            await editor.call("append", text="to nobody ")
        assert await text(plain_server, room) == "one "
        await write_dots(plain_server, room)
        assert await text(plain_server, room) == "one " + "." * 20
