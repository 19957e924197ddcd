"""MemoryStore keeps the contract."""

from partyroom.stores.base import Store
from partyroom.stores.memory import MemoryStore
from partyroom.stores.suite import StoreSuite


class TestMemoryStore(StoreSuite):
    async def make_store(self) -> Store:
        return MemoryStore()
