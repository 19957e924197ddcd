"""The parties of ``test_must_work.py``: ``partyroom serve tests/interop/must_work_parties.py``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

from partyroom import Connection, Cron, DocumentParty, Limits, Party, Request, Response


class Front(Party):
    """Guards its rooms, and answers what addresses none. The first here, so it is asked for those."""

    @classmethod
    def on_before_connect(cls, request: Request) -> Request | Response:
        token = request.query.get("token", "")
        return request.replace(user=token[5:]) if token.startswith("good-") else Response("who are you?", 401)

    @classmethod
    def on_before_request(cls, request: Request) -> Response | None:
        return None if request.headers.get("authorization") == "Bearer good" else Response("who are you?", 401)

    @classmethod
    def on_fetch(cls, request: Request) -> Response | None:
        return Response.json({"asked": request.path}) if request.path.startswith("/api/") else None

    @classmethod
    async def on_socket(cls, connection: Connection, messages: AsyncIterator[str | bytes]) -> None:
        async for message in messages:
            connection.send(f"{connection.request.path} heard {message!s}")

    @classmethod
    async def on_cron(cls, cron: Cron) -> None:
        await cron.parties["desk"]["all"].fetch(method="POST", body=f"it is {cron.name}".encode())

    def on_connect(self, connection: Connection) -> None:
        connection.send(f"welcome, {connection.request.user}")

    def on_request(self, request: Request) -> Response:
        return Response("come in")


class Desk(Party):
    """Sorts who comes by team; remembers of each connection what it says, and sleeps as soon as all are silent."""

    hibernate = True
    limits = replace(Limits(), idle=0.2, doze=0.2)

    def tags(self, connection: Connection, request: Request) -> Iterable[str]:
        return request.query.get("team", "").split()

    async def on_start(self) -> None:
        self.started = await self.room.storage.get("started", default=0) + 1
        await self.room.storage.put("started", self.started)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        order = json.loads(message)
        if "remember" in order:
            connection.state = order["remember"]
        elif "team" in order:
            for one in self.room.connections(order["team"]):
                one.send(order["say"])
        elif "others" in order:
            self.room.broadcast(order["others"], without=[connection])
        else:
            connection.send_json([self.started, connection.state, list(connection.tags[1:])])

    def on_request(self, request: Request) -> Response:
        self.room.broadcast(request.text())
        return Response("all have heard it")

    def on_stop(self) -> None:
        self.room.broadcast("good night")


class Ledger(Party):
    """Stores, lists and counts; its alarm rings once."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send_json(await self.do(**json.loads(message)))

    async def on_request(self, request: Request) -> Response:
        return Response.json(await self.do(**json.loads(request.body)))

    async def do(self, verb: str, **more: Any) -> Any:
        storage = self.room.storage
        if verb == "put":
            await storage.put(more)
        elif verb == "list":
            return list(await storage.list(**more))
        elif verb == "move":
            async with storage.transaction() as txn:
                txn.put(more["to"], await txn.get(more["from"]))
                txn.delete(more["from"])
                if more["to"] == "nowhere":
                    txn.rollback()
        elif verb == "alarm":
            await self.room.set_alarm(more["at"])
        return await storage.get("rung", default=0)

    async def on_alarm(self) -> None:
        rung = await self.room.storage.get("rung", default=0) + 1
        await self.room.storage.put("rung", rung)
        self.room.broadcast(json.dumps({"rung": rung}))


class Broker(Party):
    """Passes on to the ledger of its name: requests by request, messages through a socket of its own."""

    async def on_request(self, request: Request) -> Response:
        answer: Response = await self.room.parties["ledger"][self.room.id].fetch(method="POST", body=request.body)
        return answer

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        async with await self.room.parties["ledger"][self.room.id].socket() as ledger:
            await ledger.send(message)
            connection.send(await ledger.receive())


class Notes(DocumentParty):
    """A document whose people can call to each other beside it."""

    def on_custom_message(self, connection: Connection, message: str) -> None:
        self.send_custom_message(connection, f"you said {message}")
        self.broadcast_custom_message(f"somebody said {message}", without=(connection,))
