"""Rate limiting: three messages at once, then one a second; who goes on is asked to wait, then shown the door."""

from partyroom import Connection, Party

BURST, PER_SECOND, PATIENCE = 3.0, 1.0, 5


class Limited(Party):
    def on_message(self, connection: Connection, message: str | bytes) -> None:
        now = self.room.now()
        left, then, refused = connection.state or (BURST, now, 0)
        left = min(BURST, left + (now - then) * PER_SECOND)
        if left >= 1:
            connection.state = (left - 1, now, 0)
            self.room.broadcast(message)
        elif refused < PATIENCE:
            connection.state = (left, now, refused + 1)
            connection.send_json({"error": "slow down"})
        else:
            connection.close(4429, "too many messages")
