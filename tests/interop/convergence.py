"""Ten clients of all families in one document, behind networks that fail, on a server that is stopped and killed.

Five are real Yjs, through the published providers (``converge.js``); three are our own client, in both of its dialects;
two are pycrdt's own provider. What TCP never does, a ``Replayer`` does: it sends updates again, in another order, and
what a client wrote offline it brings before that client, the newest first.

In the end all have the same content and the same state vector, and nothing is pending anywhere; a document of pycrdt's
own provider that its engine has broken (``is_overflown``) only the same state vector.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from contextlib import suppress
from random import Random
from typing import Any, Final, cast

from pycrdt import Doc, Map, Text

from partyroom.client import DocumentClient
from partyroom.errors import ProtocolError
from partyroom.protocols import yjs
from partyroom.protocols.content import read
from partyroom.protocols.guard import check, state_vector
from tests.interop import pycrdt_provider
from tests.interop.fuzz import BINARY, connected, frame, read_frame
from tests.interop.gate import Gate
from tests.interop.node import NodeClient
from tests.interop.server import Server
from tests.interop.sites import QUICK

__all__ = ["converge"]

FAMILIES: Final = ("y-websocket", "y-partykit", "y-partyserver", "y-sweet", "hocuspocus")
DIALECTS: Final = ("yjs", "yjs", "hocuspocus")
PYCRDT: Final = 2
ROOM: Final = "all"
AT_A_TIME: Final = 10
"""Steps between two looks at the network."""
REMEMBERED: Final = 2_000
"""Updates that the replayer has at hand."""
PATIENCE: Final = 60.0

WORDS: Final = ["hello ", "fünf ", "漢字", "😀", "👩‍👩‍👧 ", "\r\n", "e\u0301", "x", "🇫🇷"]
KEYS: Final = ["title", "日本", "😀", "python"]


class Replayer:
    """Hears every update of a room and sends some again, shuffled; connects anew when the server is back."""

    def __init__(self, server: Server, dice: Random) -> None:
        self._server = server
        self._dice = dice
        self._heard: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._task = asyncio.create_task(self._listen())

    def send_again(self, count: int) -> None:
        """Send so many of the updates that were heard, in any order."""
        self.send(self._dice.sample(self._heard, min(count, len(self._heard))))

    def send(self, updates: list[bytes]) -> None:
        """Send updates in this order, if there is a connection."""
        if self._writer is not None:
            self._writer.write(b"".join(frame(BINARY, yjs.update(update)) for update in updates))

    async def stop(self) -> None:
        """Leave."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await connected(self._server.host, f"/parties/notes/{ROOM}")
                self._writer = writer
                try:
                    self.send_again(REMEMBERED)  # a server that was killed may have lost some
                    while True:
                        self._hear((await read_frame(reader))[1])
                finally:
                    self._writer = None
                    writer.transport.abort()
            await asyncio.sleep(0.05)

    def _hear(self, message: bytes) -> None:
        with suppress(Exception):  # of messages that are not for us
            said = yjs.parse(message)
            if isinstance(said, yjs.Update):
                self._heard = [*self._heard[1 - REMEMBERED :], said.update]


class Crowd:
    """The clients, each behind a gate of its own: the first five are in Node's process, the others are here."""

    def __init__(self, server: Server, dice: Random, node: NodeClient) -> None:
        self.gates: list[Gate] = []
        self.replayer = Replayer(server, Random(dice.getrandbits(32)))
        self._server = server
        self._dice = dice
        self._node = node
        self._ours: list[DocumentClient] = []
        self._theirs: list[pycrdt_provider.Client] = []

    async def __aenter__(self) -> Crowd:
        for _ in range(len(FAMILIES) + len(DIALECTS) + PYCRDT):
            self.gates.append(Gate(Random(self._dice.getrandbits(32)), self._server.port))
            await self.gates[-1].start()
        hosts = iter([gate.host for gate in self.gates])
        for family in FAMILIES:
            await self._node.call("open", family=family, host=next(hosts), party="notes", room=ROOM)
        for dialect in DIALECTS:
            party = "notes" if dialect == "yjs" else "hocuspocus"
            client = DocumentClient(next(hosts), party=party, room=ROOM, dialect=dialect, backoff=QUICK)
            self._ours.append(client)
            await client.start()
        for _ in range(PYCRDT):
            theirs = pycrdt_provider.Client()
            theirs.open(next(hosts), "notes", ROOM)
            self._theirs.append(theirs)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.replayer.stop()
        for client in self._ours:
            await client.close()
        for theirs in self._theirs:
            await theirs.leave()
        for gate in self.gates:
            await gate.stop()

    async def edit(self, count: int) -> None:
        """So many edits by anybody."""
        in_node = []
        for _ in range(count):
            who, seed = self._dice.randrange(len(self.gates)), self._dice.getrandbits(32)
            if who < len(FAMILIES):
                in_node.append({"client": who, "seed": seed})
            elif who < len(FAMILIES) + len(DIALECTS):
                edit_ours(self._ours[who - len(FAMILIES)], Random(seed))
            else:
                edit_pycrdt(self._theirs[who - len(self.gates)], Random(seed))
        await self._node.call("edit", edits=in_node)

    async def bring_before(self, who: int) -> None:
        """Have the replayer send what a Yjs client has written since last asked, the newest first and not all of it."""
        dice = Random(self._dice.getrandbits(32))
        updates = [b64decode(update) for update in await self._node.call("written", client=who)]
        self.replayer.send([update for update in reversed(updates) if dice.random() < 0.7])

    async def agree(self) -> None:
        """Wait until all have the same state vector and nothing is pending."""
        seen: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while not seen or any(one != seen[0] for one in seen) or not await self._is_settled():
                    await asyncio.sleep(0.1)
                    seen = await self._vectors()
        except TimeoutError:
            raise AssertionError(f"no agreement within {PATIENCE} s: {seen}") from None

    async def _is_settled(self) -> bool:
        states = await self._node.call("states")
        pending = [one["pending"] for one in states] + [client._sync.replica.pending for client in self._ours]
        return not any(pending)

    async def _vectors(self) -> list[dict[int, int]]:
        vectors = [b64decode(one["vector"]) for one in await self._node.call("states")]
        vectors += [client.doc.get_state() for client in self._ours]
        vectors += [client.doc.get_state() for client in self._theirs]
        return [{who: clock for who, clock in state_vector(vector).items() if clock} for vector in vectors]

    async def check(self) -> None:
        """All have the same, by their own account and as we read it; and so has whoever comes now."""
        contents = []
        for one in await self._node.call("documents"):
            contents.append(content(b64decode(one["update"])))
            assert contents[-1] == {key: one[key] for key in ("body", "map", "array")}
        contents += [content(client.doc.get_update()) for client in self._ours]
        theirs = [client.doc.get_update() for client in self._theirs]
        contents += [content(update) for update in theirs if not is_overflown(update)]
        for one in contents:
            assert one == contents[0]
        for client in self._ours:
            assert client.map("map").copy() == contents[0]["map"]
            assert client.array("array").copy() == contents[0]["array"]
        host = self._server.host
        async with DocumentClient(host, party="notes", room=ROOM, backoff=QUICK) as newcomer:
            await newcomer.synced(timeout=PATIENCE)
            assert content(newcomer.doc.get_update()) == contents[0]
            assert not newcomer._sync.replica.pending


