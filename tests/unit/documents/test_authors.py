"""Whose client ids are: some are remembered, and nobody makes that many."""

from __future__ import annotations

import pytest

from partyroom.documents import authors
from partyroom.documents.authors import CLIENT, MOST_AT_ONCE, Author, Authors
from partyroom.http import Address
from partyroom.storage import Storage
from partyroom.stores.memory import MemoryStore

ADA = Author("user:ada", "Ada")


@pytest.fixture
def storage() -> Storage:
    return Storage(MemoryStore(), Address("notes", "today"))


async def meet(storage: Storage, among: Authors, clients: range, now: float) -> None:
    """Write down what ``meet`` gives, as the scribe does."""
    if rows := await among.meet(dict.fromkeys(clients, ADA), now):
        await storage.put(rows)


async def test_an_update_of_a_hundred_thousand_clients_stores_some_hundred(storage: Storage) -> None:
    await meet(storage, Authors(storage), range(100_000), 1.0)
    assert len(await storage.list(CLIENT)) == MOST_AT_ONCE


async def test_however_many_come_the_latest_are_known(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "MOST_CLIENTS", 100)
    among = Authors(storage)
    for number in range(50):
        await meet(storage, among, range(10 * number, 10 * number + 10), number)
        assert len(await storage.list(CLIENT)) <= 100
    assert len(await among.of(list(range(410, 500)))) == 90
    assert await among.of(list(range(300))) == {}
