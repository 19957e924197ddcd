"""Document loads: twenty people typing into one Yjs document, at their own pace and as fast as the server answers.

Each types at a place of their own, and each edit depends only on the base text and on their own earlier edits, so that
no server ever has to wait for a missing one. The updates are pycrdt's, the bytes that a Yjs editor would send.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from random import Random
from time import perf_counter

from pycrdt import Doc, Text, TransactionEvent

from .load import PATIENCE, Load, Scenario, Size, Window, opened, paced, until
from .wire import BINARY, Client, connect, masked

__all__ = ["DOCUMENTS"]

EDITORS = 20
PACE = 5.0
PARAGRAPH = "The quick brown fox jumps over the lazy dog, and the dog does not mind it in the least. " * 2
LETTERS = "etaoin shrdlu cmfwyp vbgkqj"
BACKSPACES = 0.1
WARM_UP_EDITS = 100
FIRST_ID = 1_000  # two bytes as a varint, which `Editor.message` counts on
STEP_1 = b"\x00\x00\x01\x00"  # message sync, step 1, with the state vector of an empty document (y-protocols/sync.js)
STEP_2 = b"\x00\x01"  # message sync, step 2
UPDATE = b"\x00\x02"  # message sync, update


def varuint(number: int) -> bytes:
    """lib0's variable length unsigned integer."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def update_frame(update: bytes) -> bytes:
    """``update`` as a y-websocket client sends it."""
    return masked(BINARY, UPDATE + varuint(len(update)) + update)


def base_text() -> bytes:
    """The update that creates the document everybody starts from: a paragraph for each editor."""
    doc: Doc[Text] = Doc(client_id=FIRST_ID - 1)
    doc.get("body", type=Text).insert(0, PARAGRAPH * EDITORS)
    return doc.get_update()


class Typist:
    """Makes one editor's edits: letters at a cursor, now and then a backspace."""

    def __init__(self, number: int, base: bytes) -> None:
        self.client_id = FIRST_ID + number
        self._doc: Doc[Text] = Doc(client_id=self.client_id)
        self._doc.apply_update(base)
        self._text = self._doc.get("body", type=Text)
        self._start = self._cursor = len(PARAGRAPH) * number
        self._random = Random(number)
        self._updates: list[bytes] = []
        self._subscription = self._doc.observe(self._observed)

    def _observed(self, event: TransactionEvent) -> None:
        self._updates.append(event.update)

    def edits(self, count: int) -> deque[bytes]:
        """The next ``count`` edits as frames."""
        self._updates.clear()
        for _ in range(count):
            if self._cursor > self._start and self._random.random() < BACKSPACES:
                self._cursor -= 1
                del self._text[self._cursor : self._cursor + 1]
            else:
                self._text.insert(self._cursor, self._random.choice(LETTERS))
                self._cursor += 1
        return deque(map(update_frame, self._updates))


class Editor(Client):
    """One connected editor. Counts the updates that arrive, and knows its own when they come back."""

    def __init__(self, typist: Typist) -> None:
        super().__init__()
        self.typist = typist
        self.pending: deque[bytes] = deque()
        self.eager = False
        """Whether the next edit follows at once when the last one has come back."""
        self.latencies: list[float] = []
        self.synced = asyncio.Event()
        """Set when the server has answered: the document knows this editor."""
        self._sent: deque[float] = deque()
        self._mark = varuint(typist.client_id)

    def type(self) -> None:
        """Send the next edit."""
        self._sent.append(perf_counter())
        self.write(self.pending.popleft())

    def message(self, data: bytes, start: int, end: int) -> None:
        if not data.startswith(UPDATE, start):
            if data.startswith(STEP_2, start):
                self.synced.set()
            return
        self.count += 1
        # 00 02, length, then "1 client, 1 struct" or "0 clients, 1 client with deletions", then the two-byte client id:
        # an update of one edit has its author at the same place whichever it is (yjs, encodeStateAsUpdate, version 1).
        if data.startswith(self._mark, start + 5) and self._sent:
            self.latencies.append(perf_counter() - self._sent.popleft())
            if self.eager and self.pending:
                self.type()


class Editing:
    """Twenty editors in one document; each edit reaches all of them, its author too."""

    def __init__(self, editors: Sequence[Editor], edits: int) -> None:
        self.editors = editors
        self.edits = edits

    async def warm_up(self) -> None:
        saturated = Saturated(self.editors, WARM_UP_EDITS)
        saturated.prepare()
        await saturated.run()

    def prepare(self) -> None:
        for editor in self.editors:
            editor.pending = editor.typist.edits(self.edits)
            editor.latencies.clear()

    async def run(self) -> Window:
        before = sum(editor.count for editor in self.editors)
        deliveries = self.edits * len(self.editors) * len(self.editors)
        await self.type()
        await until(self.editors, before + deliveries)
        return Window(deliveries, [latency for editor in self.editors for latency in editor.latencies])

    async def type(self) -> None:
        """Send, or begin to send, everybody's edits."""
        raise NotImplementedError

    def close(self) -> None:
        for editor in self.editors:
            editor.abort()


class Paced(Editing):
    """Everybody at typing speed, one after another."""

    async def type(self) -> None:
        editors = self.editors
        await paced(PACE * len(editors), self.edits * len(editors), lambda n: editors[n % len(editors)].type())


class Saturated(Editing):
    """Everybody sends the next edit when the last one has come back."""

    async def type(self) -> None:
        for editor in self.editors:
            editor.eager = True
            editor.type()

    async def run(self) -> Window:
        window = await super().run()
        for editor in self.editors:
            editor.eager = False
        return window


async def _editors(port: int) -> list[Editor]:
    base = base_text()
    path = "/parties/notes/bench"
    editors = await opened(connect(Editor(Typist(number, base)), port, path) for number in range(EDITORS))
    for editor in editors:
        editor.write(masked(BINARY, STEP_1))
    for editor in editors:
        await asyncio.wait_for(editor.synced.wait(), PATIENCE)
    editors[0].write(update_frame(base))
    await until(editors, len(editors))
    return editors


async def _paced(port: int, size: Size) -> Load:
    return Paced(await _editors(port), edits=int(PACE * size.seconds))


async def _saturated(port: int, size: Size) -> Load:
    return Saturated(await _editors(port), edits=size.edits)


DOCUMENTS = [
    Scenario(
        "document-paced",
        f"document, {EDITORS} editors, {PACE:.0f} edits/s each",
        *("y-websocket", 0.50, _paced),
        floor=True,
    ),
    Scenario("document-saturated", f"document, {EDITORS} editors, saturated", "y-websocket", 0.30, _saturated),
]
