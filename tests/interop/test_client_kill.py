"""A server killed under ten Python clients: a short, seeded sample of what tests/prove does fifty times."""

from __future__ import annotations

from random import Random

import pytest

from tests.interop.client_kill import kill_under_clients
from tests.interop.server import Server

SAMPLE = Random(4).sample(range(100, 600), 2)


@pytest.mark.timeout(120)
async def test_clients_survive_a_killed_server_and_lose_nothing_that_was_saved(own_server: Server) -> None:
    await kill_under_clients(own_server, SAMPLE)
