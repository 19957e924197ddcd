"""A simulated day of editing in one document, and what it takes in the store all the while."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import NamedTuple

from partyroom import Lobby, MemoryStore
from partyroom.documents import log
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.protocols.replica import Replica
from partyroom.testing import ManualClock, visit
from tests.bench.trace import trace
from tests.unit.documents.client import PATH, Client, Notes, Shared

__all__ = ["Stored", "a_day"]

A_DAY = 24 * 3600.0
LOOKS = 60


class Stored(NamedTuple):
    """Bytes that a document takes in the store: it with its log, its history, and what one snapshot would take."""

    document: int
    history: int
    compacted: int


async def a_day(edits: int, seed: int = 1) -> list[Stored]:
    """What is stored at many moments of a day on which somebody edits so much, leaving now and then and coming back."""
    store, clock, dice = MemoryStore(), ManualClock(), Random(seed)
    updates, seen = trace(seed, edits), []
    shadow = Replica()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby:
        left = edits
        while left > 0:
            session = dice.randint(edits // LOOKS, 2 * edits // LOOKS)
            async with visit(lobby, PATH) as socket:
                await Client(socket).sync()
                for update in islice(updates, session):
                    shadow.apply(update)
                    await socket.send(yjs.update(update))
                    if dice.random() < 0.02:
                        await clock.advance(A_DAY / edits * 50)
                        socket.transport.messages.clear()
                await clock.advance(1)
                seen.append(await _stored(store, shadow))
            await clock.advance(dice.choice([1, 60]))
            seen.append(await _stored(store, shadow))
            left -= session
    seen.append(await _stored(store, shadow))
    return seen


async def _stored(store: MemoryStore, shadow: Replica) -> Stored:
    rows = await store.load(Address("notes", "today"))
    of_document = sum(len(value) for key, value in rows if key.startswith((log.SNAPSHOT, log.UPDATE)))
    return Stored(of_document, sum(len(value) for _, value in rows) - of_document, len(shadow.snapshot()))
