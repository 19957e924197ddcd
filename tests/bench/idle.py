"""What waits costs nothing, or should: the first answer of a cold room, and memory per idle thing.

Things are connections and rooms; connections to one document, which share it; and documents of 2 KB, each in memory for
the one connection that it has.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from pycrdt import Doc, Text

from .compare import OURS, percentile
from .editing import PARAGRAPH, STEP_1, update_frame
from .load import Size, opened
from .servers import Server, Unavailable, start
from .wire import BINARY, Client, connect, masked

__all__ = ["COLD_TARGET", "Cold", "Memory", "cold", "memory"]

COLD_TARGET = 5.0
"""Milliseconds within which a cold room must answer."""
TIMEOUT = 10.0
SETTLE = 0.5
FIRST = 200  # opened before the count starts: the allocator's first arenas are nobody's connection


@dataclass
class Cold:
    """Milliseconds from an HTTP request on a fresh TCP connection to its answer, per request."""

    party: str
    failed: str | None = None
    first: list[float] = field(default_factory=list)
    """Of rooms that did not exist."""
    second: list[float] = field(default_factory=list)
    """Of the same rooms once they did."""

    def of_first(self, rank: float) -> float | None:
        """The cold figure at ``rank``."""
        return percentile(self.first, rank) if self.first else None

    def of_second(self, rank: float) -> float | None:
        """The warm figure at ``rank``."""
        return percentile(self.second, rank) if self.second else None


@dataclass
class Memory:
    """Resident bytes that one more of something costs."""

    server: str
    what: str
    count: int
    each: float | None = None
    failed: str | None = None


def get(port: int, path: str) -> float:
    """Milliseconds until ``path`` has answered 200 on a new connection; another status is a ``ConnectionError``."""
    started = perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = connection.recv(65536)
            if not data:
                raise ConnectionError(f"GET {path}: no answer")
            answer += data
        took = (perf_counter() - started) * 1e3
    if answer.split(b" ", 2)[1] != b"200":
        raise ConnectionError(f"GET {path}: {answer.splitlines()[0].decode(errors='replace')}")
    return took


def _gets(port: int, party: str, name: str, count: int) -> list[float]:
    return [get(port, f"/parties/{party}/{name}-{n}") for n in range(count)]


async def cold(size: Size) -> list[Cold]:
    """Ask for rooms that nobody has asked for yet, one after another."""
    found = [Cold("relay"), Cold("notes")]
    try:
        server = await start(OURS)
    except Unavailable as error:
        return [Cold(each.party, str(error)) for each in found]
    try:
        for each in found:
            try:
                await asyncio.to_thread(_gets, server.port, each.party, "warm-up", 20)
                each.first = await asyncio.to_thread(_gets, server.port, each.party, "cold", size.cold)
                each.second = await asyncio.to_thread(_gets, server.port, each.party, "cold", size.cold)
            except OSError as error:
                each.failed = f"{error} (its log ends: {server.last_words()})"
    finally:
        await server.stop()
    return found


async def memory(size: Size) -> list[Memory]:
    """Open many of something on a fresh server and see how much larger it has become."""
    found = []
    for name, what in WHAT:
        measured = Memory(name, what, size.idle)
        try:
            server = await start(name)
        except Unavailable as error:
            measured.failed = str(error)
        else:
            try:
                measured.each = await MEASURES[what](server, size.idle)
            except (OSError, TimeoutError) as error:
                measured.failed = f"{error} (its log ends: {server.last_words()})"
            finally:
                await server.stop()
        found.append(measured)
    return found


async def _connections(server: Server, count: int) -> float:
    return await _opened(server, count, lambda number: "/parties/relay/idle")


async def _readers(server: Server, count: int) -> float:
    return await _opened(server, count, lambda number: "/parties/notes/idle", masked(BINARY, STEP_1))


async def _documents(server: Server, count: int) -> float:
    doc: Doc[Text] = Doc()
    doc.get("body", type=Text).insert(0, PARAGRAPH * (2048 // len(PARAGRAPH)))
    written = masked(BINARY, STEP_1) + update_frame(doc.get_update())
    return await _opened(server, count, lambda number: f"/parties/notes/idle-{number}", written)


async def _opened(server: Server, count: int, path: Callable[[int], str], said: bytes = b"") -> float:
    """What one more client costs that connects to the path of its number and says something."""
    clients: list[Client] = []

    async def more(count: int) -> int:
        numbers = range(len(clients), len(clients) + count)
        new = await opened(connect(Client(), server.port, path(number)) for number in numbers)
        for client in new:
            client.write(said)
        clients.extend(new)
        await asyncio.sleep(SETTLE)
        return server.memory()

    before = await more(FIRST)
    grown = await more(count) - before
    for client in clients:
        client.abort()
    return grown / count


async def _rooms(server: Server, count: int) -> float:
    await asyncio.to_thread(_gets, server.port, "relay", "first", FIRST)
    await asyncio.sleep(SETTLE)
    before = server.memory()
    await asyncio.to_thread(_gets, server.port, "relay", "idle", count)
    await asyncio.sleep(SETTLE)
    return (server.memory() - before) / count


WHAT = (
    (OURS, "connection"),
    ("ws", "connection"),
    (OURS, "room"),
    (OURS, "connection to a document"),
    (OURS, "document and its connection"),
)
MEASURES = {
    "connection": _connections,
    "room": _rooms,
    "connection to a document": _readers,
    "document and its connection": _documents,
}
