"""Fixtures for tests of your rooms, there wherever partyroom and pytest are installed.

::

    @pytest.fixture
    def parties():
        return {"chat": Chat}        # or one Party class, or a module of them

    async def test_an_alarm(lobby, clock):
        async with visit(lobby, "/parties/chat/lobby") as ada:
            await clock.advance(3600)                 # idle rooms, alarms and crons see an hour pass
            assert await ada.receive() == "time is up"

Asynchronous tests are run by pytest-asyncio, in whichever mode, or by anyio's plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

T = TypeVar("T")


def _asynchronous() -> Callable[[T], T]:
    """What makes a fixture of a coroutine: pytest-asyncio's, or pytest's own, which anyio's plugin takes."""
    plugin: Any = pytest
    with suppress(ImportError):
        plugin = import_module("pytest_asyncio")
    decorate: Callable[[T], T] = plugin.fixture
    return decorate


if TYPE_CHECKING:
    from .lobby import Lobby
    from .testing import ManualClock

__all__ = ["clock", "lobby", "parties"]


@pytest.fixture
def parties() -> Any:
    """What ``lobby`` serves; override it: a mapping of names to Party classes, one class, or a module."""
    pytest.fail('the fixture `lobby` serves what your fixture `parties` returns, for one {"chat": Chat}', pytrace=False)


@pytest.fixture
def clock() -> ManualClock:
    """The lobby's clock, which stands still until ``await clock.advance(seconds)`` moves it."""
    from .testing import ManualClock

    return ManualClock()


@_asynchronous()
async def lobby(parties: Any, clock: ManualClock) -> AsyncIterator[Lobby]:
    """A lobby in memory with ``parties``, for ``partyroom.testing.visit`` and ``fetch``; closed after the test."""
    from .lobby import Lobby

    async with Lobby(parties, clock=clock) as lobby:
        yield lobby
