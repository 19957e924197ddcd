"""A connection queues what is sent to it, and ends when its client is too slow or too fast."""

from __future__ import annotations

import gc
import weakref

import pytest

from partyroom import connection as module
from partyroom.connection import Connection
from partyroom.errors import ConnectionClosed, LimitError
from partyroom.frame import Frame
from partyroom.http import Request
from partyroom.limits import DEFAULTS, Limits
from partyroom.testing import MemoryTransport


def connected(limits: Limits = DEFAULTS) -> tuple[Connection, MemoryTransport]:
    transport = MemoryTransport()
    return Connection("alice", Request(), transport, limits), transport


def ending(transport: MemoryTransport) -> tuple[int, str]:
    assert isinstance(transport.ended, ConnectionClosed)
    return transport.ended.code, transport.ended.reason


class TestSending:
    def test_messages_leave_in_order_and_at_once(self) -> None:
        connection, transport = connected()
        connection.send("text")
        connection.send(b"bytes")
        connection.send_json({"é": [1, None]})
        assert list(transport.messages) == ["text", b"bytes", '{"é":[1,null]}']

    @pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
    def test_send_json_refuses_what_json_cannot_say_and_sends_nothing(self, value: object) -> None:
        connection, transport = connected()
        with pytest.raises((TypeError, ValueError)):
            connection.send_json(value)
        assert not transport.messages

    def test_after_close_nothing_is_sent_and_nothing_raised(self) -> None:
        connection, transport = connected()
        connection.send("before")
        connection.close(4000, "bye")
        connection.send("after")
        assert list(transport.messages) == ["before"]
        assert ending(transport) == (4000, "bye")

    def test_a_client_whose_buffer_is_over_the_bound_is_cut(self) -> None:
        connection, transport = connected(Limits(buffer=10))
        connection.send("x" * 11)
        assert transport.ended is None, "a frame is let through to an empty buffer, whatever its size"
        connection.send("y")
        assert ending(transport)[0] == 1006
        assert connection.closed
        assert connection.close_code == 1006

    def test_a_client_that_reads_is_never_cut(self) -> None:
        connection, transport = connected(Limits(buffer=10))
        for _ in range(10):
            connection.send("x" * 11)
            transport.take()
        assert transport.ended is None


class TestClosing:
    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
    def test_a_code_that_may_not_be_sent_raises_and_leaves_it_open(self, code: int) -> None:
        connection, transport = connected()
        with pytest.raises(ValueError, match="close code"):
            connection.close(code)
        assert not connection.closed
        assert transport.ended is None

    @pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4000, 4999])
    def test_a_code_that_may_be_sent_is(self, code: int) -> None:
        connection, transport = connected()
        connection.close(code, "é" * 61)
        assert ending(transport) == (code, "é" * 61)

    def test_a_reason_is_measured_in_bytes(self) -> None:
        connection, _ = connected()
        with pytest.raises(ValueError, match="123 bytes"):
            connection.close(1000, "é" * 62)

    def test_the_first_close_counts(self) -> None:
        connection, transport = connected()
        connection.close(4001, "first")
        connection.close(4002, "second")
        assert ending(transport) == (4001, "first")
        assert (connection.close_code, connection.close_reason) == (4001, "first")

    def test_a_closing_connection_may_still_be_cut(self) -> None:
        connection, transport = connected()
        connection.send("never read")
        connection.close(1000)
        connection.abort("it does not answer")
        assert connection.close_code == 1006
        assert not transport.messages

    def test_an_ended_connection_is_not_cut_again(self) -> None:
        connection, transport = connected()
        connection.end(1006, "it has gone")
        connection.abort()
        assert transport.ended is None
        assert connection.close_reason == "it has gone"


@pytest.mark.parametrize("uri", ["http://example.com/parties/chat/a%20b?_pk=me&q=x+y%26z&q=2", "http://localhost/x"])
def test_it_knows_the_url_that_it_was_opened_with(uri: str) -> None:
    assert Connection("me", Request.build(uri), MemoryTransport(), Limits()).uri == uri


class TestState:
    def test_is_none_at_first_and_a_copy_when_read(self) -> None:
        connection, _ = connected()
        assert connection.state is None
        connection.state = {"name": "Ada", "seen": [1]}
        connection.state["seen"].append(2)
        assert connection.state == {"name": "Ada", "seen": [1]}

    def test_is_kept_apart_from_the_value_it_was_set_to(self) -> None:
        connection, _ = connected()
        value = {"a": 1}
        connection.state = value
        value["a"] = 2
        assert connection.state == {"a": 1}

    def test_set_state_takes_a_function_of_the_present_state(self) -> None:
        connection, _ = connected()
        assert connection.set_state(1) == 1
        assert connection.set_state(lambda count: count + 1) == 2
        assert connection.state == 2

    def test_over_its_limit_raises_and_keeps_what_was(self) -> None:
        connection, _ = connected(Limits(state=10))
        connection.state = "12345678"
        with pytest.raises(LimitError, match="over the limit of 10"):
            connection.state = "éééééé"
        assert connection.state == "12345678"

    def test_may_hold_half_a_surrogate_pair_as_json_may(self) -> None:
        connection, _ = connected()
        connection.state = "\ud800"
        assert connection.state == "\ud800"


class TestRates:
    @pytest.fixture
    def time(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [100.0]
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
        return now

    def test_a_burst_of_the_whole_window_passes_and_one_more_is_closed(self, time: list[float]) -> None:
        connection, transport = connected(Limits(frames_per_second=5, rate_window=2))
        assert all(connection.spend("x") for _ in range(10))
        assert not connection.spend("x")
        assert ending(transport) == (1008, "too many messages a second")

    def test_the_sustained_rate_passes_for_ever(self, time: list[float]) -> None:
        connection, _ = connected(Limits(frames_per_second=5, rate_window=2))
        for _ in range(200):
            time[0] += 0.2001
            assert connection.spend("x")

    def test_bytes_count_too(self, time: list[float]) -> None:
        connection, transport = connected(Limits(bytes_per_second=100, rate_window=1))
        assert connection.spend(b"x" * 100)
        assert not connection.spend(b"x")
        assert ending(transport) == (1008, "too many bytes a second")

    def test_without_limits_everything_passes(self, time: list[float]) -> None:
        connection, _ = connected(Limits(frames_per_second=None, bytes_per_second=None))
        assert all(connection.spend(b"x" * 1_000_000) for _ in range(1000))

    def test_one_limit_alone_holds(self, time: list[float]) -> None:
        connection, _ = connected(Limits(frames_per_second=None, bytes_per_second=10, rate_window=1))
        assert connection.spend(b"x" * 10)
        assert not connection.spend(b"x")


def test_a_frame_may_be_shared_by_many() -> None:
    first, one = connected()
    second, other = connected()
    frame = Frame("shared")
    first.send_frame(frame)
    second.send_frame(frame)
    assert one.take() == other.take() == "shared"


def test_a_connection_that_nobody_holds_is_freed() -> None:
    connection, _ = connected()
    gone = weakref.ref(connection)
    del connection
    gc.collect()
    assert gone() is None
