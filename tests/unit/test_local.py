"""A socket without a network behaves as one with a network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from partyroom import Connection, Limits, Lobby, Party, Request
from partyroom.errors import ConnectionClosed
from partyroom.frame import Frame
from partyroom.http import Address
from partyroom.local import LocalSocket, LocalTransport
from partyroom.room import Room
from partyroom.testing import settle


class Echo(Party):
    """Answers what it hears."""

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        if message == "close":
            connection.send("bye")
            connection.close(4000, "as you wish")
        else:
            connection.send(message)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with Lobby({"echo": Echo}, limits=Limits(close=0.2)) as lobby:
        yield await lobby.room(Address("echo", "x"))


class TestTransport:
    def test_keeps_messages_until_they_are_taken_and_counts_them(self) -> None:
        transport = LocalTransport()
        assert transport.write(Frame("four")) == 0
        assert transport.write(Frame.joined([Frame(b"x"), Frame("y")])) == 4
        assert transport.buffered == 6
        assert [transport.take() for _ in range(3)] == ["four", b"x", "y"]
        assert transport.buffered == 0
        with pytest.raises(IndexError):
            transport.take()

    def test_closed_keeps_what_was_sent_and_takes_no_more(self) -> None:
        transport = LocalTransport()
        transport.write(Frame("before"))
        transport.close(1000, "")
        transport.write(Frame("after"))
        transport.close(4000, "too late")
        assert list(transport.messages) == ["before"]
        assert transport.ended is not None
        assert transport.ended.code == 1000

    def test_aborted_drops_what_was_not_taken(self) -> None:
        transport = LocalTransport()
        transport.write(Frame("lost"))
        transport.abort()
        assert not transport.messages
        assert transport.ended is not None
        assert transport.ended.code == 1006


class TestSocket:
    async def test_sends_and_receives(self, room: Room) -> None:
        async with LocalSocket(room, Request()) as socket:
            await socket.send("text")
            await socket.send(b"bytes")
            assert [await socket.receive(), await socket.receive()] == ["text", b"bytes"]
        assert len(room) == 0

    async def test_receive_waits_for_a_message(self, room: Room) -> None:
        async with LocalSocket(room, Request()) as socket:
            receiving = asyncio.ensure_future(socket.receive())
            await settle()
            assert not receiving.done()
            room.broadcast("here")
            assert await receiving == "here"

    async def test_iterating_ends_with_the_connection(self, room: Room) -> None:
        async with LocalSocket(room, Request()) as socket:
            await socket.send("a")
            await socket.send("close")
            assert [message async for message in socket] == ["a", "bye"]
            with pytest.raises(ConnectionClosed, match="4000: as you wish"):
                await socket.receive()
            with pytest.raises(ConnectionClosed, match="4000"):
                await socket.send("x")

    async def test_leaves_also_when_its_block_fails(self, room: Room) -> None:
        async def fail() -> None:
            async with LocalSocket(room, Request()):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert len(room) == 0

    async def test_that_is_not_open_cannot_send(self, room: Room) -> None:
        socket = LocalSocket(room, Request())
        with pytest.raises(ConnectionClosed, match="not open"):
            await socket.send("x")
        await socket.close()

    async def test_that_reads_nothing_is_cut_like_any_slow_client(self) -> None:
        async with Lobby({"echo": Echo}, limits=Limits(buffer=1000, close=0.2)) as lobby:
            room = await lobby.room(Address("echo", "x"))
            async with LocalSocket(room, Request()) as socket:
                for _ in range(20):
                    room.broadcast("x" * 100)
                    await settle()
                with pytest.raises(ConnectionClosed, match="1006"):
                    await socket.receive()

    async def test_closing_during_a_hook_waits_for_it_before_on_close(self) -> None:
        log: list[str] = []

        class Slow(Echo):
            go = asyncio.Event()

            async def on_message(self, connection: Connection, message: str | bytes) -> None:
                log.append("begun")
                await self.go.wait()
                log.append("done")

            def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
                log.append("closed")

        async with Lobby({"echo": Slow}, limits=Limits(close=0.2)) as lobby:
            socket = await LocalSocket(await lobby.room(Address("echo", "x")), Request()).open()
            sending = asyncio.ensure_future(socket.send("x"))
            await settle()
            closing = asyncio.ensure_future(socket.close())
            await settle()
            Slow.go.set()
            await asyncio.gather(sending, closing)
        assert log == ["begun", "done", "closed"]
