"""What every test of a client ends with: nothing is left running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """No task and no thread of ours outlives a client."""
    before, running = asyncio.all_tasks(), set(threading.enumerate())
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, left
    threads = {one.name for one in set(threading.enumerate()) - running if one.name.startswith("partyroom")}
    assert threads <= {"partyroom network"}  # which is there for good
