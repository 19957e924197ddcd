"""``kill -9``, fifty times and at any moment: nothing confirmed is lost, nothing is damaged, nothing comes twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.kill import kill_chats, kill_documents
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
