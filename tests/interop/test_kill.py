"""``kill -9`` in the middle of a stream of edits: a short, seeded sample of what tests/prove does a thousand times."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.interop.forked import ForkedServer
from tests.interop.kill import kill_chats, kill_documents
from tests.interop.kill_often import kill_often
from tests.interop.server import Server

SAMPLE = random.Random(11).sample(range(100, 900), 3)
LINES = random.Random(12).sample(range(20, 300), 3)


@pytest.mark.timeout(120)
async def test_edits_that_were_confirmed_or_relayed_a_second_before_survive(own_server: Server) -> None:
    await kill_documents(own_server, SAMPLE)


async def test_a_chat_line_that_was_passed_on_after_its_put_survives(chat_server: Server) -> None:
    await kill_chats(chat_server, LINES)


@pytest.mark.timeout(120)
async def test_what_was_acknowledged_survives_at_whatever_moment_a_server_is_killed(tmp_path: Path) -> None:
    with ForkedServer(tmp_path / "data", "restless_parties.py").ready() as server:
        assert await kill_often(server, seed=5, kills=3) > 100
