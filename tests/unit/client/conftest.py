"""What every test of a client ends with: nothing is left running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """No task and no thread outlives a client."""
    before = asyncio.all_tasks()
    threads = set(threading.enumerate())
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, left
    started = {t for t in set(threading.enumerate()) - threads if not t.name.startswith("asyncio_")}  # an executor's
    assert not started, started
