"""The aiohttp gateway keeps the suite, by the short way in and by the long one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from partyroom import Lobby
from partyroom.gateways.aiohttp import Server
from tests.gateways.suite import GatewaySuite, Serve


class TestDirect(GatewaySuite):
    """Messages go from aiohttp's frame reader to the room."""

    direct = True

    @pytest.mark.xfail(strict=True, reason="aiohttp's frame reader takes unmasked frames from clients (RFC 6455 5.1)")
    async def test_an_unmasked_frame_breaks_the_protocol(self, serve: Serve) -> None:
        await super().test_an_unmasked_frame_breaks_the_protocol(serve)

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with Server(lobby, port=0, direct=self.direct, **options) as server:
            yield server.url


class TestPlain(TestDirect):
    """Messages go through ``WebSocketResponse.receive``."""

    direct = False
