"""Fixtures of the interop tests: a server in a child process, and npm clients in others."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.interop.node import NodeClient
from tests.interop.server import HERE, Server, readme_chat
from tests.interop.table import Recorder

StartClient = Callable[..., Awaitable[NodeClient]]


def pytest_configure(config: pytest.Config) -> None:
    """Write the README's table of clients where that is asked for."""
    if os.environ.get("PARTYROOM_TABLE") == "1":
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, and skip it where its clients are not installed (never in continuous integration)."""
    missing = None
    if shutil.which("node") is None:
        missing = "needs Node 20: `make test` installs one"
    elif not (HERE / "node_modules").exists():
        missing = "needs the npm clients: `npm ci` in tests/interop, or `make test`"
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"tests/interop {missing}")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("interop")
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it running; each uses rooms of its own."""
    shared = Server(tmp_path_factory.mktemp("server") / "data")
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server for one test, which may stop and start it."""
    own = Server(tmp_path / "data")
    own.start()
    yield own
    if own.running:
        own.stop()


@pytest.fixture
def stuck_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose store takes nothing until it is told to."""
    server = Server(tmp_path / "data", target="stuck_parties.py")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def chat_server(tmp_path: Path) -> Iterator[Server]:
    """A server of the README's chat."""
    server = Server(tmp_path / "data", target=str(readme_chat(tmp_path)))
    server.start()
    yield server
    if server.running:
        server.stop()


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def start_client() -> AsyncIterator[StartClient]:
    """Starts clients (``start_client("socket.js")``) that end with the test."""
    async with AsyncExitStack() as stack:

        async def start(script: str, *arguments: str) -> NodeClient:
            return await stack.enter_async_context(NodeClient.running(script, *arguments))

        yield start
