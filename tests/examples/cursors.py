"""Live cursors: where everybody's pointer is. What is shown lives with the connection, so nothing is stored."""

import json

from partyroom import Connection, Party


class Cursors(Party):
    hibernate = True  # positions are the connections' states, which outlive a sleeping room

    def on_connect(self, connection: Connection) -> None:
        others = {other.id: other.state for other in self.room.connections() if other.state and other is not connection}
        connection.send_json({"type": "all", "cursors": others})

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        where = json.loads(message)
        connection.state = {"x": float(where["x"]), "y": float(where["y"])}
        self.room.broadcast_json({"type": "move", "id": connection.id, **connection.state}, without=[connection])

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        self.room.broadcast_json({"type": "gone", "id": connection.id})
