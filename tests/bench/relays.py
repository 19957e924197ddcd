"""Relay loads: fan-out to one room, paced and in bursts, and many rooms of two."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter_ns

from .load import OURS, Load, Scenario, Size, Window, acquainted, opened, paced, until
from .wire import TEXT, Client, connect, masked

__all__ = ["GATEWAYS", "RELAYS"]

RECEIVERS = 100
PACE = 50.0
BURST = 200
WARM_UP_BURSTS = 4
WARM_UP_PACE = 8_000.0
ROOMS = 500
ROOMS_PACE = 2_000.0
SAMPLED = 20  # one receiver in so many reads the time stamps
STAMP = 19
PADDING = b"-" * (100 - STAMP)
PAUSE = 0.02  # seconds between bursts


def stamped() -> bytes:
    """A text message of 100 bytes that starts with the time, as a client frame."""
    return masked(TEXT, b"%019d" % perf_counter_ns() + PADDING)


class Timed(Client):
    """A receiver that reads the time stamp of every message."""

    def __init__(self) -> None:
        super().__init__()
        self.latencies: list[float] = []

    def message(self, data: bytes, start: int, end: int) -> None:
        self.count += 1
        self.latencies.append((perf_counter_ns() - int(data[start : start + STAMP])) / 1e9)


class Relayed:
    """A load whose messages are made as they are sent: they carry the time."""

    def __init__(self, senders: Sequence[Client], receivers: Sequence[Client]) -> None:
        self.senders = senders
        self.receivers = receivers
        self.timed = [client for client in receivers if isinstance(client, Timed)]

    async def warm_up(self) -> None:
        await Bursts(self.senders, self.receivers, WARM_UP_BURSTS).run()

    def prepare(self) -> None:
        for client in self.timed:
            client.latencies.clear()

    async def run(self) -> Window:
        before = sum(client.count for client in self.receivers)
        deliveries = await self.send()
        await until(self.receivers, before + deliveries)
        return Window(deliveries, [latency for client in self.timed for latency in client.latencies])

    async def send(self) -> int:
        """Send a window's messages, and return how many must arrive."""
        raise NotImplementedError

    def close(self) -> None:
        for client in (*self.senders, *self.receivers):
            client.abort()


class Paced(Relayed):
    """One sender, every message alone: what a delivery costs when nothing can be batched."""

    def __init__(self, senders: Sequence[Client], receivers: Sequence[Client], count: int) -> None:
        super().__init__(senders, receivers)
        self.count = count

    async def send(self) -> int:
        await paced(PACE, self.count, lambda _: self.senders[0].write(stamped()))
        return self.count * len(self.receivers)


class Bursts(Relayed):
    """One sender, many messages in one write: what a delivery costs when everything can be batched."""

    def __init__(self, senders: Sequence[Client], receivers: Sequence[Client], bursts: int) -> None:
        super().__init__(senders, receivers)
        self.bursts = bursts

    async def send(self) -> int:
        before = sum(client.count for client in self.receivers)
        each = BURST * len(self.receivers)
        for burst in range(1, self.bursts + 1):
            self.senders[0].write(b"".join([stamped() for _ in range(BURST)]))
            await until(self.receivers, before + burst * each)
            await asyncio.sleep(PAUSE)
        return self.bursts * each


class Pairs(Relayed):
    """Many rooms of two, taking turns: what a message costs when there is one delivery for each."""

    def __init__(self, senders: Sequence[Client], receivers: Sequence[Client], count: int) -> None:
        super().__init__(senders, receivers)
        self.count = count

    async def warm_up(self) -> None:
        await self._send(WARM_UP_PACE)

    async def send(self) -> int:
        await self._send(ROOMS_PACE)
        return self.count

    async def _send(self, pace: float) -> None:
        senders = self.senders
        await paced(pace, self.count, lambda n: senders[n % len(senders)].write(stamped()))


def _receivers(count: int) -> list[Client]:
    return [Client() if n % SAMPLED else Timed() for n in range(count)]


async def _fan_out(port: int) -> tuple[list[Client], list[Client]]:
    path = "/parties/relay/bench"
    sender = await connect(Client(), port, path)
    receivers = await opened(connect(client, port, path) for client in _receivers(RECEIVERS))
    await acquainted(receivers, lambda: sender.write(stamped()))
    return [sender], receivers


async def _paced(port: int, size: Size) -> Load:
    return Paced(*await _fan_out(port), count=int(PACE * size.seconds))


async def _bursts(port: int, size: Size) -> Load:
    return Bursts(*await _fan_out(port), bursts=size.bursts)


async def _pairs(port: int, size: Size) -> Load:
    paths = [f"/parties/relay/pair-{n}" for n in range(ROOMS)]
    senders = await opened(connect(Client(), port, path) for path in paths)
    receivers = await opened(map(connect, _receivers(ROOMS), [port] * ROOMS, paths))

    def greet() -> None:
        for sender in senders:
            sender.write(stamped())

    await acquainted(receivers, greet)
    return Pairs(senders, receivers, count=int(ROOMS_PACE * size.seconds))


RELAYS = [
    Scenario("fanout-paced", f"fan-out to {RECEIVERS}, {PACE:.0f} messages/s", "ws", 0.75, _paced, floor=True),
    Scenario("fanout-burst", f"fan-out to {RECEIVERS}, bursts of {BURST}", "ws", 0.10, _bursts),
    Scenario("rooms", f"{ROOMS} rooms of 2, {ROOMS_PACE:,.0f} messages/s", "ws", 0.80, _pairs, floor=True),
]

GATEWAYS = [
    Scenario("tornado-paced", f"fan-out to {RECEIVERS}, {PACE:.0f} messages/s: Tornado", OURS, 1.3, _paced, "tornado"),
    Scenario("tornado-burst", f"fan-out to {RECEIVERS}, bursts of {BURST}: Tornado", OURS, 1.3, _bursts, "tornado"),
    Scenario("asgi-paced", f"fan-out to {RECEIVERS}, {PACE:.0f} messages/s: uvicorn", OURS, None, _paced, "uvicorn"),
    Scenario("asgi-burst", f"fan-out to {RECEIVERS}, bursts of {BURST}: uvicorn", OURS, None, _bursts, "uvicorn"),
]
"""Our other gateways beside the one of aiohttp."""
