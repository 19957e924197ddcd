"""A short, seeded sample of tests/prove/test_convergence.py: all families converge whatever the network does."""

from __future__ import annotations

import pytest

from tests.interop.convergence import converge
from tests.interop.server import Server


@pytest.mark.timeout(120)
async def test_ten_clients_of_all_families_converge_over_failing_networks_and_a_failing_server(
    own_server: Server,
) -> None:
    # of the seeds, one with a restart, a kill and updates that come before their predecessors
    await converge(own_server, seed=113, steps=200)
