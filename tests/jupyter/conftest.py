"""Fixtures of the tests inside Jupyter: real servers in child processes, and a session to ask them with."""

from __future__ import annotations

import importlib.util
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.e2e.browser import find_chromium

if TYPE_CHECKING:
    from tests.jupyter.server import JupyterServer

HERE = Path(__file__).parent
INTEROP = HERE.parent / "interop"
ESBUILD = HERE.parent.parent / "partyroom/web/node_modules/.bin/esbuild"

StartServer = Callable[..., "JupyterServer"]

PARTIES = """
from partyroom.cli.readymade import PARTIES
from partyroom import Lobby, Party, SQLiteStore

class Who(Party):
    def on_connect(self, connection):
        connection.send_json(dict(connection.request.user))

lobby = Lobby({**PARTIES, "who": Who}, store=SQLiteStore("rooms.db"))
"""


def _lacks(*modules: str) -> str | None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"needs {', '.join(missing)}: `make test` installs what the dev group names" if missing else None


def _lacks_node(folder: Path) -> str | None:
    if shutil.which("node") is None:
        return "needs Node 20: `make test` installs one"
    if not (folder / "node_modules").exists():
        return f"needs npm packages: `npm ci` in {folder.relative_to(HERE.parent.parent)}, or `make test`"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here, saying why (in continuous integration all of it must)."""
    lacking = {
        "": _lacks("jupyter_server"),
        "test_kernels": _lacks("ipykernel", "jupyter_client"),
        "test_clients": _lacks_node(INTEROP),
        "test_hub": _lacks("jupyterhub") or _lacks_node(HERE),
        "test_lab": _lacks("jupyterlab", "notebook") or _lacks_node(INTEROP) or _lacks_esbuild() or _lacks_browser(),
        "test_page": _lacks_browser(),
    }
    for item in items:
        if item.path.is_relative_to(HERE) and (missing := lacking[""] or lacking.get(item.path.stem)):
            if os.environ.get("CI") == "true":
                raise pytest.UsageError(f"{item.path.relative_to(HERE.parent)} {missing}")
            item.add_marker(pytest.mark.skip(reason=missing))


def _lacks_esbuild() -> str | None:
    return None if ESBUILD.exists() else "needs esbuild: `python -m partyroom.web.build` installs it, or `make test`"


def _lacks_browser() -> str | None:
    return None if find_chromium() else "needs Chromium: `make browser` installs it on Debian"


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers that end with the session; a test may stop its own before."""
    from tests.jupyter.server import JupyterServer

    servers: list[JupyterServer] = []

    def start(config: str = "", **options: object) -> JupyterServer:
        server = JupyterServer(tmp_path_factory.mktemp("jupyter"), config, **options)  # type: ignore[arg-type]
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        if server.running:
            server.kill()  # how one stops is tested elsewhere; Python takes a second for the end of so large a program


@pytest.fixture(scope="session")
def shared(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> JupyterServer:
    """One server for all tests that leave it running; each uses rooms of its own. Who shows its token says who they
    are, with ``?as=``."""
    from tests.jupyter.identity import NAMED

    target = tmp_path_factory.mktemp("parties") / "my_parties.py"
    target.write_text(PARTIES)
    return start_server(f"c.PartyroomExtension.target = {str(target)!r}\n{NAMED}", base="/user/j%C3%B6/")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies by itself."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:8]}"
