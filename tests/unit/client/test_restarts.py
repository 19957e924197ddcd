"""A server that is cut off again and again under load: nothing arrives twice or in another order, and nothing leaks."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from contextlib import AsyncExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from partyroom.client.socket import PartySocket
from partyroom.errors import ConnectionClosed as OursClosed
from partyroom.errors import QueueFull
from tests.unit.client.peers import SOON, peer

CLIENTS = 10


class Load:
    """Clients that count aloud, and what of it a server has heard."""

    def __init__(self) -> None:
        self.heard: defaultdict[str, list[int]] = defaultdict(list)
        self.answers: defaultdict[str, list[int]] = defaultdict(list)
        self.said: defaultdict[str, int] = defaultdict(int)

    async def listen(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        (client,) = parse_qs(urlsplit(connection.request.path).query)["_pk"]
        try:
            async for message in connection:
                self.heard[client].append(int(message))
                await connection.send(message)
        except ConnectionClosed:
            pass

    async def count(self, socket: PartySocket) -> None:
        for number in itertools.count():
            try:
                await socket.send(f"{number}")
                self.said[socket.id] = number
            except QueueFull:
                await socket.opened()
            except OursClosed:
                return
            await asyncio.sleep(0)

    async def read(self, socket: PartySocket) -> None:
        async for message in socket:
            self.answers[socket.id].append(int(message))


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [5, pytest.param(50, marks=pytest.mark.prove)])
@pytest.mark.timeout(300)
async def test_restarts_under_load_cost_messages_but_neither_order_nor_a_second_delivery(restarts: int) -> None:
    load = Load()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        port = 0
        for restart in range(restarts):
            async with peer(load.listen, port=port) as server:
                port = server.port
                if not restart:
                    host = server.host
                    sockets = [
                        await stack.enter_async_context(
                            PartySocket(host, room="r", id=f"{n}", backoff=SOON, queue=10_000)
                        )
                        for n in range(CLIENTS)
                    ]
                    for socket in sockets:
                        group.create_task(load.count(socket))
                        group.create_task(load.read(socket))
                before = {socket.id: len(load.answers[socket.id]) for socket in sockets}
                while any(len(load.answers[id]) < count + 20 for id, count in before.items()):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                if restart == restarts - 1:
                    assert len(asyncio.all_tasks()) <= 10 + 8 * CLIENTS
                    await asyncio.gather(*[socket.close() for socket in sockets])
                server.server.close(close_connections=False)
                for connection in server.connections:
                    connection.transport.abort()
    for id in load.said:
        assert load.heard[id] == sorted(set(load.heard[id])), "something came twice or out of order"
        assert load.answers[id] == sorted(set(load.answers[id]))
        assert len(load.heard[id]) >= 20 * restarts
