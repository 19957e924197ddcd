"""Throws at a live server what nobody honest sends, while somebody in another room edits and notices every delay.

Each message is followed by a ping that carries its number, so that it is known how far the server has come when it
closes the connection; the rest goes over another one. The server may close only with a code and a reason, and only
whole frames may be cut off without a word.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from partyroom.protocols import yjs
from partyroom.protocols.lib0 import Encoder
from tests.interop.server import Server
from tests.unit.protocols.mutants import damaged, honest, mutants

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
VECTORS = Path(__file__).parent.parent / "unit" / "protocols" / "vectors"
A_ROOM: Final = 40
"""Messages that are thrown into one room before the next one."""
PATIENCE: Final = 20.0
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
STATES = [
    b'{"user":{"name":"ada"}}',
    b"null",
    b"{}",
    b"[1,2]",
    b'"x"',
    b"",
    b"\xff",
    b'{"a":' * 150,
    b'{"__proto__":1}',
]


class Throw(NamedTuple):
    """What goes to one room: what is honest first, on each connection, then what is not; each is a frame."""

    party: str
    before: list[bytes]
    hostile: list[bytes]
    kind: str


class Closed(NamedTuple):
    """How a connection ended: the close frame's code (``None`` without one) and reason."""

    code: int | None
    reason: str


def frame(opcode: int, payload: bytes, *, length: int | None = None) -> bytes:
    """A client's frame, masked with zeros; with a ``length`` it lies about that."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes((opcode, 0x80 | size))
    elif size < 65536:
        head = struct.pack("!BBH", opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", opcode, 0x80 | 127, size)
    return head + bytes(4) + payload


def throws(seed: int) -> Iterator[Throw]:
    """What to throw, without end: updates, presence, messages of every dialect, and broken frames."""
    dice = Random(seed)
    updates = mutants(seed, 10**9)
    while True:
        match dice.choices(("update", "presence", "message", "hocuspocus", "frame"), (50, 20, 15, 12, 3))[0]:
            case "update":
                before, first = next(updates)
                hostile = [first, *(update for _, update in islice(updates, A_ROOM - 1))]
                wrap = dice.choice((yjs.update, yjs.sync_step2))
                sent = [frame(BINARY, wrap(update)) for update in hostile]
                party = dice.choice(("notes", "notes", "sleepy", "sweet"))
                yield Throw(party, [frame(BINARY, yjs.update(update)) for update in before], sent, "update")
            case "presence":
                yield Throw("notes", [], [frame(BINARY, presence(dice)) for _ in range(A_ROOM)], "presence")
            case "message":
                yield Throw("notes", [], [message(dice) for _ in range(A_ROOM)], "message")
            case "hocuspocus":
                admitted = [frame(BINARY, SPOKEN["token"]), frame(BINARY, SPOKEN["session_token"])]
                before = admitted if dice.random() < 0.8 else []
                yield Throw("hub", before, [hocuspocus(dice) for _ in range(A_ROOM)], "hocuspocus")
            case "frame":
                yield Throw("notes", [], [broken_frame(dice)], "frame")


def presence(dice: Random) -> bytes:
    """An awareness message with or without damage."""
    count = dice.randint(0, 4)
    out = Encoder().varuint(count if dice.random() < 0.9 else dice.choice([count + 1, 2**31, 2**52]))
    for _ in range(count):
        client = dice.choice([0, 1, 7, 2**32 - 1, 2**53 - 1, dice.randrange(2**32)])
        out.varuint(client).varuint(dice.choice([0, 1, 2, 2**31])).buffer(
            dice.choice(STATES[: dice.choice((3, len(STATES)))])
        )
    update = bytes(out)
    if dice.random() < 0.4:
        update = damaged(dice, update, [update, b"\x01\x07\x01\x02{}"])
    return yjs.awareness(update)


HONEST = [
    *(yjs.update(update) for updates in honest().values() for update in updates[:5]),
    yjs.sync_step1(b"\x00"),
    yjs.sync_step1(b"\x02\x07\x05\x08\x01"),
    yjs.sync_step2(b"\x00\x00"),
    yjs.query_awareness(),
    yjs.sync_status(b"\x01"),
    yjs.access(),
    yjs.lineage("abc"),
    yjs.permission_denied("no"),
]
WORDS = [
    "",
    "__YPS:x",
    "y-pk-batch#{}",
    'y-pk-batch#{"id":"a","type":"start","size":50000000000,"count":3}',
    "[" * 5000,
]
WORDS += [
    'y-pk-batch#{"id":"a","type":"start","size":20,"count":2}',
    'y-pk-batch#{"id":"a","type":"end","size":20,"count":2}',
]


def message(dice: Random) -> bytes:
    """A message of y-websocket's, y-partykit's, y-partyserver's or ours, damaged; or text."""
    if dice.random() < 0.2:
        return frame(TEXT, dice.choice(WORDS).encode())
    return frame(BINARY, damaged(dice, dice.choice(HONEST), HONEST))


