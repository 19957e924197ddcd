"""What is said to everyone reaches everyone in order, in one piece a tick, and nobody whom it is not for."""

from __future__ import annotations

import random

import pytest

from partyroom.clock import Tick
from partyroom.connection import Connection
from partyroom.connections import ALONE, LOOK, Connections
from partyroom.frame import Frame
from partyroom.http import Request
from partyroom.limits import DEFAULTS, Limits
from partyroom.testing import MemoryTransport, settle


class CountingTransport(MemoryTransport):
    """A transport that counts its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, frame: Frame) -> int:
        self.writes += 1
        return super().write(frame)


class Crowd:
    """Connections and the transports of those in it."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self.tick = Tick()
        self.connections = Connections(self.tick, limits.buffer)
        self.transports: dict[Connection, CountingTransport] = {}
        self._limits = limits

    def join(self, id: str) -> Connection:
        transport = CountingTransport()
        connection = Connection(id, Request(), transport, self._limits)
        self.transports[connection] = transport
        self.connections.add(connection)
        return connection

    def say(self, text: str) -> None:
        """Somebody says something, and the event loop reads it."""
        self.tick.read(lambda data: self.connections.broadcast(Frame(data.decode())), text.encode())

    def heard(self, connection: Connection) -> list[str | bytes]:
        return list(self.transports[connection].messages)


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


class TestMembers:
    async def test_are_the_oldest_first_and_closing_ones_are_not_open(self, crowd: Crowd) -> None:
        a, b, c = (crowd.join(id) for id in "abc")
        b.close()
        assert list(crowd.connections) == [a, b, c]
        assert crowd.connections.open() == [a, c]
        assert len(crowd.connections) == 3

    async def test_are_found_by_tag(self, crowd: Crowd) -> None:
        a, b = crowd.join("a"), crowd.join("b")
        a.tags, b.tags = ("a", "red", "big"), ("b", "red")
        assert crowd.connections.open("red") == [a, b]
        assert crowd.connections.open("big") == [a]
        assert crowd.connections.open("b") == [b]
        assert crowd.connections.open("re") == []

    async def test_an_id_gives_the_newest_that_is_open(self, crowd: Crowd) -> None:
        first, second = crowd.join("x"), crowd.join("x")
        assert crowd.connections.newest("x") is second
        second.close()
        assert crowd.connections.newest("x") is first
        crowd.connections.remove(first)
        assert crowd.connections.newest("x") is None
        crowd.connections.remove(second)
        assert crowd.connections.newest("x") is None

    async def test_may_leave_while_they_are_gone_through(self, crowd: Crowd) -> None:
        for id in "abc":
            crowd.join(id)
        for connection in crowd.connections:
            crowd.connections.remove(connection)
        assert len(crowd.connections) == 0


