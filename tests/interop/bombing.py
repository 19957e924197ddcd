"""Drops a bomb into one room of a live server, while somebody in another edits and notices every delay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from partyroom.protocols import yjs
from tests.interop.fuzz import BINARY, CLOSE, connected, frame, read_frame
from tests.interop.node import NodeClient
from tests.interop.server import Server

__all__ = ["MOST", "SAMPLE_MOST", "drop"]

MOST: Final = 1.0
"""Seconds that anything of the healthy client's may take..."""
SAMPLE_MOST: Final = 2.0
"""...and in a test run that may have to share its processors."""
QUESTION: Final = yjs.sync_status(b"?")
LONGEST: Final = 300.0


async def drop(server: Server, updates: Iterable[bytes], most: float = MOST) -> int | None:
    """Send these updates to a room in one go, look into the room, and leave it; the code it was closed with, if it was.

    A healthy client in another room has to be answered within ``most`` seconds all the while.
    """
    said = [yjs.sync_step1(b"\0"), yjs.sync_step2(yjs.EMPTY_UPDATE), *map(yjs.update, updates), QUESTION]
    async with NodeClient.running("healthy.py") as healthy, asyncio.timeout(LONGEST):
        await healthy.call("start", url=f"ws://{server.host}/parties/notes/healthy")
        code = await _talk(server, said)
        assert await _talk(server, [yjs.sync_step1(b"\0"), yjs.sync_step2(yjs.EMPTY_UPDATE), QUESTION]) is None
        seen = await healthy.call("snapshot")
    assert server.running
    assert max(seen["slowest"].values()) < most, seen
    return code


async def _talk(server: Server, said: Iterable[bytes]) -> int | None:
    """Say all this, wait until the last question is answered, and leave without a word."""
    reader, writer = await connected(server.host, "/parties/notes/bombed")
    try:
        writer.write(b"".join(frame(BINARY, message) for message in said))
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == CLOSE & 0xF:
                assert payload[2:], "closed without a reason"
                return int.from_bytes(payload[:2])
            if payload == QUESTION:
                return None
    finally:
        writer.transport.abort()
