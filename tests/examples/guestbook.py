"""A database without a database server: each room has a SQL database of its own."""

from partyroom import Party, Request, Response


class Guestbook(Party):
    async def on_start(self) -> None:
        await self.room.sql("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, name TEXT, line TEXT)")

    async def on_request(self, request: Request) -> Response:
        if request.method == "POST":
            entry = request.json()
            await self.room.sql("INSERT INTO entries (name, line) VALUES (?, ?)", entry["name"], entry["line"])
        name = request.query.get("name")
        if name is not None:
            rows = await self.room.sql("SELECT name, line FROM entries WHERE name = ? ORDER BY id", name)
        else:
            rows = await self.room.sql("SELECT name, line FROM entries ORDER BY id DESC LIMIT 50")
        return Response.json([{"name": row.name, "line": row.line} for row in rows])
