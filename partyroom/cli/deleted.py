"""Deleted: a document that was deleted is remembered for a day, so that nobody who still has it brings it back.

What stays in its room is what a replaced document leaves (``documents.log``): another lineage, and who had written in
it. Pages that come back with the old document are sent away by that, and programs of ours empty theirs. For all else
the room is not there. The store has a list of such rooms, with the time of each, as ``.partyroom/deleted``; a deletion
also clears out what is due in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..documents.log import LEFT, PREFIX, deleted
from ..errors import ProtocolError, StoreError
from ..http import Address
from ..storage import decode, encode
from ..stores.base import Batch, Range, Store
from ..stores.sql import SqlStore

if TYPE_CHECKING:
    from ..lobby import Lobby

__all__ = ["NAME", "REMEMBERED", "delete", "document_of", "is_deleted", "rooms"]

NAME = ".partyroom"
"""The party of what is the server's own."""
LIST = Address(NAME, "deleted")
REMEMBERED = 24 * 3600.0
"""Seconds for which a deleted document is remembered, at least."""
ALL = 2**31
"""More alarms than there are."""


async def delete(lobby: Lobby, address: Address, now: float) -> None:
    """Stop a room and delete all that it keeps, at ``now`` (seconds since the epoch). Raises as ``lobby.overwrite``."""
    try:
        left = await asyncio.to_thread(deleted, await document_of(lobby, address))
    except (ProtocolError, TypeError):  # it is no document, and can be deleted all the same
        left = {}
    if left:
        await lobby.store.apply(LIST, Batch(puts={str(address): encode(now + REMEMBERED)}))
    await lobby.overwrite(address, {key: encode(value) for key, value in left.items()})
    await _clear_out(lobby, now)


async def document_of(lobby: Lobby, address: Address) -> dict[str, Any]:
    """What a room keeps of a document."""
    if address.party in lobby.party_classes:
        await (await lobby.room(address)).storage.flush()
    return {key: decode(value) for key, value in await lobby.store.load(address, Range(prefix=PREFIX))}


def is_deleted(rows: Iterable[tuple[str, bytes]]) -> bool:
    """Whether what a room keeps is only what is remembered of a deleted document."""
    return {key for key, _ in rows} == LEFT


async def rooms(store: Store, party: str | None = None) -> set[Address]:
    """The rooms that have anything stored, of ``party`` or of all; those that are only remembered have not."""
    stored = set(await store.rooms(party)) - {LIST}
    for address in await _listed(store):
        if address in stored and await _is_only_remembered(store, address):
            stored.remove(address)
    return stored


async def _is_only_remembered(store: Store, address: Address) -> bool:
    """Whether a room keeps nothing else: no alarm and no SQL database, which it may have got since."""
    if not is_deleted(await _first(store, address)):
        return False
    if any(address == ringing for ringing, _ in await store.alarms(limit=ALL)):
        return False
    try:
        return not isinstance(store, SqlStore) or await store.image(address) is None
    except StoreError:  # a transaction is under way in it, or it is damaged: it is there
        return False


async def _clear_out(lobby: Lobby, now: float) -> None:
    """Forget what was remembered long enough. Where a document has begun anew, it minds the old one for ever."""
    store = lobby.store
    for address, until in (await _listed(store)).items():
        if until > now or lobby.peek(address) is not None:  # in memory it would go on without its lineage
            continue
        if is_deleted(await _first(store, address)):
            await store.apply(address, Batch(deletes=LEFT))
        await store.apply(LIST, Batch(deletes=[str(address)]))


async def _listed(store: Store) -> dict[Address, float]:
    """The rooms of the list, and until when each is remembered."""
    listed = {}
    for key, value in await store.load(LIST):
        party, _, room = key.partition("/")
        listed[Address(party, room)] = float(decode(value))
    return listed


async def _first(store: Store, address: Address) -> list[tuple[str, bytes]]:
    """Enough of a room to see what it is."""
    return await store.load(address, Range(limit=len(LEFT) + 1))
