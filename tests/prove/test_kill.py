"""``kill -9`` at any moment: nothing confirmed is lost, nothing is damaged, nothing comes twice.

A thousand times while several people edit several documents, and a hundred times in the middle of one stream of edits,
or of lines of a chat.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.forked import ForkedServer
from tests.interop.kill import kill_chats, kill_documents
from tests.interop.kill_often import kill_often
from tests.interop.server import Server, readme_chat

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]

SERIES = 5
KILLS = 10
"""Of one series: the same data folder and, with documents, the same room."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts a server that serves a file, and sees to it that it has gone when the test ends."""
    servers: list[Server] = []

    def start(target: str) -> Server:
        servers.append(Server(tmp_path / "data", target=target))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        if server.running:
            server.stop()


@pytest.mark.parametrize("seed", range(SERIES))
async def test_edits_survive(start: Callable[[str], Server], seed: int) -> None:
    await kill_documents(start("parties.py"), random.Random(seed).choices(range(1, 1000), k=KILLS))


@pytest.mark.parametrize("seed", range(SERIES))
async def test_chat_lines_survive(start: Callable[[str], Server], tmp_path: Path, seed: int) -> None:
    await kill_chats(start(str(readme_chat(tmp_path))), random.Random(seed).choices(range(1, 400), k=KILLS))


@pytest.mark.parametrize("seed", range(10))
async def test_what_was_acknowledged_survives_a_hundred_kills(tmp_path: Path, seed: int) -> None:
    with ForkedServer(tmp_path / "data", "restless_parties.py").ready() as server:
        assert await kill_often(server, seed, kills=100) > 10_000
