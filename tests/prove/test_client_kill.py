"""A server killed fifty times under ten Python clients that type, ask what is saved, and send numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.interop.client_kill import kill_under_clients
from tests.interop.server import Server

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

SERIES = 5
KILLS = 10
"""Of one series: the same document, clients and data folder."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    yield server
    if server.running:
        server.stop()


@pytest.mark.parametrize("seed", range(SERIES))
async def test_clients_lose_nothing_that_was_saved(server: Server, seed: int) -> None:
    await kill_under_clients(server, Random(seed).choices(range(1, 600), k=KILLS))