def is_overflown(update: bytes) -> bool:
    """Whether this is what pycrdt 0.14.13 writes, now and then, where Yjs has cut a character in half.

    It counts what is left of the character as less than nothing, and that length is some 2**32 in its updates. No Yjs
    reads those; only the engine itself can get into such a state, on what all others here have applied.
    """
    try:
        check(update)
    except ProtocolError as error:
        if re.search(r"a length of 42949672\d\d ", error.reason):
            return True
        raise
    return False


def content(update: bytes) -> dict[str, Any]:
    """What a document holds, as Yjs says it."""
    seen = read(update)
    assert not seen.pending
    return {
        "body": seen.root("body").delta(),
        "map": seen.root("map").json("map"),
        "array": seen.root("array").json("array"),
    }


def edit_ours(client: DocumentClient, dice: Random) -> None:
    """An edit by our client, as Python values."""
    text = client.text("body")
    at = dice.randrange(len(text) + 1)
    match dice.randrange(8):
        case 0 | 1 | 2:
            text.insert(at, dice.choice(WORDS))
        case 3:
            del text[at : at + dice.randrange(8)]
        case 4:
            client.map("map")[dice.choice(KEYS)] = dice.choice([1, "😀", None, [1, {"a": "漢"}]])
        case 5:
            client.map("map").pop(dice.choice(KEYS), None)
        case 6:
            array = client.array("array")
            array.insert(dice.randrange(len(array) + 1), dice.choice([2.5, "😀", {"in": ["x"]}]))
        case 7:
            array = client.array("array")
            start = dice.randrange(len(array) + 1)
            del array[start : start + 2]


def edit_pycrdt(client: pycrdt_provider.Client, dice: Random) -> None:
    """An edit by pycrdt itself, which counts bytes."""
    text = client.doc.get("body", type=Text)
    if dice.random() < 0.2:
        cast(Doc[Any], client.doc).get("map", type=Map)[dice.choice(KEYS)] = dice.choice(["😀", 3.5, True])
        return
    pieces = [insert for insert, _ in text.diff()]
    sizes = [size for piece in pieces for size in (map(_size, piece) if isinstance(piece, str) else [1])]
    at = dice.randrange(len(sizes) + 1)
    start = sum(sizes[:at])
    if dice.random() < 0.7:
        text.insert(start, dice.choice(WORDS))
    else:
        end = start + sum(sizes[at : at + dice.randrange(8)])
        del text[start:end]


def _size(character: str) -> int:
    return len(character.encode())


async def converge(server: Server, seed: int, steps: int) -> None:
    """Play so many steps, then let the network heal and see that all agree."""
    dice = Random(seed)
    async with NodeClient.running("converge.js") as node, Crowd(server, dice, node) as crowd:
        for _ in range(steps // AT_A_TIME):
            await crowd.edit(AT_A_TIME)
            await disturb(crowd, server, dice)
        for gate in crowd.gates:
            gate.open()
        await crowd.agree()
        await crowd.check()


async def disturb(crowd: Crowd, server: Server, dice: Random) -> None:
    """Something happens to the network, or to the server."""
    who = dice.randrange(len(crowd.gates))
    gate = crowd.gates[who]
    match dice.choices(("nothing", "heal", "cut", "hold", "again", "restart", "kill"), (20, 15, 8, 8, 8, 1, 1))[0]:
        case "heal":
            for closed in [one for one in crowd.gates if not one.is_open][:1] or [gate]:
                if crowd.gates.index(closed) < len(FAMILIES) and dice.random() < 0.5:
                    await crowd.bring_before(crowd.gates.index(closed))
                closed.open()
        case "cut":
            gate.cut()
        case "hold":
            gate.hold()
        case "again":
            crowd.replayer.send_again(dice.randrange(30))
        case "restart":
            await asyncio.to_thread(server.restart)
        case "kill":
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
    await asyncio.sleep(dice.random() * 0.05)
