"""Without a network, in milliseconds: pip install pytest, then pytest."""

import asyncio

from notes import Notes
from partyroom import Lobby
from partyroom.testing import fetch
from pycrdt import Doc, Text


def test_a_new_note_begins_with_its_name() -> None:
    async def read() -> bytes:
        async with Lobby({"notes": Notes}) as lobby:
            return (await fetch(lobby, "/parties/notes/today/doc")).body

    doc = Doc()
    doc.apply_update(asyncio.run(read()))
    assert str(doc.get("body", type=Text)) == "# today\n\n"
