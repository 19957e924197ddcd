"""200,000 messages that nobody honest sends, and the largest of the bombs, thrown at live servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bombing import drop
from tests.interop.bombs import BOMBS
from tests.interop.server import Server
from tests.interop.test_fuzz import throw

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1200)]

SERIES = 10
COUNT = 20_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", target="hostile_parties.py")
    server.start()
    yield server
    if server.running:
        server.stop(60)


@pytest.mark.parametrize("seed", range(1, SERIES + 1))
async def test_a_server_outlives_what_strangers_throw_and_nobody_else_notices(server: Server, seed: int) -> None:
    fuzz = await throw(server, seed, COUNT)
    assert fuzz.thrown.total() >= COUNT
    assert all(fuzz.thrown[kind] for kind in ("update", "presence", "message", "hocuspocus", "frame"))


@pytest.mark.parametrize("name", BOMBS)
async def test_the_largest_bomb_holds_up_its_own_room_alone(server: Server, name: str) -> None:
    make, _, many = BOMBS[name]
    await drop(server, make(many))
