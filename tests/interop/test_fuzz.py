"""2,000 of the 200,000 messages of tests/prove/test_fuzz.py: a live server outlives them, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bombing import MOST, SAMPLE_MOST, drop
from tests.interop.bombs import BOMBS
from tests.interop.fuzz import Fuzz
from tests.interop.node import NodeClient
from tests.interop.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", target="hostile_parties.py")
    server.start()
    yield server
    if server.running:
        server.stop()


async def test_what_strangers_throw_at_a_server_costs_them_their_connection_and_nobody_else_notices(
    server: Server,
) -> None:
    await throw(server, seed=0, count=2_000, most=SAMPLE_MOST)


@pytest.mark.parametrize("name", ["two_on_trains", "two_on_trains_and_a_third", "waiting_for_a_slow_typist"])
async def test_what_is_small_to_send_and_large_to_apply_holds_up_its_own_room_alone(server: Server, name: str) -> None:
    make, few, _ = BOMBS[name]
    assert await drop(server, make(few), SAMPLE_MOST) is None


async def throw(server: Server, seed: int, count: int, most: float = MOST) -> Fuzz:
    """Throw so much, while somebody else is answered within ``most`` seconds; the fuzz, for what it has counted."""
    fuzz = Fuzz(server, seed)
    async with NodeClient.running("healthy.py") as healthy:
        await healthy.call("start", url=f"ws://{server.host}/parties/notes/healthy")
        await fuzz.throw(count)
        seen = await healthy.call("snapshot")
    assert server.running
    assert not fuzz.silent, fuzz.silent[:5]
    assert seen["turns"] > 0
    assert max(seen["slowest"].values()) < most, seen
    assert "Traceback" not in server.log(), server.log()
    return fuzz
