"""Whatever is done in whatever order, each client hears what it must, in order: a sample of tests/prove/test_order."""

from __future__ import annotations

import pytest

from tests.gateways.play import STAGES, play


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("seed", range(4))
async def test_each_client_hears_all_that_was_said_to_it_in_order(seed: int, stage: str) -> None:
    await play(seed, stage)
