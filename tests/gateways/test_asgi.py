"""The ASGI gateway keeps the suite under every server, as far as that server can; what it cannot do is marked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from partyroom import Lobby
from partyroom.gateways import asgi_socket
from partyroom.gateways.asgi import asgi_app, lifespan
from tests.gateways.servers import under_hypercorn, under_uvicorn
from tests.gateways.suite import GatewaySuite


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_socket, "DEAF_TIMEOUT", 0.2)


BROKEN = "test_a_peer_that_breaks_the_protocol_is_closed_and_nobody_else"
BUSY = "test_a_peer_is_not_taken_for_dead_while_its_own_hook_is_slow"
FRAGMENTS = "test_fragments_that_grow_over_the_limit_are_closed_with_1009"
GIANT = "test_an_announced_giant_is_refused_before_it_is_sent"
KEY = "test_a_bad_handshake_is_a_client_error_and_nobody_has_come"
ONE_SEGMENT = "test_many_messages_in_one_segment_with_a_ping_and_a_close"
PATH = "test_a_path_is_taken_as_it_was_sent"
PINGS = "test_pings_of_a_client_that_does_not_read_fill_no_memory"
SILENT = "test_a_silent_peer_is_asked_and_then_cut"
UNMASKED = "test_an_unmasked_frame_breaks_the_protocol"

OF_UVICORN = {
    ONE_SEGMENT: "uvicorn answers a close frame before the application has taken the messages ahead of it",
    BUSY: "uvicorn reads no pong while the application is busy with a message, and takes the peer for dead",
    "test_a_shutdown_says_1001_to_everyone": "uvicorn says 1012 itself, before it tells the application of a shutdown",
}
TRACEBACK = "uvicorn logs a traceback of its own for text that is not UTF-8"
NO_GOODBYE = "what wsproto finds broken, uvicorn and hypercorn hang up on, without a close frame"
OF_WSPROTO = {
    BROKEN: NO_GOODBYE,
    UNMASKED: NO_GOODBYE,
    f"{KEY}[a short key]": "wsproto takes any Sec-WebSocket-Key",
    f"{KEY}[a strange key]": "wsproto takes any Sec-WebSocket-Key",
}
NO_CODE = "hypercorn tells an application 1006, whatever the client closed with"
OF_HYPERCORN = OF_WSPROTO | {
    ONE_SEGMENT: NO_CODE,
    "test_a_clients_close_code_and_reason_come_back_to_it": NO_CODE,
    "test_a_close_without_a_code_is_1005_and_is_answered": NO_CODE,
}
OF_STARLETTE = {f"{PATH}[line breaks]": "Starlette's mounts match no line break"}
WHOLE = "ASGI shows whole messages only: until then it is the server's own limit that counts"


class TestUvicorn(GatewaySuite):
    """As it comes: httptools and the websockets library."""

    cannot: Mapping[str, str] = OF_UVICORN | {
        f"{BROKEN}[text that is not UTF-8]": TRACEBACK,
        f"{BROKEN}[text that ends within a character]": TRACEBACK,
        f"{BROKEN}[a surrogate in UTF-8]": TRACEBACK,
    }
    untried: Mapping[str, str] = {FRAGMENTS: WHOLE, PINGS: "uvicorn keeps pongs without a bound"}
    ws = "auto"

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with under_uvicorn(asgi_app(lobby), ws=self.ws, **options) as url:
            yield url


class TestUvicornWsproto(TestUvicorn):
    """With wsproto in place of the websockets library."""

    cannot: Mapping[str, str] = {**OF_UVICORN, **OF_WSPROTO}
    untried: Mapping[str, str] = {**TestUvicorn.untried, GIANT: WHOLE}
    ws = "wsproto"


class TestStarlette(TestUvicorn):
    """Rooms mounted in a Starlette application."""

    cannot: Mapping[str, str] = {**TestUvicorn.cannot, **OF_STARLETTE}

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        app = Starlette(routes=[Mount("/", asgi_app(lobby))], lifespan=lifespan(lobby))
        async with under_uvicorn(app, **options) as url:
            yield url


class TestHypercorn(GatewaySuite):
    """Under hypercorn, which has wsproto too."""

    cannot: Mapping[str, str] = OF_HYPERCORN
    untried: Mapping[str, str] = {
        FRAGMENTS: WHOLE,
        GIANT: WHOLE,
        PINGS: "hypercorn drops no pong, but reads on only when it is sent, which fills no memory either",
        SILENT: "hypercorn pings, and does not mind if no pong comes",
        BUSY: "hypercorn cuts no silent peer, which this test waits for",
    }

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        async with under_hypercorn(asgi_app(lobby), **options) as url:
            yield url


class TestFastAPI(TestHypercorn):
    """Rooms mounted in a FastAPI application, under a path that is sent encoded."""

    cannot: Mapping[str, str] = {**OF_HYPERCORN, **OF_STARLETTE}

    @asynccontextmanager
    async def serving(self, lobby: Lobby, **options: Any) -> AsyncIterator[str]:
        app = FastAPI(lifespan=lifespan(lobby))
        app.mount("/live now", asgi_app(lobby))
        async with under_hypercorn(app, **options) as url:
            yield url + "/live%20now"
