"""PartySocket.hang_up and discard: for those who find that what a connection brings is of no use."""

from __future__ import annotations

import pytest

from partyroom.client.backoff import Backoff
from partyroom.client.socket import PartySocket, Status
from partyroom.errors import ConnectionClosed
from partyroom.testing import ManualClock, settle
from tests.unit.client.fake import FakeNetwork


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def socket(clock: ManualClock, network: FakeNetwork) -> PartySocket:
    return PartySocket("localhost", room="r", clock=clock, dial=network, backoff=Backoff(jitter=0))


async def test_hanging_up_over_a_message_says_why_and_takes_no_more_from_it(
    socket: PartySocket, clock: ManualClock, network: FakeNetwork
) -> None:
    heard: list[str | bytes] = []
    ends: list[tuple[int, str]] = []

    def hear(message: str | bytes) -> None:
        heard.append(message)
        socket.hang_up(1002, "that is no message")

    socket.on_message(hear)
    socket.on_close(lambda code, reason: ends.append((code, reason)))
    async with socket:
        await socket.opened()
        wire = await network.wire()
        wire.say("nonsense", "more of it")
        await settle()
        assert (heard, ends, wire.closed_with) == (
            ["nonsense"],
            [(1002, "that is no message")],
            (1002, "that is no message"),
        )
        await clock.advance(2)
        assert socket.status is Status.OPEN
        assert len(network.wires) == 2


async def test_hanging_up_while_nothing_comes_ends_the_connection_too(
    socket: PartySocket, clock: ManualClock, network: FakeNetwork
) -> None:
    async with socket:
        await socket.opened()
        await settle()
        socket.hang_up(1008, "enough")
        socket.hang_up(1000, "said twice")
        await settle()
        assert (socket.status, socket.close_code, socket.close_reason) == (Status.CONNECTING, 1008, "enough")
        socket.hang_up(1008, "there is none")
        await clock.advance(2)
        assert socket.status is Status.OPEN


async def test_hanging_up_at_once_when_a_connection_opens(
    socket: PartySocket, clock: ManualClock, network: FakeNetwork
) -> None:
    take_away = socket.on_open(lambda: socket.hang_up(1008, "not you again"))
    async with socket:
        await settle()
        assert socket.close_reason == "not you again"
        take_away()
        await clock.advance(2)
        assert socket.status is Status.OPEN


async def test_after_hanging_up_with_a_code_that_is_final_there_is_no_other_connection(
    socket: PartySocket, clock: ManualClock, network: FakeNetwork
) -> None:
    async with socket:
        await socket.opened()
        socket.hang_up(4403, "the server will not have us")
        await clock.advance(60)
        assert len(network.wires) == 1
        with pytest.raises(ConnectionClosed, match="will not have us"):
            await socket.opened()


async def test_what_was_thrown_away_is_not_sent_over_the_next_connection(
    socket: PartySocket, clock: ManualClock, network: FakeNetwork
) -> None:
    socket.on_close(lambda code, reason: socket.discard())
    async with socket:
        await socket.opened()
        (await network.wire()).jammed = True
        for message in ("one", "two", "three"):
            socket.post(message)
        await settle()
        network.wires[0].hang_up()
        await settle()
        assert socket.discard() == 0
        await clock.advance(2)
        socket.post("four")
        assert await network.wires[1].until_sent(1) == ["four"]
