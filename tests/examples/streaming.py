"""An answer that comes word by word, as language models give it: everybody in the room watches it being written.

``model`` stands for a client of yours that yields pieces of text; the room owns the work, and stops it when it stops.
"""

import asyncio
from collections.abc import AsyncIterator

from partyroom import Connection, Party


async def model(question: str) -> AsyncIterator[str]:
    for word in f"You asked: {question}".split(" "):
        await asyncio.sleep(0)
        yield word + " "


class Assistant(Party):
    async def on_start(self) -> None:
        self.said: list[dict[str, str]] = await self.room.storage.get("said", default=[])
        self.answering: asyncio.Task[None] | None = None

    def on_connect(self, connection: Connection) -> None:
        connection.send_json({"type": "history", "said": self.said})

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "stop":
            if self.answering is not None:
                self.answering.cancel()
        elif self.answering is None or self.answering.done():
            self.answering = self.room.spawn(self.answer(str(message)[:2000]))
        else:
            connection.send_json({"type": "busy"})

    async def answer(self, question: str) -> None:
        self.said += [{"who": "you", "text": question}, {"who": "assistant", "text": ""}]
        self.room.broadcast_json({"type": "question", "text": question})
        try:
            async for piece in model(question):
                self.said[-1]["text"] += piece
                self.room.broadcast_json({"type": "piece", "text": piece})
        finally:
            self.room.broadcast_json({"type": "end"})
            self.room.storage.put("said", self.said[-100:])
