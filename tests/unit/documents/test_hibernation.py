"""A document that hibernates is out of memory while its sockets are open and back with the next edit; nobody notices"""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

import pytest
from pycrdt import Doc, Text

from partyroom import Connection, Lobby, MemoryStore
from partyroom.protocols import yjs
from partyroom.room import Room
from partyroom.testing import ManualClock, settle, visit
from tests.unit.documents.client import PATH, Client, Notes, join, present


class Sleepy(Notes):
    """Leaves memory when nobody edits."""

    hibernate = True
    started = 0

    async def on_start(self) -> None:
        type(self).started += 1
        await super().on_start()


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    Sleepy.started = 0
    async with Lobby({"notes": Sleepy}, clock=ManualClock()) as lobby:
        yield lobby


def room_of(lobby: Lobby) -> Room:
    (room,) = lobby.rooms()
    return room


async def sleep(lobby: Lobby) -> Room:
    """Let the idle time pass."""
    room = room_of(lobby)
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    await clock.advance(room.limits.doze + 1)
    assert room.life.phase.value == "asleep"
    return room


async def test_it_sleeps_while_sockets_are_open_and_the_next_edit_wakes_it(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await ada.insert(0, "before ")
        room = await sleep(lobby)
        await bob.read()
        await bob.insert(7, "after")
        assert room.life.phase.value == "live"
        await ada.read()
        assert str(ada.text) == "before after"
        assert Sleepy.started == 2


async def test_waking_says_nothing_to_those_who_are_there(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await ada.present('{"user":"ada"}', client=1)
        for client in ada, bob:
            await client.read()
            client.received.clear()
        await sleep(lobby)
        update = await ada.insert(0, "x")
        for client in ada, bob:
            await client.read()
            assert client.received == [yjs.Update(update)]


async def test_promise_11_a_newcomer_sees_everyone_who_came_before_the_document_slept(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await ada.present('{"user":"ada"}', clock=7, client=1)
        await bob.present('{"user":"bob"}', clock=3, client=2)
        await sleep(lobby)
        async with join(lobby) as carol:
            assert carol.people == {1: '{"user":"ada"}', 2: '{"user":"bob"}'}


async def test_promise_11_who_leaves_while_it_sleeps_is_gone_for_the_others(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await bob.present('{"user":"bob"}', client=2)
        await ada.read()
        assert ada.people == {2: '{"user":"bob"}'}
        room = await sleep(lobby)
        bob.socket.transport.abort()
        await ada.read()
        assert ada.people == {}
        assert room.life.phase.value == "asleep"


async def test_when_all_have_left_a_sleeping_document_its_room_goes_without_waking(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "x")
        await sleep(lobby)
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    await clock.advance(30)
    assert list(lobby.rooms()) == []
    assert Sleepy.started == 1


async def test_promise_13_a_shutdown_says_goodbye_for_a_sleeping_document_without_loading_it(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "x")
        await sleep(lobby)
        await lobby.close()
        assert ada.socket.transport.ended is not None
        assert ada.socket.transport.ended.code == 1001
        assert Sleepy.started == 1


async def test_promise_4_a_party_with_an_on_close_of_its_own_is_woken_for_it() -> None:
    left: list[str] = []

    class Counting(Sleepy):
        def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
            super().on_close(connection, code, reason, was_clean)
            left.append(str(self.doc.get("body", type=Text)))

    async with Lobby({"notes": Counting}, clock=ManualClock()) as lobby, join(lobby) as ada:
        async with join(lobby):
            await ada.insert(0, "x")
            await sleep(lobby)
        assert left == ["x"]
        await sleep(lobby)
        await lobby.close()
        assert left == ["x", "x"]


async def test_promise_11_nobody_writes_anothers_presence_after_it_slept_and_clocks_go_on(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=a") as ada, join(lobby, "?_pk=b") as mallory:
        await ada.present('{"user":"ada"}', clock=5, client=1)
        await mallory.present('{"user":"mallory"}', client=2)
        await sleep(lobby)
        await mallory.present('{"user":"fake"}', clock=50, client=1)
        await ada.present('{"user":"late"}', clock=4, client=1)
        await mallory.insert(0, "wake up")
        await mallory.present('{"user":"fake"}', clock=51, client=1)
        async with join(lobby) as carol:
            assert carol.people == {1: '{"user":"ada"}', 2: '{"user":"mallory"}'}


@pytest.mark.parametrize(
    "message",
    [
        lambda clock: yjs.awareness(present(1, clock, '{"user":"ada"}')),
        lambda clock: yjs.query_awareness(),
        lambda clock: yjs.sync_status(b"\x07"),
    ],
    ids=["presence", "a question about presence", "a question whether all is saved"],
)
async def test_what_clients_send_to_stay_connected_neither_wakes_it_nor_keeps_it_awake(
    lobby: Lobby, message: Callable[[int], bytes]
) -> None:
    clock = lobby._clock
    assert isinstance(clock, ManualClock)
    async with join(lobby) as ada:
        await ada.present('{"user":"ada"}', client=1)
        await ada.insert(0, "x")
        await clock.advance(35)
        for number in 10, 20, 30:  # awake, then asleep
            await ada.read()
            ada.received.clear()
            await ada.socket.send(message(number))
            await ada.read()
            assert len(ada.received) == 1, "a client that hears nothing for some seconds hangs up"
            await clock.advance(35)
            assert room_of(lobby).life.phase.value == "asleep"
        assert Sleepy.started == 1


async def test_presence_during_its_sleep_reaches_the_others(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        await sleep(lobby)
        await ada.present('{"user":"ada"}', client=1)
        await bob.read()
        assert bob.people == {1: '{"user":"ada"}'}
        assert room_of(lobby).life.phase.value == "asleep"


async def test_what_breaks_the_protocol_costs_its_sender_also_while_it_sleeps(
    lobby: Lobby, caplog: pytest.LogCaptureFixture
) -> None:
    async with join(lobby) as ada, visit(lobby, PATH) as mallory:
        await sleep(lobby)
        with caplog.at_level(logging.WARNING):
            await mallory.send(yjs.awareness(b"\xff\xff\x03"))
        assert mallory.transport.ended is not None
        assert mallory.transport.ended.code == 1002
        assert len(caplog.records) == 1
        await ada.insert(0, "fine")
        assert ada.socket.transport.ended is None


async def test_promise_9_who_may_not_write_is_still_not_told_that_it_is_saved_after_it_slept(lobby: Lobby) -> None:
    async with join(lobby, "?mode=read") as reader:
        await reader.insert(0, "not allowed")
        await sleep(lobby)
        reader.received.clear()
        await reader.socket.send(yjs.sync_status(b"\x01"))
        await reader.read()
        assert [type(message) for message in reader.received] == [yjs.PermissionDenied]


async def test_promise_9_a_question_that_waits_for_what_was_written_offline_waits_over_its_sleep(lobby: Lobby) -> None:
    async with visit(lobby, PATH) as socket:
        ada = Client(socket)
        await socket.send(yjs.sync_status(b"\x01"))
        await sleep(lobby)
        await socket.send(yjs.sync_status(b"\x02"))
        await settle()
        assert len(socket.transport.messages) == 1, "only our SyncStep1"
        ada.text.insert(0, "offline")
        clock = lobby._clock
        assert isinstance(clock, ManualClock)
        await socket.send(yjs.sync_step2(ada.doc.get_update()))
        await clock.advance(1)
        await ada.read()
        assert ada.received[1:] == [yjs.Update(ada.doc.get_update()), yjs.SyncStatus(b"\x02")]


async def test_a_resync_after_its_sleep_is_a_resync_and_a_message_in_pieces_goes_on(lobby: Lobby) -> None:
    async with join(lobby) as ada, join(lobby) as bob:
        bob.text.insert(0, "x" * 1_500_000)
        message = yjs.update(bob.doc.get_update())
        marker = f'{{"id":"a","type":"%s","size":{len(message)},"count":2}}'
        await bob.socket.send("y-pk-batch#" + marker % "start")
        await bob.socket.send(message[:1_000_000])
        await sleep(lobby)
        await bob.socket.send(message[1_000_000:])
        await bob.socket.send("y-pk-batch#" + marker % "end")
        await ada.read()
        assert len(str(ada.text)) == 1_500_000
        await sleep(lobby)
        ada.received.clear()
        await ada.sync()
        assert [type(message) for message in ada.received] == [yjs.SyncStep2, yjs.SyncStep1]


async def test_its_lineage_and_who_minds_it_are_known_after_it_slept(lobby: Lobby) -> None:
    async with join(lobby, lineage="") as ada:
        await ada.insert(0, "x")
        await ada.read()
        room = await sleep(lobby)
        party = await room.life.ready()
        assert isinstance(party, Sleepy)
        assert party.lineage == ada.lineage != ""
        await party.replace(yjs.EMPTY_UPDATE)
        await ada.read()
        assert (ada.resets, str(ada.text)) == (1, "")


async def test_an_alarm_finds_the_document() -> None:
    class Greeter(Sleepy):
        def on_alarm(self) -> None:
            self.doc.get("body", type=Text).insert(0, "good morning ")

    clock = ManualClock()
    async with Lobby({"notes": Greeter}, clock=clock) as lobby, join(lobby) as ada:
        await ada.insert(0, "ada")
        await room_of(lobby).set_alarm(clock.now() + 3600)
        await sleep(lobby)
        await clock.advance(3600)
        await ada.read()
        assert str(ada.text) == "good morning ada"


async def test_a_party_that_wants_every_message_is_woken_by_each() -> None:
    seen: list[bytes | str] = []

    class Curious(Sleepy):
        def on_message(self, connection: Connection, message: str | bytes) -> Any:
            seen.append(message)
            return super().on_message(connection, message)

    async with Lobby({"notes": Curious}, clock=ManualClock()) as lobby, join(lobby) as ada:
        await sleep(lobby)
        await ada.socket.send(yjs.query_awareness())
        assert seen[-1] == yjs.query_awareness()


@contextmanager
def without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def test_nothing_of_the_document_stays_in_memory_not_even_for_the_garbage_collector(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "x")
        room = room_of(lobby)
        party = room.life.party
        assert isinstance(party, Sleepy)
        left: list[Callable[[], object]] = [ref(party), ref(party._live.replica), ref(party._live)]
        del party
        with without_the_collector():
            await sleep(lobby)
            assert [what() for what in left] == [None] * 3


async def test_a_hundred_sleeps_lose_nothing() -> None:
    store = MemoryStore()
    async with Lobby({"notes": Sleepy}, clock=ManualClock(), store=store) as lobby, join(lobby) as ada:
        for number in range(100):
            await ada.insert(number, str(number % 10))
            await sleep(lobby)
        async with join(lobby, doc=Doc()) as bob:
            assert str(bob.text) == "0123456789" * 10
