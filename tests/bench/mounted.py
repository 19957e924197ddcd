"""``python -m tests.bench.mounted tornado``: the bench's parties in somebody else's server, on a free port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from partyroom import Lobby

from . import parties

__all__ = ["SERVERS"]


async def tornado(lobby: Lobby) -> None:
    """As a Jupyter Server does it, on asyncio's own event loop."""
    from tornado.web import Application

    from partyroom.gateways.tornado import handlers

    async with lobby:
        Application(list(handlers(lobby))).listen(0, "127.0.0.1")
        await asyncio.Event().wait()


async def uvicorn(lobby: Lobby) -> None:
    """With uvicorn's defaults, except that it neither compresses nor logs each request, as the other servers do not."""
    from partyroom.gateways.asgi import asgi_app
    from uvicorn import Config, Server

    await Server(Config(asgi_app(lobby), port=0, log_level="error", ws_per_message_deflate=False)).serve()


SERVERS: dict[str, Callable[[Lobby], Awaitable[None]]] = {"tornado": tornado, "uvicorn": uvicorn}


async def main(name: str) -> None:
    """Serve until the process is ended."""
    await SERVERS[name](Lobby(parties))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
