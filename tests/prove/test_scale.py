"""Ten thousand rooms on demand: what they cost, and how soon one that is on disk answers."""

from __future__ import annotations

import sys

import pytest

from tests.bench.rooms import MEMORY_TARGET, REVIVAL_TARGET, measured

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_ten_thousand_rooms_are_cheap_and_quickly_back() -> None:
    found = await measured(10_000)
    assert found.failed is None
    p99 = found.revived_at(0.99)
    assert p99 is not None
    assert found.bytes_each < MEMORY_TARGET
    assert p99 < REVIVAL_TARGET
