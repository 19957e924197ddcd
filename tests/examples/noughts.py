"""Noughts and crosses: a turn-based game. The first two play, the others watch; a game outlives the server."""

from typing import Any

from partyroom import Connection, Party

LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


class Noughts(Party):
    async def on_start(self) -> None:
        self.game = await self.room.storage.get("game", default={"players": [], "board": [None] * 9})

    async def on_connect(self, connection: Connection) -> None:
        players = self.game["players"]
        if len(players) < 2 and connection.id not in players:  # the id comes again when a player reconnects
            players.append(connection.id)
            await self.room.storage.put("game", self.game)
        self.room.broadcast_json(self.state())

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        state, board = self.state(), self.game["board"]
        square = int(message)
        if state["turn"] != connection.id or not 0 <= square < 9 or board[square] is not None:
            connection.send_json({"error": "not now, or not there"})
            return
        board[square] = connection.id
        await self.room.storage.put("game", self.game)
        self.room.broadcast_json(self.state())

    def state(self) -> dict[str, Any]:
        players, board = self.game["players"], self.game["board"]
        won = next((board[a] for a, b, c in LINES if board[a] and board[a] == board[b] == board[c]), None)
        over = won is not None or all(board)
        turn = None if over or len(players) < 2 else players[sum(mark is not None for mark in board) % 2]
        return {**self.game, "winner": won, "turn": turn}
