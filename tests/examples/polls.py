"""A poll: made over HTTP, voted in over WebSocket, one vote a visitor."""

from typing import Any

from partyroom import Connection, Party, Request, Response


class Poll(Party):
    async def on_start(self) -> None:
        self.poll = await self.room.storage.get("poll")
        self.votes = await self.room.storage.get("votes", default={})  # who: option

    async def on_request(self, request: Request) -> Response:
        if request.method == "POST" and self.poll is None:
            asked = request.json()
            self.poll = {
                "title": str(asked["title"])[:200],
                "options": [str(one)[:100] for one in asked["options"][:20]],
            }
            await self.room.storage.put("poll", self.poll)
        if self.poll is None:
            return Response("There is no poll here yet\n", 404)
        return Response.json(self.result())

    def on_connect(self, connection: Connection) -> None:
        connection.send_json(self.result())

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if self.poll is not None and message in self.poll["options"]:
            self.votes[connection.id] = message
            await self.room.storage.put("votes", self.votes)
            self.room.broadcast_json(self.result())

    def result(self) -> dict[str, Any]:
        if self.poll is None:
            return {}
        votes = list(self.votes.values())
        return {"title": self.poll["title"], "votes": {option: votes.count(option) for option in self.poll["options"]}}
