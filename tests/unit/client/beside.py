"""A server in a thread of its own, for clients that block the thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from partyroom import Connection, Lobby, Party, Request, Response
from partyroom.cli.readymade import Chat, Document, Relay
from partyroom.gateways.aiohttp import Server

Result = TypeVar("Result")


class Guarded(Document):
    """Documents for whoever has the token, which it notes."""

    tokens: list[str | None] = []  # noqa: RUF012

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        cls.tokens.append(request.query.get("token"))
        return None if request.query.get("token") == "open sesame" else Response("who are you?", status=401)


class Bouncer(Party):
    """Throws out whoever says something."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send("first")
        connection.close(4403, "enough")


PARTIES = {"main": Document, "relay": Relay, "chat": Chat, "guarded": Guarded, "bouncer": Bouncer}


class Beside:
    """The server, and a way into its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.lobby = Lobby(PARTIES)
        self.server = Server(self.lobby, port=0)
        self.url = ""

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run something in its thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def start(self) -> None:
        await self.server.__aenter__()
        self.url = self.server.url

    async def stop(self) -> None:
        await self.server.__aexit__(None, None, None)

    async def until_empty(self) -> None:
        """Wait until nobody is connected."""
        while self.lobby.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@contextmanager
def beside() -> Iterator[Beside]:
    """A server for the block."""
    made = Beside()
    thread = threading.Thread(target=made.loop.run_forever, name="the server beside")
    thread.start()
    try:
        made.run(made.start())
        yield made
        made.run(made.stop())
    finally:
        made.loop.call_soon_threadsafe(made.loop.stop)
        thread.join()
        made.loop.close()
