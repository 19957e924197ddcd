"""Fixtures of the tests inside Jupyter: real servers in child processes, and a session to ask them with."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

HERE = Path(__file__).parent
MISSING = next((name for name in ("jupyter_server", "ipykernel") if importlib.util.find_spec(name) is None), None)

if MISSING is None:
    from tests.jupyter.server import JupyterServer

collect_ignore_glob = [] if MISSING is None or os.environ.get("CI") == "true" else ["test_*.py"]


def pytest_report_header() -> str | None:
    """Say why there are no such tests (in continuous integration they fail instead)."""
    return f"tests/jupyter left out: needs {MISSING} (`make test` installs it)" if MISSING else None


StartServer = Callable[..., "JupyterServer"]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers that end with the module."""
    servers: list[JupyterServer] = []

    def start(config: str = "", **options: object) -> JupyterServer:
        server = JupyterServer(tmp_path_factory.mktemp("jupyter"), config, **options)  # type: ignore[arg-type]
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        if server.running:
            server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies by itself."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:8]}"
