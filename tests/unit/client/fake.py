"""A network that tests make: wires whose other end is the test, and dials that go as it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from partyroom.client.mail import Outgoing
from partyroom.client.waiting import Changes
from partyroom.client.wire import Target, Wire
from partyroom.clock import Clock
from partyroom.errors import ConnectionClosed


class FakeWire:
    """One connection; the test is the server: it reads ``sent``, ``say``s something and ``hang_up``s."""

    protocol: str | None = None

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self.pings = 0
        self.closed_with: tuple[int, str] | None = None
        self.aborted = False
        self.ending = False
        self.reads = 0
        """How many messages the client has asked for."""
        self.jammed = False
        """The network takes one more message and then no other until ``unjam``."""
        self.answers_pings = True
        self.answers_close = True
        self.breaks_on_send = False
        self.changed = Changes()
        self._incoming: asyncio.Queue[str | bytes | ConnectionClosed] = asyncio.Queue()
        self._heard = False

    # The server's side

    def say(self, *messages: str | bytes) -> None:
        for message in messages:
            self._heard = True
            self._incoming.put_nowait(message)

    def hang_up(self, code: int = 1006, reason: str = "") -> None:
        self.ending = True
        self._incoming.put_nowait(ConnectionClosed(code, reason))

    def unjam(self) -> None:
        self.jammed = False
        self.changed()

    async def until_sent(self, count: int) -> list[str | bytes]:
        await self.changed.until(lambda: len(self.sent) >= count)
        return self.sent

    # The client's side: a Wire

    def heard(self) -> bool:
        heard, self._heard = self._heard, False
        return heard

    async def receive(self) -> str | bytes:
        self.reads += 1
        message = await self._incoming.get()
        if isinstance(message, ConnectionClosed):
            raise message
        return message

    async def send(self, message: Outgoing) -> None:
        assert not self.ending
        if self.breaks_on_send:
            self.hang_up()
            raise ConnectionClosed()
        self.sent.append(message.data.decode() if message.is_text else message.data)
        self.changed()
        await self.changed.until(lambda: not self.jammed)

    async def ping(self) -> None:
        self.pings += 1
        self._heard = self.answers_pings
        self.changed()

    async def close(self, code: int, reason: str) -> None:
        self.closed_with = code, reason
        self.ending = True
        self.changed()
        await self.changed.until(lambda: self.answers_close)

    def abort(self) -> None:
        self.aborted = True
        if not self.ending:
            self.hang_up()
        self.changed()


class FakeNetwork:
    """A ``Dial``: gives a wire, or what ``answer`` says: it may raise, wait, or give a wire of its own."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.wires: list[FakeWire] = []
        self.targets: list[Target] = []
        self.times: list[float] = []
        self.answer: Callable[[], None] = lambda: None
        self.hangs = False
        self.changed = Changes()
        self._clock = clock

    async def __call__(self, target: Target) -> Wire:
        self.targets.append(target)
        if self._clock is not None:
            self.times.append(self._clock.now())
        self.changed()
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        self.answer()
        self.wires.append(FakeWire())
        self.changed()
        return self.wires[-1]

    @property
    def queries(self) -> list[dict[str, str]]:
        """What was asked at each attempt."""
        return [dict(parse_qsl(urlsplit(target.url).query, keep_blank_values=True)) for target in self.targets]

    async def wire(self, number: int = 1) -> FakeWire:
        """The wire of this number (from 1), when there is one."""
        async with asyncio.timeout(5):
            await self.changed.until(lambda: len(self.wires) >= number)
        return self.wires[number - 1]
