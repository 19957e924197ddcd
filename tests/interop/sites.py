"""The servers that the Python client is proved against, ours and others', and how its clients and npm's meet there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pycrdt import Text

from partyroom.client import Backoff, DocumentClient
from tests.interop.foreign import ForeignServer
from tests.interop.server import Server

QUICK = Backoff(initial=0.2, maximum=1)


class Kind(NamedTuple):
    """One kind of server: whose it is, in which dialect it is spoken to, and what it can say."""

    foreign: str | None
    dialect: str
    acknowledges: bool
    read_only: bool


KINDS = {
    "partyroom": Kind(None, "yjs", acknowledges=True, read_only=True),
    "partyroom as Hocuspocus": Kind(None, "hocuspocus", acknowledges=True, read_only=True),
    "@y/websocket-server": Kind("y-websocket", "yjs", acknowledges=False, read_only=False),
    "@hocuspocus/server": Kind("hocuspocus", "hocuspocus", acknowledges=True, read_only=True),
}


class Site:
    """A server of one kind."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.server = (
            Server(folder / "data") if kind.foreign is None else ForeignServer(folder / "foreign.log", kind.foreign)
        )

    @property
    def family(self) -> str:
        """Of npm's clients, the one that belongs to this server (``provider.js``)."""
        return "hocuspocus" if self.kind.dialect == "hocuspocus" else "y-websocket"

    def client(self, room: str, **options: Any) -> DocumentClient:
        """A Python client."""
        host = self.server.host
        if self.kind.dialect == "hocuspocus":
            chosen: dict[str, Any] = {"dialect": "hocuspocus", "party": "hocuspocus"}
        elif self.kind.foreign:  # right below the host, which for npm's clients of these tests has a path
            host, chosen = f"ws://{host}/parties/notes", {"party": "", "prefix": ""}
        else:
            chosen = {"party": "notes"}
        return DocumentClient(host, room=room, backoff=QUICK, **chosen, **options)


def body(client: DocumentClient) -> Text:
    """The text that all write in."""
    found: Text = client.doc.get("body", type=Text)
    return found


def text(client: DocumentClient) -> str:
    """What is written there."""
    return str(body(client))


def names(client: DocumentClient) -> list[str]:
    """Who else is here."""
    return sorted(state["user"]["name"] for state in client.others.values() if "user" in state)


async def until(client: DocumentClient, wanted: Callable[[], bool], timeout: float = 15) -> None:
    """Wait until something is so; looked at again whenever the client tells of a change."""
    changed = asyncio.Event()
    endings = [
        client.on_change(changed.set),
        client.on_presence(lambda *change: changed.set()),
        client.on_status(lambda status: changed.set()),
    ]
    try:
        async with asyncio.timeout(timeout):
            while not wanted():
                await changed.wait()
                changed.clear()
    except TimeoutError:
        seen = f"{client.status}, {client.failure!r}, {client.others}, {text(client)[:300]!r}"
        raise AssertionError(f"not so within {timeout} s; last seen: {seen}") from None
    finally:
        for end in endings:
            end()
