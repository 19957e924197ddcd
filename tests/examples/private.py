"""Only who has a token comes in, and the room knows who that is."""

import os

from partyroom import Connection, Party
from partyroom.auth import jwt

token = jwt(os.environ.get("SECRET", "change me: this is only for examples"), rooms="rooms")


class Members(Party):
    on_before_connect = token
    on_before_request = token

    def on_connect(self, connection: Connection) -> None:
        self.room.broadcast(f"{connection.request.user['sub']} has come")
