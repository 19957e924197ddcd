"""Files as rooms, in a real server: edits reach the file, changes to it reach people, and who may not does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from watchfiles import awatch

from partyroom.client import DocumentClient
from tests.jupyter.conftest import StartServer
from tests.jupyter.server import TOKEN, JupyterServer

HEADERS = {"Authorization": f"token {TOKEN}"}

AUTHORIZER = """
from jupyter_server.auth import Authorizer

class Named(Authorizer):
    "Asks the request itself what its visitor may do with files."
    def is_authorized(self, handler, user, action, resource):
        return resource != "contents" or action in handler.request.headers.get("X-May", "").split(",")

c.ServerApp.authorizer_class = Named
"""


def opened(server: JupyterServer, path: str, **options: str) -> DocumentClient:
    return DocumentClient(server.url("").rstrip("/"), party="file", room=path, token=TOKEN, **options)  # type: ignore[arg-type]


async def becomes(path: Path, text: str) -> None:
    """Wait until a file has this text."""
    async with asyncio.timeout(15):
        async for _ in awatch(
            path.parent, recursive=False, step=20, debounce=50, yield_on_timeout=True, rust_timeout=500
        ):
            if await asyncio.to_thread(path.read_text) == text:
                return


async def shows(client: DocumentClient, text: str) -> None:
    """Wait until a client has this text."""
    changed = asyncio.Event()
    client.text("source").on_change(lambda _: changed.set())
    async with asyncio.timeout(15):
        while str(client.text("source")) != text:
            await changed.wait()
            changed.clear()


async def test_a_file_is_edited_by_people_and_by_programs_and_loses_nothing(shared: JupyterServer) -> None:
    folder = shared.root / "notes & plans"
    folder.mkdir()
    file = folder / "tödo 🎉.md"
    file.write_text("one\ntwo\n")
    path = file.relative_to(shared.root).as_posix()
    async with opened(shared, path) as ada, opened(shared, path) as bob:
        await asyncio.gather(ada.synced(), bob.synced())
        assert str(ada.text("source")) == "one\ntwo\n"
        bob.text("source").append("by bob\n")
        await becomes(file, "one\ntwo\nby bob\n")
        ada.text("source").insert(0, "by ada\n")
        await ada.saved()
        file.write_text("one\n2\nby bob\nby vim\n")  # before ada's edit has reached it
        for client in ada, bob:
            await shows(client, "by ada\none\n2\nby bob\nby vim\n")
        await becomes(file, "by ada\none\n2\nby bob\nby vim\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("text.txt", 200),
        ("missing.txt", 404),
        (".hidden.txt", 404),
        (".partyroom/partyroom.db", 404),
        ("folder", 400),
        ("image.bin", 400),
        ("book.ipynb", 415),
        ("folder/../text.txt", 404),
        ("./text.txt", 404),
        ("/text.txt", 404),
        ("../log", 404),
        ("..", 404),
        ("text.txt/", 404),
        ("a\\b", 404),
        ("a\0b", 404),
    ],
)
async def test_only_text_files_under_the_root_are_opened_by_their_one_name(
    shared: JupyterServer, session: aiohttp.ClientSession, path: str, status: int
) -> None:
    (shared.root / "folder").mkdir(exist_ok=True)
    for name in "text.txt", ".hidden.txt", "book.ipynb":
        (shared.root / name).write_text("{}")
    (shared.root / "image.bin").write_bytes(b"\xff\xfe\x00")
    url = shared.url(f"parties/file/{quote(path, safe='')}")
    async with session.get(f"{url}/doc.json", headers=HEADERS) as answer:
        assert answer.status == status, await answer.text()
        if status == 200:
            assert await answer.json() == {"source": "{}"}


async def test_who_may_not_read_or_write_files_may_not_do_so_here(
    start_server: StartServer, session: aiohttp.ClientSession
) -> None:
    server = start_server(AUTHORIZER)
    (server.root / "a.txt").write_text("a")
    url = server.url("parties/file/a.txt/doc")
    update = {**HEADERS, "Content-Type": "application/octet-stream"}
    for may, reading, writing in ("", 403, 403), ("write", 403, 403), ("read", 200, 403), ("read,write", 200, 204):
        async with session.get(f"{url}.txt", headers={**HEADERS, "X-May": may}) as answer:
            assert answer.status == reading, may
        async with session.post(url, headers={**update, "X-May": may}, data=b"\0\0") as answer:
            assert answer.status == writing, may
    async with session.get(server.url("parties/main/x/doc.json"), headers=HEADERS) as answer:
        assert answer.status == 200
