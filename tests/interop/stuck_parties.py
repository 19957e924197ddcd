"""Documents whose store takes nothing until ``POST /release``: ``partyroom serve tests/interop/stuck_parties.py``."""

from __future__ import annotations

import asyncio

from partyroom import DocumentParty, HocuspocusParty, Lobby, MemoryStore, Request, Response
from partyroom.http import Address
from partyroom.stores.base import Batch


class Stuck(MemoryStore):
    """A store that is slow on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        await self.released.wait()
        await super().apply(address, batch, fence=fence)


store = Stuck()


class Notes(DocumentParty):
    """A document room as it comes."""

    @classmethod
    def on_fetch(cls, request: Request) -> Response:
        store.released.set()
        return Response("released")


class Hocuspocus(HocuspocusParty):
    """The same for Hocuspocus' providers."""

    documents = "notes"


lobby = Lobby({"notes": Notes, "hocuspocus": Hocuspocus}, store=store)
