"""What a gateway owes besides that writes its frames itself (``partyroom.gateways.socket``): nobody stays for ever."""

from __future__ import annotations

import asyncio

import pytest

from partyroom import Connection, Limits
from partyroom.gateways import socket
from tests.gateways.suite import Echo, GatewaySuite, Serve
from tests.gateways.wire import TEXT, frame

__all__ = ["SocketSuite"]


class SocketSuite(GatewaySuite):
    """The suite, and how a peer is let go of that does not read or answer."""

    @pytest.fixture(autouse=True)
    def short_deafness(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "DEAF_TIMEOUT", 0.2)

    async def test_a_peer_that_does_not_answer_a_close_is_cut(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "CLOSE_TIMEOUT", 0.1)

        class Leaving(Echo):
            def on_message(self, connection: Connection, message: str | bytes) -> None:
                connection.send(b"x" * (20_000_000 if message == "much" else 1))
                connection.close(4000)

        served = await serve(Leaving)
        for message in (b"little", b"much"):  # the close frame arrives, or waits behind what is not read
            wire = await served.wire()
            await wire.send(frame(TEXT, message))
        assert await Leaving.noted(2) == [("close", 1006, "", False)] * 2

    @pytest.mark.parametrize("last", [b"broken", b"fin"])
    async def test_a_peer_that_does_not_read_is_let_go_of_when_it_ends(
        self, serve: Serve, last: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "CLOSE_TIMEOUT", 0.1)

        class Flooding(Echo):
            limits = Limits(buffer=100_000_000, close=0.5)

            def on_message(self, connection: Connection, message: str | bytes) -> None:
                connection.send(b"x" * 20_000_000)

        served = await serve(Flooding, gateway={"heartbeat": 0.1})
        wire = await served.wire()
        await wire.send(frame(TEXT, b"flood"))
        if last == b"fin":
            wire.end()
        else:
            await wire.send(frame(0x3, b"no such opcode"))
        assert (await Flooding.noted())[-1][0] in ("close", "error")
        async with asyncio.timeout(5):
            while served.lobby.connected:
                Flooding.changed.clear()
                await Flooding.changed.wait()
