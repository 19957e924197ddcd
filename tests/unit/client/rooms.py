"""Rooms without a network: documents with values, which pass their updates on to each other when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from pycrdt import Doc

from partyroom.client.callbacks import Callbacks
from partyroom.client.values import Values
from partyroom.protocols.replica import Replica


class Room:
    """A ``Source`` with its values: what they post waits in ``posted`` for ``settle``, what they edit in ``sent``."""

    def __init__(self, client_id: int | None = None) -> None:
        self.replica = Replica(Doc(client_id=client_id))
        self.replica.on_edit(self._edited)
        self.applying = False
        self.lock = threading.RLock()
        self.posted: list[Callable[[], None]] = []
        self.sent: list[bytes] = []
        self._on_replace = Callbacks[[Doc[Any]]]("on_replace")
        self.values = Values(self)
        self.map, self.text, self.array = self.values.map, self.values.text, self.values.array
        self.batch = self.values.batch

    def _edited(self, update: bytes) -> None:
        self.sent.append(update)

    @property
    def doc(self) -> Doc[Any]:
        return self.replica.doc

    def transaction(self) -> AbstractContextManager[Any]:
        return self.doc.transaction()

    def post(self, callback: Callable[[], None]) -> None:
        self.posted.append(callback)

    def on_replace(self, callback: Callable[[Doc[Any]], object]) -> Callable[[], None]:
        return self._on_replace.add(callback)

    def settle(self) -> None:
        """Call what was posted, and what that posts."""
        while self.posted:
            self.posted.pop(0)()

    def receive(self, update: bytes) -> None:
        """Take in somebody else's update."""
        with self.lock:
            before = self.doc
            self.applying = True
            try:
                self.replica.apply(update)
            finally:
                self.applying = False
            if self.doc is not before:
                self._on_replace(before)

    def sync(self, *others: Room) -> None:
        """Make all of them the same."""
        for one in (self, *others, self):
            for other in (self, *others):
                if one is not other:
                    other.receive(one.replica.diff(other.replica.state_vector()))
