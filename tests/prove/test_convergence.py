"""All client families converge: ten clients, 2,000 steps, twenty seeds, on networks and a server that fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.convergence import converge
from tests.interop.server import Server

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    yield server
    if server.running:
        server.stop()


@pytest.mark.parametrize("seed", range(20))
async def test_ten_clients_of_all_families_converge(server: Server, seed: int) -> None:
    await converge(server, seed, steps=2_000)
    assert "ERROR" not in server.log()
