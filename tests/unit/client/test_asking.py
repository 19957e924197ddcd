"""Asking: clients of a room ask and answer each other, over plain rooms and over documents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from partyroom import Lobby
from partyroom.cli.readymade import PARTIES
from partyroom.client import DocumentClient, PartySocket
from partyroom.client import asking as module
from partyroom.client.asking import AskFailed, Asking, NobodyAnswered
from partyroom.errors import ConnectionClosed
from partyroom.protocols.asking import MOST_BYTES, Answer, Ask, parse
from partyroom.testing import ManualClock, settle
from tests.unit.client.inside import Inside


class Relay:
    """A room that passes on what one says to all others, at once."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.said: list[str | bytes] = []

    def socket(self) -> Socket:
        socket = Socket(self)
        self.sockets.append(socket)
        return socket


class Socket:
    """What ``Asking`` needs of a ``PartySocket``."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.callbacks: list[Callable[[str | bytes], object]] = []
        self.failure: Exception | None = None

    def post(self, message: str | bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self._relay.said.append(message)
        for socket in self._relay.sockets:
            if socket is not self:
                socket.hear(message)

    def hear(self, message: str | bytes) -> None:
        for callback in tuple(self.callbacks):
            callback(message)

    def on_message(self, callback: Callable[[str | bytes], object]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)


async def test_who_serves_answers() -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    bob.serve("sum", sum)

    async def greet(name: str) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"hello": name}

    bob.serve("greet", greet)
    assert await ada.ask("sum", [1, 2]) == 3
    greeting, nothing = await asyncio.gather(ada.ask("greet", "é😀"), ada.ask("sum", []))
    assert (greeting, nothing) == ({"hello": "é😀"}, 0)
    await ada.close()
    await bob.close()


async def test_nobody_answers_in_time() -> None:
    clock = ManualClock()
    relay = Relay()
    ada = Asking(relay.socket(), clock=clock)
    asked = asyncio.create_task(ada.ask("sum", [1], timeout=5))
    await settle()
    await clock.advance(4.9)
    assert not asked.done()
    await clock.advance(0.2)
    with pytest.raises(NobodyAnswered, match="nobody has answered 'sum' within 5 s: does anybody serve it"):
        await asked
    with pytest.raises(TimeoutError):
        raise NobodyAnswered
    await ada.close()


async def test_an_answer_that_comes_too_late_is_nothing() -> None:
    relay = Relay()
    ada = Asking(relay.socket())
    with pytest.raises(NobodyAnswered):
        await ada.ask("sum", timeout=0)
    (said,) = relay.said
    ask = parse(str(said))
    assert isinstance(ask, Ask)
    relay.sockets[0].hear(Answer(ask.id, 1).text())
    await ada.close()


async def test_the_first_answer_counts() -> None:
    relay = Relay()
    ada, *servers = (Asking(relay.socket()) for _ in range(3))
    for number, server in enumerate(servers):
        server.serve("who", partial(pow, number))
    assert await ada.ask("who", 1) == 0
    for one in ada, *servers:
        await one.close()


async def test_what_a_handler_raises_is_told_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())

    def divide(pair: list[float]) -> float:
        return pair[0] / pair[1]

    def silent(value: Any) -> None:
        raise ValueError

    bob.serve("divide", divide)
    bob.serve("silent", silent)
    bob.serve("set", lambda _: {1, 2})
    bob.serve("long", lambda _: "x" * MOST_BYTES)
    with caplog.at_level(logging.CRITICAL):
        with pytest.raises(AskFailed, match=r"^(float )?division by zero$"):
            await ada.ask("divide", [1, 0])
        with pytest.raises(AskFailed, match=r"^ValueError$"):
            await ada.ask("silent")
        with pytest.raises(AskFailed, match="set is not JSON serializable"):
            await ada.ask("set")
        with pytest.raises(AskFailed, match="at most 262144"):
            await ada.ask("long")
    assert not any("Traceback" in str(said) for said in relay.said)
    await ada.close()
    await bob.close()


async def test_what_json_cannot_say_is_not_asked() -> None:
    relay = Relay()
    ada = Asking(relay.socket())
    with pytest.raises(TypeError):
        await ada.ask("sum", {1})
    with pytest.raises(ValueError, match="JSON compliant"):
        await ada.ask("sum", float("nan"))
    with pytest.raises(ValueError, match="asks and answers have at most"):
        await ada.ask("sum", "é" * MOST_BYTES)
    assert not relay.said
    await ada.close()


async def test_a_name_is_served_once_and_until_it_is_stopped() -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    stop = bob.serve("sum", sum)
    with pytest.raises(ValueError, match="served by this client already"):
        bob.serve("sum", sum)
    stop()
    with pytest.raises(NobodyAnswered):
        await ada.ask("sum", [], timeout=0)
    bob.serve("sum", max)
    stop()
    assert await ada.ask("sum", [1, 2]) == 2
    await ada.close()
    await bob.close()


async def test_too_many_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNNING", 2)
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    release = asyncio.Event()

    async def wait(value: Any) -> Any:
        await release.wait()
        return value

    bob.serve("wait", wait)
    waiting = [asyncio.create_task(ada.ask("wait", number)) for number in range(2)]
    await settle()
    with pytest.raises(AskFailed, match="too many"):
        await ada.ask("wait", 3)
    release.set()
    assert await asyncio.gather(*waiting) == [0, 1]
    await ada.close()
    await bob.close()


async def test_closing_gives_up_what_is_asked_and_what_is_answered() -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    cancelled = asyncio.Event()

    async def wait(value: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    bob.serve("wait", wait)
    asked = asyncio.create_task(ada.ask("wait"))
    await settle()
    await bob.close()
    assert cancelled.is_set()
    await ada.close()
    with pytest.raises(ConnectionClosed):
        await asked
    with pytest.raises(ConnectionClosed):
        await ada.ask("wait")
    assert not any(socket.callbacks for socket in relay.sockets)


async def test_other_messages_and_malformed_ones_are_let_pass(caplog: pytest.LogCaptureFixture) -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    bob.serve("sum", sum)
    for message in "hello", b'{"partyroom":"ask","id":"1","name":"sum"}', Answer("unknown", 1).text():
        relay.sockets[0].post(message)
    with caplog.at_level(logging.WARNING, "partyroom.client"):
        relay.sockets[0].post('{"partyroom":"ask"}')
    assert "no ask" in caplog.text
    assert await ada.ask("sum", [1]) == 1
    await ada.close()
    await bob.close()


async def test_an_answer_that_cannot_be_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    relay = Relay()
    ada, bob = Asking(relay.socket()), Asking(relay.socket())
    bob.serve("sum", sum)
    relay.sockets[1].failure = ConnectionClosed()
    with caplog.at_level(logging.WARNING, "partyroom.client"), pytest.raises(NobodyAnswered):
        await ada.ask("sum", [1], timeout=0.05)
    assert "an answer could not be sent" in caplog.text
    await ada.close()
    await bob.close()


@pytest.mark.parametrize("party", ["main", "relay"])
async def test_the_ready_made_rooms_carry_it(party: str) -> None:
    """Sockets in a relay, and documents in ``main``, through rooms of ours."""
    async with Lobby(PARTIES) as lobby:
        inside = Inside(lobby, ManualClock())

        def client(name: str) -> Any:
            options: Any = {"room": "a", "party": party, "clock": inside.clock, "dial": inside, "id": name}
            return PartySocket("localhost", **options) if party == "relay" else DocumentClient("localhost", **options)

        async with client("ada") as ada, client("bob") as bob, client("eve") as eve:
            await settle()
            asks = [Asking(one) for one in (ada, bob, eve)]
            asks[1].serve("sum", sum)
            asks[2].serve("fail", lambda _: [][1])
            assert await asks[0].ask("sum", [1, 2]) == 3
            assert await asks[2].ask("sum", [4, 5]) == 9
            with pytest.raises(AskFailed, match="list index out of range"):
                await asks[1].ask("fail")
            for one in asks:
                await one.close()
