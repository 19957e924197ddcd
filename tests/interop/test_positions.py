"""Relative positions: Yjs and the client name the same places, whatever the text and whoever edits it."""

from __future__ import annotations

from random import Random

from tests.interop.conftest import StartClient
from tests.interop.oracle import agree


async def test_positions_are_those_of_yjs_in_sixty_documents(start_client: StartClient) -> None:
    node = await start_client("oracle.js")
    seeds = Random(4).sample(range(1000), 60)
    assert sum([await agree(node, seed) for seed in seeds]) > 3_000
