"""What is stored of a document stays within a few times of what it holds, however long it is edited."""

from __future__ import annotations

import pytest

from partyroom.documents.log import MANY
from tests.unit.documents.growth import a_day

LOG = 80 * MANY
"""Bytes that the updates may take that are too few to be worth a snapshot."""


@pytest.mark.slow
async def test_promise_10_a_document_that_is_edited_for_a_day_stays_within_three_times_its_compacted_size() -> None:
    """6,000 of the 100,000 edits of tests/prove/test_trace.py."""
    seen = await a_day(6_000)
    assert len(seen) > 40
    for stored in seen:
        assert stored.document <= 3 * stored.compacted + LOG
    assert seen[-1].document <= 1.5 * seen[-1].compacted + 4096, "and who leaves, leaves a snapshot"
