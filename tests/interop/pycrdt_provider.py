"""pycrdt's own ``Provider`` and ``Awareness``, driven by the tests as ``provider.js`` is: the same commands and events.

pycrdt leaves the WebSocket to others, so what stands between it and the server is here: it connects again when the
server goes, and hands presence and the answer to "is it saved?" to whom they are for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from contextlib import suppress
from typing import Any

from pycrdt import Awareness, Doc, Provider, Text, TransactionEvent, create_awareness_message, read_message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

AWARENESS, SAVED = 1, 102


def emit(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Channel:
    """One WebSocket, as ``Provider`` wants it: gives it the sync messages, and keeps the rest from it."""

    def __init__(self, socket: ClientConnection, client: Client) -> None:
        self.path = client.url
        self._socket = socket
        self._client = client

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def recv(self) -> bytes:
        while (message := await self._socket.recv(decode=False))[0] != 0:
            self._client.hear(message)
        emit("changed")
        return message

    async def send(self, message: bytes) -> None:
        with suppress(ConnectionClosed):
            await self._socket.send(message)


class Client:
    """A document with the text ``body`` and its presence, in a room until it leaves."""

    def __init__(self) -> None:
        self.url = ""
        self.disconnects = 0
        self.asked = self.answered = 0
        self.doc: Doc[Text] = Doc()
        self.body = self.doc.get("body", type=Text)
        self.awareness = Awareness(self.doc)
        self._socket: ClientConnection | None = None
        self._provider: Provider | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()

    # -- what the tests ask --------------------------------------------------------------------------------------

    def open(self, host: str, party: str, room: str, params: dict[str, str] | None = None) -> dict[str, int]:
        query = "&".join(f"{name}={value}" for name, value in (params or {}).items())
        self.url = f"ws://{host}/parties/{party}/{room}?{query}"
        self._watching = self.doc.observe(self._on_change), self.awareness.observe(self._on_presence)
        self._tasks = [asyncio.create_task(self._stay()), asyncio.create_task(self.awareness.start())]
        return {"client": self.doc.client_id}

    def insert(self, index: int, text: str) -> None:
        assert index == 0, "pycrdt counts bytes"
        self.body.insert(0, text)

    def append(self, text: str) -> None:
        self.body += text

    def paste(self, size: int) -> None:
        self.body.insert(0, ("0123456789abcde\n" * (size // 16 + 1))[:size])

    def delete(self, index: int, length: int) -> None:
        assert (index, length) == (0, self._length()), "pycrdt counts bytes"
        self.body.clear()

    def present(self, name: str) -> None:
        self.awareness.set_local_state_field("user", {"name": name})

    async def confirm(self) -> None:
        self.asked += 1
        assert self._socket is not None
        await self._socket.send(bytes([SAVED, 0]))

    def snapshot(self) -> dict[str, Any]:
        text = str(self.body)
        users = [state.get("user", {}).get("name") for state in self.awareness.states.values()]
        return {
            "connected": self._socket is not None,
            "synced": self._provider is not None and self._provider.synced.is_set(),
            "saved": self.asked == self.answered,
            "disconnects": self.disconnects,
            "here": sorted(filter(None, users)),
            "text": text if len(text) < 10_000 else None,
            "length": self._length(),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "pending": False,
        }

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _length(self) -> int:
        """In UTF-16 units, as the others count."""
        return len(str(self.body).encode("utf-16-le")) // 2

    # -- in the room ---------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        async for socket in connect(self.url, max_size=None, max_queue=None):
            self._socket = socket
            try:
                async with Provider(self.doc, Channel(socket, self)) as self._provider:
                    emit("changed")
                    if self.awareness.get_local_state() is not None:
                        self._send_presence([self.doc.client_id])
                    await socket.wait_closed()
            except* ConnectionClosed:
                pass
            finally:
                self._socket = self._provider = None
                self.disconnects += 1
                others = [client for client in self.awareness.states if client != self.doc.client_id]
                self.awareness.remove_awareness_states(others, "remote")
                emit("changed")

    def hear(self, message: bytes) -> None:
        """What ``Provider`` does not understand."""
        if message[0] == AWARENESS:
            self.awareness.apply_awareness_update(read_message(message[1:]), "remote")
        elif message[0] == SAVED:
            self.answered += 1
        emit("changed")

    def _on_change(self, event: TransactionEvent) -> None:
        emit("changed")

    def _on_presence(self, topic: str, event: tuple[dict[str, Any], Any]) -> None:
        changes, origin = event
        if topic == "update" and origin != "remote":
            self._send_presence([client for part in ("added", "updated", "removed") for client in changes[part]])
        emit("changed")

    def _send_presence(self, clients: list[int]) -> None:
        if (socket := self._socket) is not None:
            message = create_awareness_message(self.awareness.encode_awareness_update(clients))
            task = asyncio.create_task(Channel(socket, self).send(message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)


async def main() -> None:
    client = Client()
    commands = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    emit("ready")
    async for line in commands:
        command = json.loads(line)
        try:
            value = getattr(client, command["op"])(**command["args"])
            answer = {"value": await value if asyncio.iscoroutine(value) else value}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps({"call": command["call"], **answer}), flush=True)
    await client.leave()


if __name__ == "__main__":
    asyncio.run(main())
