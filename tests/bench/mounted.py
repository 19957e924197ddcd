"""``python -m tests.bench.mounted tornado``: the bench's parties in somebody else's server, on a free port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from partyroom import Lobby

from . import parties

__all__ = ["SERVERS"]


def tornado(lobby: Lobby) -> None:
    """As a Jupyter Server does it, on asyncio's own event loop."""
    from tornado.web import Application

    from partyroom.gateways.tornado import handlers

    async def main() -> None:
        async with lobby:
            Application(list(handlers(lobby))).listen(0, "127.0.0.1")
            await asyncio.Event().wait()

    asyncio.run(main())


def uvicorn(lobby: Lobby) -> None:
    """With uvicorn's defaults (uvloop too), but as the other servers it neither compresses nor logs each request."""
    import uvicorn

    from partyroom.gateways.asgi import asgi_app

    uvicorn.run(asgi_app(lobby), port=0, log_level="error", ws_per_message_deflate=False)


SERVERS: dict[str, Callable[[Lobby], None]] = {"tornado": tornado, "uvicorn": uvicorn}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](Lobby(parties))
