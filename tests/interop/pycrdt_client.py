"""A Yjs client on pycrdt and websockets, with the sync protocol written out by hand: nothing of ours is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

from pycrdt import Doc, Text, TransactionEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

SYNC = 0
STEP1, STEP2, UPDATE = 0, 1, 2


def varint(number: int) -> bytes:
    """lib0's unsigned integer: seven bits a byte, lowest first, the high bit on all but the last."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*encoded, number])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at`` and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def message(step: int, payload: bytes) -> bytes:
    return bytes([SYNC, step]) + varint(len(payload)) + payload


class PycrdtClient:
    """A document with the text ``body``, kept in step with a room until the server goes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.doc = Doc[Text]()
        self.body = self.doc.get("body", type=Text)
        self.synced = False
        """Whether the room's own document has come."""
        self._socket = socket
        self._applying = False
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._watching = self.doc.observe(self._on_change)

    @classmethod
    @asynccontextmanager
    async def joined(cls, url: str) -> AsyncIterator[Self]:
        """A client that has sent its SyncStep1 and stays in the room until the block ends."""
        async with connect(url, max_size=None) as socket, asyncio.TaskGroup() as group:
            client = cls(socket)
            await socket.send(message(STEP1, client.doc.get_state()))
            tasks = [group.create_task(client._receive()), group.create_task(client._send())]
            yield client
            for task in tasks:
                task.cancel()

    def insert(self, text: str) -> None:
        """Write ``text`` at the start."""
        self.body.insert(0, text)

    def received(self) -> None:
        """The room's document, or an update of it, has been taken in."""

    async def until(self, text: str, timeout: float = 15) -> None:
        """Wait until the document reads ``text``."""
        await self.until_so(lambda: str(self.body) == text, timeout)

    async def until_so(self, wanted: Callable[[], bool], timeout: float = 15) -> None:
        """Wait until something is so; looked at again whenever something has come."""
        async with self._changed:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait_for(wanted)
            except TimeoutError:
                raise AssertionError(f"not so within {timeout} s; last seen: {self.body}") from None

    def _on_change(self, event: TransactionEvent) -> None:
        if not self._applying:
            self._outgoing.put_nowait(message(UPDATE, event.update))

    async def _send(self) -> None:
        while True:
            await self._socket.send(await self._outgoing.get())

    async def _receive(self) -> None:
        with suppress(ConnectionClosed):
            async for data in self._socket:
                assert isinstance(data, bytes)
                if data[0] == SYNC:
                    self._take(data)
                    async with self._changed:
                        self._changed.notify_all()

    def _take(self, data: bytes) -> None:
        length, start = read_varint(data, 2)
        payload = data[start : start + length]
        if data[1] == STEP1:
            self._outgoing.put_nowait(message(STEP2, self.doc.get_update(payload)))
            return
        self._applying = True
        self.doc.apply_update(payload)
        self._applying = False
        self.synced = self.synced or data[1] == STEP2
        self.received()
