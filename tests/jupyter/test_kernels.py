"""Kernels of a real server find its rooms by themselves."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import aiohttp
from partyroom_jupyter.kernels import announce

from partyroom.client import DocumentClient
from tests.jupyter.conftest import StartServer
from tests.jupyter.server import TOKEN, JupyterServer

HEADERS = {"Authorization": f"token {TOKEN}"}


async def run(session: aiohttp.ClientSession, server: JupyterServer, code: str) -> str:
    """What a cell prints, in a kernel of its own that the server has started as for any notebook."""
    async with session.post(server.url("api/kernels"), headers=HEADERS, json={}) as answer:
        kernel = (await answer.json())["id"]
    try:
        async with session.ws_connect(server.url(f"api/kernels/{kernel}/channels", "ws"), headers=HEADERS) as socket:
            request = _execute(code)
            await socket.send_json(request)
            return await _printed(socket, request["header"]["msg_id"])
    finally:
        async with session.delete(server.url(f"api/kernels/{kernel}"), headers=HEADERS) as answer:
            assert answer.status == 204


def _execute(code: str) -> dict[str, Any]:
    """An execute request (jupyter_client's documentation, "Messaging in Jupyter")."""
    header = {
        "msg_id": uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid4().hex,
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}


async def _printed(socket: aiohttp.ClientWebSocketResponse, request: str) -> str:
    """What it has printed when the kernel says that it is idle again, which is after all output."""
    printed = ""
    while True:
        message = json.loads(await socket.receive_str(timeout=30))
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            printed += content["text"]
        elif message["msg_type"] == "error":
            raise AssertionError("\n".join(content["traceback"]))
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return printed


async def test_a_kernel_joins_with_no_arguments(
    session: aiohttp.ClientSession, shared: JupyterServer, room: str
) -> None:
    code = f"""
import partyroom
with partyroom.connect({room!r}) as joined:
    joined.text("notes").insert(0, "typed in a notebook")
    joined.saved()
    print(joined.url)
"""
    printed = await run(session, shared, code)
    assert printed.strip() == shared.url(f"parties/main/{room}", "ws")
    async with DocumentClient(shared.url(""), room=room, token=TOKEN) as person:
        await person.synced()
        assert str(person.text("notes")) == "typed in a notebook"


async def test_a_kernel_is_known_as_one(session: aiohttp.ClientSession, shared: JupyterServer, room: str) -> None:
    code = f"""
import partyroom
with partyroom.connect("who/{room}", document=False) as joined:
    print(joined.receive(timeout=10))
"""
    user = json.loads(await run(session, shared, code))
    assert user["name"].startswith("kernel of ")
    assert user["sub"] == user["username"] == user["name"].replace("kernel of ", "kernel:")


async def test_with_a_remote_url_kernels_find_that_and_nothing_of_a_server_that_started_this_one(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    outer = {"PARTYROOM_URL": "http://localhost:1/outer", "PARTYROOM_TOKEN": "outer", "ROOMS": "a secret"}
    config = "c.PartyroomExtension.remote_url = 'https://me:password@rooms.example/services/rooms?x=secret'\n"
    show = "import os; print([os.environ.get(f'PARTYROOM_{name}') for name in ('URL', 'TOKEN')])"
    there = "https://me:password@rooms.example/services/rooms?x=secret"
    server = start_server(f"{config}c.PartyroomExtension.token_env = 'ROOMS'", environment=outer)
    assert (await run(session, server, show)).strip() == repr([there, "a secret"])
    async with session.get(server.url("parties/main/x"), headers=HEADERS) as answer:
        assert answer.status == 404
    async with session.get(server.url("partyroom/status"), headers=HEADERS) as answer:
        assert (await answer.json())["remote"] == "https://rooms.example/services/rooms"
    assert "password" not in server.log()


async def test_settings_that_are_wrong_close_the_rooms_and_nothing_else(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    server = start_server(arguments=["--PartyroomExtension.target=not_there.py"])
    async with session.get(server.url("partyroom/status"), headers=HEADERS) as answer:
        assert (await answer.json())["problem"].startswith("not_there.py does not exist")
    async with session.get(server.url("api/contents"), headers=HEADERS) as answer:
        assert answer.status == 200
    assert "Traceback" not in server.log()
    assert "nrecognized" not in server.log()


def test_what_there_is_not_is_taken_out_of_the_environment() -> None:
    environ = {"PARTYROOM_URL": "http://localhost:1/outer", "PARTYROOM_TOKEN": "outer", "PATH": "/bin"}
    announce("http://rooms.example", None, environ)
    assert environ == {"PARTYROOM_URL": "http://rooms.example", "PATH": "/bin"}
    announce(None, None, environ)
    assert environ == {"PATH": "/bin"}
