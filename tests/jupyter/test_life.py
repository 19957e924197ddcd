"""The lobby's life in a server: where its data is, how it ends, what cullers see."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from partyroom.client import DocumentClient
from tests.jupyter.conftest import StartServer
from tests.jupyter.server import TOKEN, JupyterServer

HEADERS = {"Authorization": f"token {TOKEN}"}


async def test_documents_are_kept_in_the_root_and_clients_are_told_when_the_server_stops(
    start_server: StartServer, session: aiohttp.ClientSession, room: str
) -> None:
    server = start_server()
    async with DocumentClient(server.host, room=room, token=TOKEN) as writer:
        await writer.synced()
        writer.text("body").insert(0, "kept")
        async with session.ws_connect(server.url(f"parties/relay/{room}", "ws"), headers=HEADERS) as socket:
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert (await socket.receive(timeout=15)).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1001
            await stopping
        assert (server.root / ".partyroom/partyroom.db").exists()
        server.start()  # where it was: the client comes back, and what it wrote in between arrives
        writer.text("body").append(", and more")
        await writer.saved()
    async with session.get(server.url(f"parties/main/{room}/doc.txt"), headers=HEADERS) as answer:
        assert await answer.text() == "kept, and more"
    async with session.get(server.url("api/contents"), headers=HEADERS) as answer:
        assert [one["name"] for one in (await answer.json())["content"]] == []  # hidden from the file browser


async def test_a_client_that_hangs_does_not_hold_the_server_up(
    start_server: StartServer, room: str, session: aiohttp.ClientSession
) -> None:
    server = start_server("c.PartyroomExtension.limits = {'close': 1}\nc.PartyroomExtension.files = False")
    async with session.get(server.url("parties/file/log"), headers=HEADERS) as answer:
        assert await answer.text() == "Not found: there is no such party here\n"
    async with session.ws_connect(
        server.url(f"parties/relay/{room}", "ws"), headers=HEADERS, autoclose=False
    ) as socket:
        assert not socket.closed  # and it reads nothing more
        assert await asyncio.to_thread(server.stop) < 30


async def activity(session: aiohttp.ClientSession, server: JupyterServer) -> datetime:
    """What cullers go by (jupyter_server's REST API, ``/api/status``)."""
    async with session.get(server.url("api/status?no_track_activity=1"), headers=HEADERS) as answer:
        return datetime.fromisoformat((await answer.json())["last_activity"])


async def test_people_who_edit_are_activity_and_those_who_look_on_are_not(
    shared: JupyterServer, session: aiohttp.ClientSession, room: str
) -> None:
    async with DocumentClient(shared.url("").rstrip("/"), room=room, token=TOKEN, user={"name": "Ada"}) as person:
        await person.synced()
        began = await activity(session, shared)
        person.set_presence(cursor=1)
        async with session.get(shared.url("partyroom/status"), headers=HEADERS) as answer:
            assert room in [one["room"] for one in (await answer.json())["rooms"]]
        async with session.get(shared.url(f"parties/main/{room}/doc.json"), headers=HEADERS) as answer:
            assert answer.status == 200
        assert await activity(session, shared) == began
        person.text("body").insert(0, "x")
        await person.saved()
        edited = await activity(session, shared)
        assert edited > began
    async with session.ws_connect(shared.url(f"parties/relay/{room}", "ws"), headers=HEADERS) as socket:
        await session.get(shared.url("partyroom/status"), headers=HEADERS)
        assert await activity(session, shared) == edited
        await socket.send_str("hello")
        await socket.ping()
        async with session.get(shared.url(f"parties/relay/{room}"), headers=HEADERS):
            pass
    assert await activity(session, shared) > edited


@pytest.mark.skipif(sys.platform == "win32", reason="a folder is made read-only with chmod")
async def test_a_root_that_cannot_be_written_is_no_obstacle(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / ".partyroom").write_text("a file is in the way, also for those who may write everywhere")
    server = start_server(f"c.ServerApp.root_dir = {str(tmp_path)!r}", root=tmp_path)
    found = re.search(r"\.partyroom cannot be written: rooms are kept in (\S+) \(", server.log())
    assert found is not None
    assert Path(found[1]).is_relative_to(server.folder / "data" / "partyroom")
    assert (Path(found[1]) / "partyroom.db").exists()


async def test_a_second_server_in_the_same_folder_says_what_to_do(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    first = start_server()
    second = start_server(root=first.root)
    assert "partyroom.db" in second.log()
    assert "PartyroomExtension.data names another folder" in second.log()
    assert "Traceback" not in second.log()
    async with session.get(second.url("parties/main/x"), headers=HEADERS) as answer:
        assert answer.status == 503
    first.stop()
    async with session.get(second.url("parties/main/x"), headers=HEADERS) as answer:
        assert answer.status == 200
