"""The fixtures that users' tests get, in a pytest of its own that knows nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = """
import pytest
from partyroom import Party
from partyroom.testing import fetch, visit

class Egg(Party):
    def on_connect(self, connection):
        self.room.set_alarm(__import__("datetime").timedelta(minutes=4))
    def on_alarm(self):
        self.room.broadcast("ready")

{parties}

{mark}
async def test_four_minutes(lobby, clock):
    async with visit(lobby, "/parties/egg/breakfast") as cook:
        await clock.advance(239)
        await clock.advance(1)
        assert await cook.receive() == "ready"
"""
PARTIES = "@pytest.fixture\ndef parties():\n    return Egg"


def run(folder: Path, *, parties: str = PARTIES, mark: str = "", options: tuple[str, ...] = ()) -> str:
    (folder / "test_egg.py").write_text(TESTS.format(parties=parties, mark=mark))
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30).stdout


def test_a_lobby_and_its_clock_with_pytest_asyncio_in_auto_mode(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, options=("-o", "asyncio_mode=auto"))


def test_a_lobby_and_its_clock_with_pytest_asyncio_in_strict_mode(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, mark="@pytest.mark.asyncio", options=("-o", "asyncio_mode=strict"))


def test_without_parties_it_says_what_to_write(tmp_path: Path) -> None:
    said = run(tmp_path, parties="", options=("-o", "asyncio_mode=auto"))
    assert "your fixture `parties`" in said
    assert "1 error" in said
