"""Relative positions in 1,000 documents: Yjs and the client name the same places."""

from __future__ import annotations

import pytest

from tests.interop.node import NodeClient
from tests.interop.oracle import agree


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_positions_are_those_of_yjs_in_a_thousand_documents() -> None:
    async with NodeClient.running("oracle.js") as node:
        assert sum([await agree(node, seed) for seed in range(1000)]) > 50_000
