"""Somebody who edits in a room of their own and notices every delay: `python healthy.py`, driven as ``driver.js`` is.

Each turn is an edit that has to come back, a question what is saved that has to be answered, and a ping. What the
slowest of each took is what ``snapshot`` tells.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter
from typing import Any

from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection, connect

EVERY = 0.01
"""Seconds between two turns."""
SAVED = bytes([102, 0])


def emit(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def message(update: bytes) -> bytes:
    """A sync message with an update of less than 128 bytes."""
    return bytes([0, 2, len(update)]) + update


class Healthy:
    """One client; ``turns`` so far, and the seconds of the slowest ``edit``, ``saved`` and ``ping``."""

    def __init__(self) -> None:
        self.doc: Doc[Text] = Doc()
        self.text = self.doc.get("body", type=Text)
        self.turns = 0
        self.slowest = dict.fromkeys(("edit", "saved", "ping"), 0.0)
        self._running: asyncio.Task[None] | None = None

    async def start(self, url: str) -> None:
        socket = await connect(url, max_size=None)
        await socket.send(bytes([0, 0, 1, 0]))
        await socket.send(bytes([0, 1, 2, 0, 0]))  # nothing was written offline, so what is asked counts at once
        self._running = asyncio.create_task(self._run(socket))

    async def snapshot(self) -> dict[str, Any]:
        assert self._running is not None
        if self._running.done():
            self._running.result()
        return {"turns": self.turns, "slowest": self.slowest, "length": len(self.text)}

    async def _run(self, socket: ClientConnection) -> None:
        while True:
            before = self.doc.get_state()
            self.text.insert(len(self.text), "x")
            await self._ask(socket, "edit", message(self.doc.get_update(before)))
            await self._ask(socket, "saved", SAVED)
            began = perf_counter()
            await (await socket.ping())
            self._took("ping", began)
            self.turns += 1
            await asyncio.sleep(EVERY)

    async def _ask(self, socket: ClientConnection, what: str, question: bytes) -> None:
        """Send what comes back as it is."""
        began = perf_counter()
        await socket.send(question)
        while await socket.recv() != question:
            pass
        self._took(what, began)

    def _took(self, what: str, began: float) -> None:
        self.slowest[what] = max(self.slowest[what], perf_counter() - began)


async def main() -> None:
    healthy = Healthy()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    emit(event="ready")
    async for line in commands:
        command = json.loads(line)
        try:
            emit(call=command["call"], value=await getattr(healthy, command["op"])(**command["args"]))
        except Exception as error:
            emit(call=command["call"], error=repr(error))


if __name__ == "__main__":
    asyncio.run(main())
