"""The parties that the interop tests meet: ``partyroom serve tests/interop/parties.py``."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from partyroom import Connection, DocumentParty, HocuspocusParty, Party, Request, Response

LIMITS = DocumentParty.limits
assert LIMITS is not None


class Echo(Party):
    """Says what it knows of a newcomer's request, then returns every message. The first here, so ``main`` too."""

    def on_connect(self, connection: Connection) -> None:
        connection.send_json({"id": connection.id, **self.describe(connection.request)})

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send(message)

    def on_request(self, request: Request) -> Response:
        return Response.json({"method": request.method, "body": request.text(), **self.describe(request)})

    def describe(self, request: Request) -> dict[str, Any]:
        return {"room": self.room.id, "subpath": request.subpath, "query": request.query.pairs()}


class Slow(Party):
    """Takes half a second to greet; tells of each message whether the greeting was over when it came."""

    async def on_start(self) -> None:
        self.greeted: set[str] = set()

    async def on_connect(self, connection: Connection) -> None:
        await asyncio.sleep(0.5)
        self.greeted.add(connection.id)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send_json([message, connection.id in self.greeted])


class Switchboard(Party):
    """Passes messages on by connection id, closes connections on demand and announces who left, and how."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        order = json.loads(message)
        if "all" in order:
            self.room.broadcast(order["all"])
        elif "close" in order:
            connection.close(*order["close"])
        elif (addressee := self.room.connection(order["to"])) is not None:
            addressee.send(order["say"])

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        self.room.broadcast(json.dumps({"left": connection.id, "code": code, "reason": reason, "clean": was_clean}))


class Notes(DocumentParty):
    """A document room in which ``mode=read`` may not write.

    It answers an HTTP request when all that it has relayed so far is on disk. It hibernates after a second without an
    edit, so whatever happens to clients here happens to them with documents that sleep and wake.
    """

    hibernate = True
    limits = replace(LIMITS, doze=1.0)

    def can_write(self, connection: Connection) -> bool:
        return connection.request.query.get("mode") != "read"

    async def on_request(self, request: Request) -> Response:
        await self.room.storage.put("asked", request.method)  # a room's writes reach the disk in their order
        return Response("on disk")


class Hocuspocus(HocuspocusParty):
    """The notes for Hocuspocus' providers."""

    documents = "notes"
