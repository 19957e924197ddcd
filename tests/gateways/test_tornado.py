"""The Tornado gateway keeps the suite, on its own and under a prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from partyroom import Lobby
from partyroom.gateways import socket
from partyroom.gateways.tornado import handlers
from tests.gateways.suite import GatewaySuite


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "DEAF_TIMEOUT", 0.2)


@asynccontextmanager
async def serving(app: Application, lobby: Lobby) -> AsyncIterator[str]:
    """Serve an application on a free port, as its documentation says to."""
    (listener,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(app)
    server.add_socket(listener)
    async with lobby:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.stop()
    await server.close_all_connections()


class TestTornado(GatewaySuite):
    """Rooms in a Tornado application."""

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with serving(Application(list(handlers(lobby, **options))), lobby) as url:
            yield url
