"""Gate: a network between one client and a server, which can be slow, hold everything back, or be down."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

__all__ = ["Gate"]

SLOWEST = 0.02
"""Seconds that a piece of a stream may take longer than the one before."""


class Gate:
    """Listens at ``host`` and passes everything on to ``port``, in order, for TCP is never out of order.

    ``open``, ``hold`` (nothing gets through, and nothing is lost) and ``cut`` (all connections are lost, and none is
    made).
    """

    def __init__(self, dice: Random, port: int) -> None:
        self._dice = dice
        self._port = port
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def host(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def is_open(self) -> bool:
        """Whether anything gets through."""
        return self._flows.is_set() and not self._is_cut

    def open(self) -> None:
        """Let everything through, what was held back first."""
        self._is_cut = False
        self._flows.set()

    def hold(self) -> None:
        """Let nothing through."""
        self._flows.clear()

    def cut(self) -> None:
        """Be down."""
        self._is_cut = True
        self._flows.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_cut:
                return
            with suppress(OSError):
                there, to_there = await asyncio.open_connection("127.0.0.1", self._port)
                self._writers.add(to_there)
                await asyncio.gather(self._pump(reader, to_there), self._pump(there, writer))
                self._writers.discard(to_there)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(self._dice.random() * SLOWEST)
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
