"""``kill -9`` in the middle of a stream of edits: a short, seeded sample of what tests/prove does fifty times."""

from __future__ import annotations

import random

import pytest

from tests.interop.kill import kill_chats, kill_documents
from tests.interop.server import Server

SAMPLE = random.Random(11).sample(range(100, 900), 3)
LINES = random.Random(12).sample(range(20, 300), 3)


@pytest.mark.timeout(120)
async def test_edits_that_were_confirmed_or_relayed_a_second_before_survive(own_server: Server) -> None:
    await kill_documents(own_server, SAMPLE)


async def test_a_chat_line_that_was_passed_on_after_its_put_survives(chat_server: Server) -> None:
    await kill_chats(chat_server, LINES)
