"""A mailbox carries messages from an event loop to threads, bounded, and wakes who waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from partyroom.client.mail import Inbox
from partyroom.client.mailbox import Mailbox
from partyroom.errors import ConnectionClosed


@pytest.fixture
async def mailbox() -> Mailbox:
    return Mailbox(asyncio.get_running_loop())


async def test_a_thread_that_waits_gets_what_is_put(mailbox: Mailbox) -> None:
    taking = asyncio.create_task(asyncio.to_thread(mailbox.take, 5))
    await asyncio.sleep(0)
    mailbox.put("a")
    mailbox.put(b"b")
    assert await taking == "a"
    assert mailbox.take() == b"b"


async def test_nothing_in_time_is_said(mailbox: Mailbox) -> None:
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        mailbox.take(0.01)


async def test_the_end_comes_after_what_was_put_and_to_everybody(mailbox: Mailbox) -> None:
    mailbox.put("last")
    mailbox.end(ConnectionClosed(4001, "over"))
    mailbox.end(ConnectionClosed(1000))
    assert mailbox.take() == "last"
    for _ in range(2):
        with pytest.raises(ConnectionClosed, match="4001: over"):
            mailbox.take()


async def test_the_end_wakes_all_who_wait(mailbox: Mailbox) -> None:
    taking = [asyncio.create_task(asyncio.to_thread(mailbox.take, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    mailbox.end(ConnectionClosed(1000))
    ended = await asyncio.gather(*taking, return_exceptions=True)
    assert [type(error) for error in ended] == [ConnectionClosed] * 3


async def test_whoever_puts_hears_when_there_is_room_again(mailbox: Mailbox) -> None:
    while not mailbox.full:
        mailbox.put(b"x" * 100_000)
    assert 10 <= Inbox.LIMIT // 100_000 <= 11
    putting = asyncio.create_task(mailbox.emptied.until(lambda: not mailbox.full))
    await asyncio.sleep(0)
    await asyncio.to_thread(mailbox.take)
    await putting


async def test_many_threads_take_each_message_once(mailbox: Mailbox) -> None:
    taken: list[str | bytes] = []
    lock = threading.Lock()

    def take() -> None:
        while (message := mailbox.take(5)) != "end":
            with lock:
                taken.append(message)

    threads = [asyncio.create_task(asyncio.to_thread(take)) for _ in range(4)]
    for number in range(1_000):
        mailbox.put(f"{number}")
    for _ in threads:
        mailbox.put("end")
    await asyncio.gather(*threads)
    assert sorted(map(int, taken)) == list(range(1_000))


async def test_dropping_takes_the_oldest_without_waiting(mailbox: Mailbox) -> None:
    mailbox.put("a")
    mailbox.put("b")
    assert [mailbox.drop(), mailbox.drop(), mailbox.drop()] == ["a", "b", None]