SPOKEN = {name: bytes.fromhex(said) for name, said in json.loads((VECTORS / "hocuspocus.json").read_text()).items()}


def hocuspocus(dice: Random) -> bytes:
    """A message of Hocuspocus', honest now and then."""
    words = list(SPOKEN.values())
    said = dice.choice(words)
    return frame(BINARY, said if dice.random() < 0.3 else damaged(dice, said, words))


def broken_frame(dice: Random) -> bytes:
    """What is hardly a WebSocket frame any more."""
    payload = dice.choice(HONEST)
    whole = bytearray(frame(BINARY, payload))
    match dice.randrange(7):
        case 0:
            whole[0] = dice.randrange(256)
        case 1:
            whole[1] ^= 0x80  # not masked
        case 2:
            return frame(BINARY, payload, length=dice.choice([2**31, 2**62, 2**33, 40_000_000]))
        case 3:
            return frame(0x80, payload)  # the rest of nothing
        case 4:
            return frame(0x02, payload) + frame(BINARY, payload)  # a message within another
        case 5:
            return frame(PING, b"x" * 126)
        case 6:
            return bytes(damaged(dice, bytes(whole), [bytes(whole)]))
    return bytes(whole)


class Fuzz:
    """``seed`` decides what is thrown at a server; ``thrown`` counts it by kind, ``ends`` how connections ended."""

    def __init__(self, server: Server, seed: int) -> None:
        self.thrown: Counter[str] = Counter()
        self.ends: Counter[tuple[str, int | None]] = Counter()
        self.silent: list[tuple[str, str]] = []
        """Connections that were closed without a word, or without a code and a reason."""
        self._server = server
        self._seed = seed
        self._throws = throws(seed)
        self._rooms = 0

    async def throw(self, count: int, at_once: int = 4) -> None:
        """Throw so many messages, over so many connections at a time."""
        wanted = self.thrown.total() + count

        async def go_on() -> None:
            while self.thrown.total() < wanted:
                self._rooms += 1
                await self._play(next(self._throws), f"{self._seed}-{self._rooms}")

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(go_on())

    async def _play(self, throw: Throw, room: str) -> None:
        rest = throw.hostile
        while rest:
            taken, closed = await self._send(throw, room, rest)
            self.thrown[throw.kind] += taken
            if closed is not None:
                self.ends[throw.kind, closed.code] += 1
                if throw.kind != "frame" and (closed.code is None or not closed.reason):
                    self.silent.append((str(closed), rest[min(taken, len(rest)) - 1].hex()))
            rest = rest[taken:]

    async def _send(self, throw: Throw, room: str, hostile: list[bytes]) -> tuple[int, Closed | None]:
        """How many of the hostile frames the server has seen, and how the connection ended, if it did by itself."""
        reader, writer = await connected(self._server.host, f"/parties/{throw.party}/{room}")
        try:
            numbered = (part for n, one in enumerate(hostile) for part in (one, frame(PING, n.to_bytes(4))))
            writer.write(b"".join([*throw.before, *numbered]))
            if throw.kind == "frame" and writer.can_write_eof():
                writer.write_eof()  # or it would wait for what was announced
            async with asyncio.timeout(PATIENCE):
                return await self._listen(reader, len(hostile))
        except ConnectionError:
            return 1, Closed(None, "cut off")
        except TimeoutError:
            raise AssertionError(f"no answer in {PATIENCE} s: {room}, {[one.hex() for one in hostile]}") from None
        finally:
            writer.transport.abort()

    async def _listen(self, reader: asyncio.StreamReader, count: int) -> tuple[int, Closed | None]:
        seen = 0
        try:
            while seen < count:
                opcode, payload = await read_frame(reader)
                if opcode == PONG & 0xF:
                    seen = int.from_bytes(payload) + 1
                elif opcode == CLOSE & 0xF:
                    code = int.from_bytes(payload[:2]) if payload else None
                    return min(seen + 1, count), Closed(code, payload[2:].decode())
        except asyncio.IncompleteReadError:
            return min(seen + 1, count), Closed(None, "cut off")
        return count, None


async def connected(host: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket after its handshake, bare."""
    reader, writer = await asyncio.open_connection(*host.split(":"))
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The opcode and the payload of the next frame."""
    first, size = await reader.readexactly(2)
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    return first & 0xF, await reader.readexactly(size)
