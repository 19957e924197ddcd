"""A process with a document: its clients send the texts that it is told, each of its own, and it tells what came of it.

python server.py FILE TEXT...    ("!" begins another client; "-" lets the room stop and start again)
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from pycrdt import Doc, Text

from partyroom import DocumentParty, Lobby, SQLiteStore
from partyroom.documents import trial
from partyroom.errors import RoomStopped
from partyroom.protocols import yjs
from partyroom.testing import fetch, visit

PATH = "/parties/notes/today"
trial.SECONDS = 0.5


class Notes(DocumentParty):
    """What it knows is read over HTTP."""

    versioning = None


def typed(text: str) -> bytes:
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, text)
    return doc.get_update()


async def send(lobby: Lobby, texts: list[str]) -> int | None:
    """Be one client; the code with which it was closed."""
    async with visit(lobby, PATH) as socket:
        for text in texts:
            if socket.transport.ended is None:
                await socket.send(yjs.update(typed(text)))
                (room,) = lobby.rooms()
                await room.storage.flush()
        return None if socket.transport.ended is None else socket.transport.ended.code


async def tell(lobby: Lobby) -> dict[str, Any]:
    (room,) = lobby.rooms()
    party = await room.life.ready()
    assert isinstance(party, Notes)
    return {
        "text": (await fetch(lobby, PATH + "/doc.txt?root=body")).text(),
        "quarantined": [[one.sender, one.reason, one.update.hex()] for one in await party.quarantined()],
        "careful": party._live.careful,
    }


async def main(path: str, words: list[str]) -> None:
    async with Lobby({"notes": Notes}, store=SQLiteStore(path)) as lobby:
        codes = []
        clients = " ".join(words).split("!")
        try:
            for texts in clients:
                if texts.strip() == "-":
                    (room,) = lobby.rooms()
                    await room.stop()
                else:
                    codes.append(await send(lobby, texts.split()))
            print(json.dumps({"codes": codes, **await tell(lobby)}))
        except RoomStopped:
            print(json.dumps({"codes": "the room did not start"}))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
