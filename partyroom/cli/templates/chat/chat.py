"""A chat that remembers its last hundred lines."""

from partyroom import Connection, Party, Request, Response


class Chat(Party):
    async def on_start(self) -> None:
        self.lines = await self.room.storage.get("lines", default=[])

    def on_connect(self, connection: Connection) -> None:
        for line in self.lines:
            connection.send(line)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        line = str(message)[:500]  # anybody may send anything
        self.lines = [*self.lines[-99:], line]
        self.room.storage.put("lines", self.lines)
        self.room.broadcast(line)

    def on_request(self, request: Request) -> Response:
        return Response.json({"here": len(self.room.connections()), "lines": self.lines})
