"""The README's chat, one file, serves the same people in the same way wherever it is mounted."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from partyroom import Lobby
from partyroom.gateways.asgi import asgi_app
from tests.gateways.servers import under_hypercorn, under_tornado, under_uvicorn
from tests.gateways.suite import ROOM, within
from tests.test_readme import BLOCKS
from tests.unit.cli.test_serve import Child


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ``chat.py`` lies, as the README has it."""
    (source,) = [source for source in BLOCKS if source.startswith("# chat.py")]
    (tmp_path / "chat.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "chat", raising=False)
    return tmp_path


def shown(beginning: str) -> dict[str, Any]:
    """What the one README block that imports the chat and ``beginning`` has made."""
    (source,) = [source for source in BLOCKS if "import chat\n" in source and beginning in source]
    made: dict[str, Any] = {"__name__": "application"}
    exec(compile(source, "README.md", "exec", dont_inherit=True), made)
    return made


@asynccontextmanager
async def serve(folder: Path) -> AsyncIterator[str]:
    async with Child.started("chat.py", cwd=folder) as child:
        yield "http://" + await child.address()


@asynccontextmanager
async def in_aiohttp(folder: Path) -> AsyncIterator[str]:
    runner = web.AppRunner(shown("gateways.aiohttp")["app"], shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


@asynccontextmanager
async def in_tornado(folder: Path) -> AsyncIterator[str]:
    made = shown("gateways.tornado")
    async with under_tornado(made["app"], made["lobby"]) as url:
        yield url


@asynccontextmanager
async def in_fastapi(folder: Path) -> AsyncIterator[str]:
    async with under_uvicorn(shown("FastAPI")["app"]) as url:
        yield url


@asynccontextmanager
async def alone_in_hypercorn(folder: Path) -> AsyncIterator[str]:
    import chat  # type: ignore[import-not-found]

    async with under_hypercorn(asgi_app(Lobby(chat))) as url:
        yield url


@pytest.mark.parametrize("mounted", [serve, in_aiohttp, in_tornado, in_fastapi, alone_in_hypercorn])
async def test_the_chat_is_the_same(folder: Path, mounted: Callable[[Path], AbstractAsyncContextManager[str]]) -> None:
    async with mounted(folder) as url:
        address = "ws" + url.removeprefix("http")
        async with connect(address + ROOM) as alice, connect(address + ROOM) as bob:
            assert (await within(alice.recv()), await within(bob.recv())) == ("[]", "[]")
            await alice.send("hello")
            assert await within(bob.recv()) == "hello"
            async with aiohttp.request("GET", url + ROOM) as response:
                assert (response.status, await response.json()) == (200, {"here": 2})
        async with connect(address + "/party/lobby") as carol:
            assert json.loads(await within(carol.recv())) == ["hello"]
