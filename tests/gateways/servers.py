"""Other people's servers, each started as it is meant to be, on a free port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from partyroom import Lobby

__all__ = ["under_hypercorn", "under_tornado", "under_uvicorn"]


@asynccontextmanager
async def under_tornado(app: Application, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
    """Serve an application on a free port, as its documentation says to."""
    (listener,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(app, **options)
    server.add_socket(listener)
    async with lobby:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.stop()
    await server.close_all_connections()


def listener() -> socket.socket:
    """A socket on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


@asynccontextmanager
async def under_uvicorn(app: Any, *, heartbeat: float = 20.0, **options: Any) -> AsyncIterator[str]:
    """Serve an ASGI application with uvicorn."""
    config = uvicorn.Config(
        app,
        log_config=None,
        ws_ping_interval=heartbeat,
        ws_ping_timeout=heartbeat,
        timeout_graceful_shutdown=1,
        **options,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    sock = listener()
    await server.startup([sock])  # what serve() does, less its signals and its rest of a tenth of a second
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    await server.shutdown([sock])


@asynccontextmanager
async def under_hypercorn(app: Any, *, heartbeat: float | None = None) -> AsyncIterator[str]:
    """Serve an ASGI application with hypercorn."""
    sock = listener()
    port = sock.getsockname()[1]
    config = HypercornConfig()
    config.bind = [f"fd://{sock.detach()}"]
    config.websocket_ping_interval = heartbeat
    config.graceful_timeout = 0.2
    config.errorlog = None
    stop = asyncio.Event()
    serving = asyncio.create_task(hypercorn_serve(app, config, shutdown_trigger=stop.wait))
    yield f"http://127.0.0.1:{port}"
    stop.set()
    await serving
