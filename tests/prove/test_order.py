"""Whatever is done in whatever order, each client hears what it must, in order: 150 plays under every gateway."""

from __future__ import annotations

import pytest

from tests.gateways.play import STAGES, play

pytestmark = [pytest.mark.prove]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("seed", range(100, 250))
async def test_each_client_hears_all_that_was_said_to_it_in_order(seed: int, stage: str) -> None:
    await play(seed, stage, rounds=60)
