"""A server for the tests of this folder: what ``partyroom serve`` serves by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from partyroom_tui import presence

from tests.interop.server import Server

_numbers = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests."""
    server = Server(tmp_path_factory.mktemp("tui") / "data", target=None)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes back within a moment here, so nobody waits for them."""
    monkeypatch.setattr(presence, "SETTLE", 0.2)
    monkeypatch.setattr(presence, "RETURN", 0.05)


@pytest.fixture
def room() -> str:
    """A room that no other test is in."""
    return f"room-{next(_numbers)}"


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """One for a test that stops it."""
    server = Server(tmp_path / "data", target=None)
    server.start()
    try:
        yield server
    finally:
        server.stop()