class TestBroadcast:
    async def test_a_burst_is_one_write_to_each(self, crowd: Crowd) -> None:
        members = [crowd.join(id) for id in "abc"]
        for number in range(100):
            crowd.connections.broadcast(Frame(str(number)))
        await settle()
        for member in members:
            assert crowd.heard(member) == [str(number) for number in range(100)]
            assert crowd.transports[member].writes == 1

    async def test_where_one_is_said_a_tick_no_other_is_waited_for(self, crowd: Crowd) -> None:
        alice = crowd.join("alice")
        for _ in range(ALONE):
            crowd.say("x")
            assert len(crowd.heard(alice)) < ALONE
            await settle()
        crowd.say("at once")
        assert crowd.heard(alice)[ALONE:] == ["at once"]

    async def test_until_several_are_said_in_one(self, crowd: Crowd) -> None:
        alice = crowd.join("alice")
        for _ in range(ALONE):
            crowd.say("x")
            await settle()
        for _ in range(10 * LOOK):
            crowd.say("y")
        await settle()
        assert len(crowd.heard(alice)) == ALONE + 10 * LOOK
        assert crowd.transports[alice].writes < ALONE + LOOK + 5

    async def test_what_is_sent_to_one_keeps_its_place_among_what_is_said_to_all(self, crowd: Crowd) -> None:
        alice, bob = crowd.join("alice"), crowd.join("bob")
        crowd.connections.broadcast(Frame("1"))
        alice.send("2")
        crowd.connections.broadcast(Frame("3"))
        await settle()
        assert crowd.heard(alice) == ["1", "2", "3"]
        assert crowd.heard(bob) == ["1", "3"]

    async def test_a_newcomer_does_not_hear_what_was_said_before(self, crowd: Crowd) -> None:
        alice = crowd.join("alice")
        crowd.connections.broadcast(Frame("before"))
        bob = crowd.join("bob")
        crowd.connections.broadcast(Frame("after"))
        await settle()
        assert crowd.heard(alice) == ["before", "after"]
        assert crowd.heard(bob) == ["after"]

    async def test_a_closing_client_gets_what_was_said_before_its_goodbye(self, crowd: Crowd) -> None:
        alice = crowd.join("alice")
        crowd.connections.broadcast(Frame("before"))
        alice.close()
        crowd.connections.broadcast(Frame("after"))
        await settle()
        assert crowd.heard(alice) == ["before"]

    async def test_some_are_left_out_by_connection_or_by_id(self, crowd: Crowd) -> None:
        alice, bob, carol = (crowd.join(id) for id in ("alice", "bob", "carol"))
        crowd.connections.broadcast(Frame("1"), [alice])
        crowd.connections.broadcast(Frame("2"), ["bob"])
        crowd.connections.broadcast(Frame("3"), (alice, "bob", "nobody"))
        await settle()
        assert crowd.heard(alice) == ["2"]
        assert crowd.heard(bob) == ["1"]
        assert crowd.heard(carol) == ["1", "2", "3"]

    async def test_who_is_left_out_is_settled_when_it_is_said(self, crowd: Crowd) -> None:
        alice, bob = crowd.join("alice"), crowd.join("bob")
        muted = {alice}
        crowd.connections.broadcast(Frame("1"), muted)
        muted.clear()
        muted.add(bob)
        await settle()
        assert crowd.heard(alice) == []
        assert crowd.heard(bob) == ["1"]

    async def test_a_slow_client_is_cut_and_the_others_hear_on(self) -> None:
        crowd = Crowd(Limits(buffer=10))
        slow, quick = crowd.join("slow"), crowd.join("quick")
        for _ in range(3):
            crowd.connections.broadcast(Frame("x" * 20))
            await settle()
            assert crowd.transports[quick].take() == "x" * 20
        assert slow.closed
        assert not quick.closed

    async def test_whoever_has_left_hears_nothing_more(self, crowd: Crowd) -> None:
        alice = crowd.join("alice")
        crowd.connections.remove(alice)
        crowd.connections.broadcast(Frame("x"))
        await settle()
        assert crowd.heard(alice) == []

    @pytest.mark.parametrize("seed", range(20))
    async def test_any_mixture_is_heard_as_if_each_message_were_sent_at_once(self, crowd: Crowd, seed: int) -> None:
        rng = random.Random(seed)
        expected: dict[Connection, list[str | bytes]] = {}
        for number in range(200):
            present = list(crowd.connections)
            match rng.choice(("join", "leave", "send", "say", "say", "say but", "tick")):
                case "join" if len(present) < 5:
                    expected[crowd.join(rng.choice("abc"))] = []
                case "leave" if present:
                    await settle(2)  # whoever has gone may miss what was said in the same tick
                    crowd.connections.remove(rng.choice(present))
                case "send" if present:
                    one = rng.choice(present)
                    one.send(str(number))
                    expected[one].append(str(number))
                case "say":
                    crowd.say(str(number)) if rng.random() < 0.5 else crowd.connections.broadcast(Frame(str(number)))
                    for one in present:
                        expected[one].append(str(number))
                case "say but" if present:
                    one = rng.choice(present)
                    crowd.connections.broadcast(Frame(str(number)), [one.id])
                    for other in present:
                        if other.id != one.id:
                            expected[other].append(str(number))
                case "tick":
                    await settle(2)
        await settle()
        assert {one: crowd.heard(one) for one in expected} == expected
