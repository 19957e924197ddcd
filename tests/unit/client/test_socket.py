"""PartySocket, on a network that tests make: it stays connected, in order, at most once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from partyroom.client.backoff import Backoff
from partyroom.client.socket import PartySocket, Status
from partyroom.errors import ConnectionClosed, HandshakeRefused, QueueFull, Refused, Unreachable
from partyroom.testing import ManualClock, settle
from tests.unit.client.fake import FakeNetwork, FakeWire

KIB = 1024


class Bench:
    """A network, a clock that stands, and the means to make sockets on them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.network = FakeNetwork(self.clock)

    def make(self, **options: Any) -> PartySocket:
        options = {"room": "r", "backoff": Backoff(random=Random(1).random), **options}
        return PartySocket("localhost:1999", clock=self.clock, dial=self.network, **options)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[tuple[PartySocket, FakeWire]]:
        """A socket with its first connection."""
        async with self.make(**options) as socket:
            await socket.opened()
            yield socket, self.network.wires[0]

    async def reconnected(self, number: int) -> FakeWire:
        """The wire of this number, after however long that takes."""
        for _ in range(number):
            await self.clock.advance(30)
        return await self.network.wire(number)

    def refuse(self, error: Exception, times: int = 1) -> None:
        """The next dials fail."""
        left = [error] * times

        def answer() -> None:
            if left:
                raise left.pop()

        self.network.answer = answer


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestConnecting:
    async def test_the_id_is_in_the_query_and_stays_over_reconnects(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.hang_up()
            await bench.reconnected(2)
            assert socket.id
            assert [query["_pk"] for query in bench.network.queries] == [socket.id] * 2

    async def test_an_id_may_be_given(self, bench: Bench) -> None:
        async with bench.open(id="ada & co") as (socket, _):
            assert socket.id == "ada & co"
            assert bench.network.queries == [{"_pk": "ada & co"}]

    async def test_query_and_headers_are_made_anew_for_every_attempt(self, bench: Bench) -> None:
        tokens, keys = iter("abc"), iter("xyz")

        async def headers() -> dict[str, str]:
            await asyncio.sleep(0)
            return {"x-key": next(keys)}

        async with bench.open(query=lambda: {"token": next(tokens)}, headers=headers) as (_, wire):
            wire.hang_up()
            await bench.reconnected(2)
        assert [query["token"] for query in bench.network.queries] == ["a", "b"]
        assert [target.headers for target in bench.network.targets] == [{"x-key": "x"}, {"x-key": "y"}]

    async def test_a_query_that_cannot_be_had_fails_that_attempt(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        def query() -> dict[str, str]:
            if not bench.network.targets and socket.failure == "":
                raise KeyError("no token yet")
            return {"token": "x"}

        async with bench.make(query=query) as socket:
            await settle()
            assert (socket.status, socket.failure) == (Status.CONNECTING, "query or headers could not be had: KeyError")
            assert "KeyError" in caplog.text
            await bench.reconnected(1)
            assert (socket.status, socket.failure) == (Status.OPEN, "")

    async def test_a_query_that_raises_refused_ends_the_socket(self, bench: Bench) -> None:
        def query() -> dict[str, str]:
            raise Refused(401, "log in again")

        async with bench.make(query=query) as socket:
            with pytest.raises(HandshakeRefused, match="log in again"):
                await socket.opened()

    async def test_a_handshake_that_takes_too_long_is_given_up(self, bench: Bench) -> None:
        bench.network.hangs = True
        async with bench.make(connect_timeout=4) as socket:
            await bench.clock.advance(4)
            assert socket.failure == "no connection to ws://localhost:1999/parties/main/r within 4 s"
            bench.network.hangs = False
            await bench.clock.advance(2)
            assert socket.status is Status.OPEN

    async def test_a_failure_is_tried_again_with_growing_waits(self, bench: Bench) -> None:
        bench.refuse(Unreachable("nobody there"), times=5)
        began = bench.clock.now()
        async with bench.make(backoff=Backoff(initial=1, growth=2, maximum=5, jitter=0)) as socket:
            await bench.clock.advance(60)
            assert socket.status is Status.OPEN
        assert [time - began for time in bench.network.times] == [0, 1, 3, 7, 12, 17]

    async def test_retry_after_is_waited_for_and_the_backoff_on_top(self, bench: Bench) -> None:
        bench.refuse(Unreachable("429", retry_after=50))
        began = bench.clock.now()
        async with bench.make(backoff=Backoff(initial=1, jitter=0)):
            await bench.clock.advance(60)
        assert [time - began for time in bench.network.times] == [0, 51]

    async def test_a_connection_that_does_not_live_counts_as_a_failure(self, bench: Bench) -> None:
        began = bench.clock.now()
        async with bench.open(backoff=Backoff(initial=1, growth=2, jitter=0, min_uptime=5)) as (_, wire):
            for number, lives in enumerate([0, 4.9, 5, 0], start=2):
                await bench.clock.advance(lives)
                wire.hang_up()
                await settle()
                while len(bench.network.wires) < number:
                    await bench.clock.advance(1)
                wire = bench.network.wires[-1]
        # 0 +1 -> 1, lives 4.9 and waits 2, lives 5 (well: counts anew) and waits 1, lives 0 and waits 2
        times = [round(time - began, 1) for time in bench.network.times]
        assert times == [0, 1, 7.9, 13.9, 15.9]

    async def test_the_log_tells_of_an_outage_once(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        bench.refuse(Unreachable("nobody there"), times=10)
        with caplog.at_level(logging.INFO, "partyroom.client"):
            async with bench.make():
                await bench.clock.advance(3600)
        assert [record.message for record in caplog.records] == ["nobody there; trying again"]

    async def test_the_log_tells_once_that_the_server_blames_somebody(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with bench.open(backoff=Backoff(initial=1, jitter=0)) as (socket, wire):
            for number, (code, reason) in enumerate(
                [(1006, ""), (1011, "the server failed"), (1011, "the server failed")]
            ):
                wire.hang_up(code, reason)
                await settle()
                while len(bench.network.wires) < number + 2:
                    await bench.clock.advance(1)
                wire = bench.network.wires[-1]
        assert [record.message for record in caplog.records] == [
            f"{socket.url}: the connection has ended (1011: the server failed); trying again"
        ]


class TestTheEnd:
    @pytest.mark.parametrize("code", [4400, 4401, 4403, 4409, 4499])
    async def test_44xx_ends_the_socket(self, bench: Bench, code: int) -> None:
        async with bench.open() as (socket, wire):
            wire.say("last")
            wire.hang_up(code, "no more")
            assert await anext(socket) == "last"
            with pytest.raises(ConnectionClosed) as ended:
                await anext(socket)
            assert (ended.value.code, ended.value.reason) == (code, "no more")
            assert (socket.status, socket.close_code, socket.close_reason) == (Status.CLOSED, code, "no more")
            for use in (socket.send, socket.post):
                with pytest.raises(ConnectionClosed, match=str(code)):
                    await (use("x") or settle())
            with pytest.raises(ConnectionClosed):
                await socket.opened()
        await bench.clock.advance(3600)
        assert len(bench.network.targets) == 1

    @pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4399, 4500])
    async def test_after_any_other_code_it_goes_on(self, bench: Bench, code: int) -> None:
        async with bench.open() as (socket, wire):
            wire.hang_up(code, "see you")
            await settle()
            assert (socket.status, socket.close_code, socket.close_reason) == (Status.CONNECTING, code, "see you")
            (await bench.reconnected(2)).say("hello again")
            assert await anext(socket) == "hello again"

    async def test_a_refused_handshake_ends_the_socket(self, bench: Bench) -> None:
        bench.refuse(HandshakeRefused(401, "who are you?"))
        ends: list[tuple[int, str]] = []
        async with bench.make() as socket:
            socket.on_close(lambda code, reason: ends.append((code, reason)))
            with pytest.raises(HandshakeRefused) as refused:
                await socket.opened()
            assert (refused.value.status, refused.value.code) == (401, 4401)
            with pytest.raises(HandshakeRefused):
                await anext(socket)
        assert ends == [(4401, "who are you?")]

    async def test_leaving_says_goodbye(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            pass
        assert wire.closed_with == (1000, "")
        assert wire.aborted
        assert socket.status is Status.CLOSED

    async def test_a_code_and_a_reason_may_be_given_and_closing_again_is_fine(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            await asyncio.gather(socket.close(4000, "done"), socket.close())
            await socket.close(1000)
        assert wire.closed_with == (4000, "done")
        assert socket.close_code == 4000

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
    async def test_a_code_that_nobody_may_send_is_refused(self, bench: Bench, code: int) -> None:
        async with bench.open() as (socket, wire):
            with pytest.raises(ValueError, match=str(code)):
                await socket.close(code)
            assert wire.closed_with is None

    async def test_iteration_ends_when_we_close_after_what_had_come(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.say("a", "b")
            await settle()
            await socket.close()
            assert [message async for message in socket] == ["a", "b"]
            with pytest.raises(ConnectionClosed):
                await socket.receive()

    async def test_an_iteration_that_waits_ends_when_we_close(self, bench: Bench) -> None:
        async with bench.open() as (socket, _):
            reading = asyncio.create_task(anext(socket, None))
            await settle()
            await socket.close()
            assert await reading is None

    async def test_what_waits_is_sent_before_the_goodbye(self, bench: Bench) -> None:
        async with bench.make() as socket:
            for number in range(100):
                await socket.send(f"{number}")
        assert bench.network.wires[0].sent == [f"{number}" for number in range(100)]
        assert bench.network.wires[0].closed_with == (1000, "")

    async def test_leaving_takes_no_longer_than_the_close_timeout(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.refuse(Unreachable("nobody there"), times=100)
        socket = bench.make(close_timeout=3)
        socket.start()
        await socket.send("never sent")
        closing = asyncio.create_task(socket.close())
        await bench.clock.advance(2.9)
        assert not closing.done()
        await bench.clock.advance(0.1)
        await closing
        assert "1 messages to ws://localhost:1999/parties/main/r were never sent" in caplog.text

    async def test_a_peer_that_does_not_say_goodbye_is_left_in_time(self, bench: Bench) -> None:
        async with bench.open(close_timeout=3) as (socket, wire):
            wire.answers_close = False
            closing = asyncio.create_task(socket.close())
            await bench.clock.advance(2.9)
            assert not closing.done()
            await bench.clock.advance(0.1)
            await closing
            assert wire.aborted

    async def test_a_peer_that_does_not_read_is_left_in_time(self, bench: Bench) -> None:
        async with bench.open(close_timeout=3) as (socket, wire):
            wire.jammed = True
            wire.answers_close = False
            socket.post("a")
            socket.post("b")
            closing = asyncio.create_task(socket.close())
            await bench.clock.advance(3)
            await closing
            assert wire.sent == ["a"]

    async def test_a_socket_that_is_still_connecting_is_closed_at_once(self, bench: Bench) -> None:
        bench.network.hangs = True
        async with bench.make() as socket:
            await settle()
        assert socket.status is Status.CLOSED

    async def test_a_socket_that_was_never_started_is_closed_too(self, bench: Bench) -> None:
        socket = bench.make()
        await socket.close()
        assert socket.status is Status.CLOSED
        socket.start()
        with pytest.raises(ConnectionClosed):
            await socket.opened()
        assert bench.network.targets == []

    async def test_a_close_that_is_cancelled_closes_all_the_same(self, bench: Bench) -> None:
        async with bench.open(close_timeout=3) as (socket, wire):
            wire.jammed = True
            socket.post("a")
            socket.post("b")
            closing = asyncio.create_task(socket.close())
            await settle()
            closing.cancel()
            await settle()
            assert wire.aborted
            assert socket.status is Status.CLOSED

    async def test_a_program_that_ends_without_closing_says_that_it_goes_away(self) -> None:
        bench = Bench()

        async def program() -> FakeWire:
            socket = bench.make()
            await socket.opened()
            return bench.network.wires[0]

        wire = await asyncio.to_thread(asyncio.run, program())
        assert wire.closed_with == (1001, "the program ended")


class TestSending:
    async def test_what_waits_while_there_is_no_connection_goes_first_and_in_order(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            socket.on_open(lambda: socket.post("opened"))
            wire.hang_up()
            await settle()
            await socket.send("1")
            await socket.send(b"2")
            socket.post("3")
            await socket.send_json({"n": [4, "ü"]})
            again = await bench.reconnected(2)
            await socket.send("5")
            assert await again.until_sent(6) == ["1", b"2", "3", '{"n":[4,"ü"]}', "opened", "5"]
        assert wire.sent == []

    async def test_what_was_handed_to_a_connection_that_broke_is_not_sent_again(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.breaks_on_send = True
            for number in range(4):
                socket.post(f"{number}")
            again = await bench.reconnected(2)
            assert await again.until_sent(3) == ["1", "2", "3"]
            await settle()
            assert len(again.sent) == 3

    async def test_what_a_dying_connection_did_not_take_is_kept(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.ending = True  # it is known, though not to whoever reads
            await socket.send("kept")
            await settle()
            wire.hang_up()
            again = await bench.reconnected(2)
            assert await again.until_sent(1) == ["kept"]
        assert wire.sent == []

    async def test_more_than_the_queue_holds_is_refused_while_down(self, bench: Bench) -> None:
        bench.network.hangs = True
        async with bench.make(queue=10 * KIB, close_timeout=0) as socket:
            for _ in range(2):
                await socket.send(b"x" * 6 * KIB)  # one may be over the bound
            with pytest.raises(QueueFull, match=r"2 messages \(\d+ bytes\) wait"):
                await socket.send("")
            with pytest.raises(QueueFull):
                socket.post("")

    async def test_empty_messages_fill_a_queue_too(self, bench: Bench) -> None:
        bench.network.hangs = True
        async with bench.make(queue=10 * KIB, close_timeout=0) as socket:
            with pytest.raises(QueueFull):
                deque(map(socket.post, [b""] * 1_000))

    async def test_a_sender_waits_while_the_network_is_full_and_one_that_cannot_is_refused(self, bench: Bench) -> None:
        async with bench.open(queue=200 * KIB) as (socket, wire):
            wire.jammed = True
            await socket.send(b"0")
            await settle()
            sending = [asyncio.create_task(socket.send(bytes([n]) * 100 * KIB)) for n in (1, 2)]
            await settle()
            assert not any(task.done() for task in sending)
            with pytest.raises(QueueFull):
                socket.post(b"3")
            wire.unjam()
            await asyncio.gather(*sending)
            assert [message[:1] for message in await wire.until_sent(3)] == [b"0", b"\1", b"\2"]

    async def test_a_sender_that_is_cancelled_while_it_waits_leaves_the_stream_whole(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.jammed = True
            await socket.send("0")
            await settle()
            sending = [asyncio.create_task(socket.send(f"{n}" * 100 * KIB)) for n in (1, 2, 3)]
            await settle()
            sending[1].cancel()
            await settle()
            wire.unjam()
            await asyncio.gather(*sending, return_exceptions=True)
            sent = await wire.until_sent(4)
            assert [(message[0], len(message)) for message in sent[1:]] == [(f"{n}", 100 * KIB) for n in (1, 2, 3)]

    async def test_a_sender_that_waits_goes_on_when_the_connection_ends(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.jammed = True
            socket.post("0")
            await settle()
            sending = asyncio.create_task(socket.send("1" * 100 * KIB))
            await settle()
            wire.hang_up()
            await sending
            again = await bench.reconnected(2)
            assert [message[0] for message in await again.until_sent(1)] == ["1"]

    async def test_bytes_that_change_after_they_were_sent_are_sent_as_they_were(self, bench: Bench) -> None:
        async with bench.make() as socket:
            buffer = bytearray(b"before")
            await socket.send(memoryview(buffer))  # type: ignore[arg-type]
            buffer[:] = b"after!"
        assert bench.network.wires[0].sent == [b"before"]

    @pytest.mark.parametrize("message", [None, 1, ["x"], {"a": 1}])
    async def test_what_is_no_message_is_refused(self, bench: Bench, message: Any) -> None:
        async with bench.open() as (socket, _):
            with pytest.raises(TypeError, match="send_json"):
                await socket.send(message)

    async def test_what_json_and_utf8_cannot_say_is_refused_and_costs_nothing(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            with pytest.raises(ValueError, match="JSON"):
                await socket.send_json(float("nan"))
            with pytest.raises(UnicodeEncodeError):
                await socket.send("\ud800")
            await socket.send("fine")
            assert await wire.until_sent(1) == ["fine"]


class TestReceiving:
    async def test_iteration_goes_on_across_reconnects(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.say("1", b"2")
            wire.hang_up()
            (await bench.reconnected(2)).say("3")
            assert [await anext(socket) for _ in range(3)] == ["1", b"2", "3"]

    async def test_nothing_is_read_while_nobody_takes_what_has_come(self, bench: Bench) -> None:
        async with bench.open(heartbeat=10) as (socket, wire):
            wire.say(*[bytes([n]) * 300 * KIB for n in range(20)])
            await settle()
            assert wire.reads == 4  # 1 MiB and a little
            await bench.clock.advance(3600)  # and that a full reader hears nothing is no reason to hang up
            assert (wire.pings, wire.reads, socket.status) == (0, 4, Status.OPEN)
            assert [(await anext(socket))[0] for _ in range(20)] == list(range(20))

    async def test_what_came_before_a_callback_goes_to_it_first(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.say("1", "2")
            await settle()
            taken: list[str | bytes] = []
            remove = socket.on_message(taken.append)
            wire.say("3")
            await settle()
            assert taken == ["1", "2", "3"]
            remove()
            wire.say("4")
            assert await anext(socket) == "4"
            assert len(taken) == 3

    async def test_a_callback_frees_a_full_reader(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            wire.say(*[b"x" * 300 * KIB] * 20)
            await settle()
            taken: list[str | bytes] = []
            socket.on_message(taken.append)
            await settle()
            assert len(taken) == 20

    async def test_two_readers_share_the_messages(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            readers = [asyncio.create_task(anext(socket)) for _ in range(2)]
            await settle()
            wire.say("1", "2")
            assert sorted([str(await reader) for reader in readers]) == ["1", "2"]

    async def test_a_reader_that_is_cancelled_takes_nothing(self, bench: Bench) -> None:
        async with bench.open() as (socket, wire):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(socket)
            wire.say("1")
            assert await anext(socket) == "1"


class TestEvents:
    async def test_they_come_in_order_and_see_the_state_that_they_tell_of(self, bench: Bench) -> None:
        events: list[Any] = []
        socket = bench.make()
        socket.on_status(lambda status: events.append((status, socket.status)))
        socket.on_open(lambda: events.append(("open", socket.status)))
        socket.on_close(lambda code, reason: events.append((code, reason, socket.status)))
        async with socket:
            await socket.opened()
            bench.network.wires[0].hang_up(1012, "restarting")
            await bench.reconnected(2)
        assert events == [
            ("open", "open"),
            ("open", "open"),
            (1012, "restarting", "connecting"),
            ("connecting", "connecting"),
            ("open", "open"),
            ("open", "open"),
            (1000, "", "closed"),
            ("closed", "closed"),
        ]

    async def test_a_callback_that_fails_disturbs_nothing(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        socket = bench.make()
        taken: list[str | bytes] = []

        def fails(*_: object) -> None:
            raise RuntimeError("a mistake in it")

        for event in (socket.on_open, socket.on_status, socket.on_close, socket.on_message):
            event(fails)
        socket.on_message(taken.append)
        async with socket:
            (await bench.network.wire()).say("1", "2")
            await settle()
        assert taken == ["1", "2"]
        assert {name for name in ("on_open", "on_status", "on_close", "on_message") if name in caplog.text} == {
            "on_open",
            "on_status",
            "on_close",
            "on_message",
        }

    async def test_one_that_was_taken_away_hears_no_more(self, bench: Bench) -> None:
        statuses: list[Status] = []
        async with bench.make() as socket:
            socket.on_status(statuses.append)()
            await socket.opened()
        assert statuses == []


class TestHeartbeat:
    async def test_a_peer_that_answers_is_asked_now_and_then(self, bench: Bench) -> None:
        async with bench.open(heartbeat=10) as (socket, wire):
            await bench.clock.advance(100)
            assert 6 <= wire.pings <= 10
            assert socket.status is Status.OPEN

    async def test_a_peer_that_talks_is_not_asked(self, bench: Bench) -> None:
        async with bench.open(heartbeat=10) as (socket, wire):
            socket.on_message(lambda message: None)
            for _ in range(20):
                wire.say("x")
                await bench.clock.advance(5)
            assert wire.pings == 0

    async def test_a_peer_that_gives_no_sign_of_life_is_let_go_of(self, bench: Bench) -> None:
        async with bench.open(heartbeat=10) as (socket, wire):
            wire.answers_pings = False
            await bench.clock.advance(14.9)
            assert (wire.pings, socket.status) == (1, Status.OPEN)
            await bench.clock.advance(0.1)
            assert (wire.aborted, socket.close_code) == (True, 1006)
            await bench.clock.advance(2)
            assert socket.status is Status.OPEN

    async def test_without_a_heartbeat_nobody_is_asked(self, bench: Bench) -> None:
        async with bench.open(heartbeat=None) as (socket, wire):
            await bench.clock.advance(3600)
            assert (wire.pings, socket.status) == (0, Status.OPEN)


class TestSecrets:
    async def test_what_may_be_secret_is_shown_nowhere(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        bench.refuse(Unreachable("nobody there"), times=3)
        with caplog.at_level(logging.DEBUG):
            async with PartySocket(
                "ws://ada:hunter2@localhost:1999",
                room="r",
                query={"token": "hunter2"},
                headers={"authorization": "Bearer hunter2"},
                clock=bench.clock,
                dial=bench.network,
            ) as socket:
                await bench.clock.advance(60)
                assert socket.status is Status.OPEN
                shown = [repr(socket), socket.url, repr(bench.network.targets), socket.failure, repr(socket._task)]
        assert "hunter2" in bench.network.targets[0].url  # it was sent
        assert "hunter2" not in "".join([*shown, caplog.text])
