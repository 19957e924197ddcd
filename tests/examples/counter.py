"""Who is where: rooms tell one lobby room how full they are, and it tells everybody who looks."""

import json

from partyroom import Connection, Party, Request, Response


class Table(Party):
    """Any room whose people are counted."""

    async def on_connect(self, connection: Connection) -> None:
        await self.tell()

    async def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        await self.tell()

    async def tell(self) -> None:
        count = len(self.room.connections())
        await self.room.parties["hall"]["main"].fetch(method="POST", body=json.dumps([self.room.id, count]).encode())


class Hall(Party):
    """The room that knows of all others."""

    @classmethod
    def on_before_request(cls, request: Request) -> Response | None:
        # Rooms come past the before-hooks; nobody else may say how full they are.
        return None if request.method == "GET" else Response("Only rooms tell\n", 403)

    async def on_start(self) -> None:
        self.tables = {table.id: table.people for table in self.room.parties["table"].rooms() if table.people}

    def on_connect(self, connection: Connection) -> None:
        connection.send_json(self.tables)

    def on_request(self, request: Request) -> Response:
        if request.method == "POST":
            table, count = request.json()
            self.tables[table] = count
            self.tables = {id: people for id, people in self.tables.items() if people}
            self.room.broadcast_json(self.tables)
        return Response.json(self.tables)
