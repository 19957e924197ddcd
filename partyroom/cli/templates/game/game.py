"""A race for coins: the server moves everybody twenty times a second, the pages only say which way."""

import asyncio
import random
import time

from partyroom import Connection, Party

SIZE, SPEED, TICK = 20, 8.0, 0.05
WAYS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0), "stop": (0, 0)}


class Game(Party):
    def on_start(self) -> None:
        self.players: dict[str, dict] = {}
        self.coin = [random.random() * SIZE, random.random() * SIZE]
        self.running = None

    def on_connect(self, connection: Connection) -> None:
        colour = f"hsl({random.randrange(360)} 80% 50%)"
        self.players[connection.id] = {"x": SIZE / 2, "y": SIZE / 2, "way": "stop", "colour": colour, "coins": 0}
        connection.send_json({"you": connection.id, "size": SIZE})
        if self.running is None:
            self.running = self.room.spawn(self.run())

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message in WAYS:  # anything else is ignored
            self.players[connection.id]["way"] = message

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        self.players.pop(connection.id, None)

    async def run(self) -> None:
        """As long as somebody plays."""
        before = time.monotonic()
        while self.players:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self.move(now - before)
            before = now
            self.room.broadcast_json({"players": self.players, "coin": self.coin})
        self.running = None

    def move(self, seconds: float) -> None:
        for player in self.players.values():
            dx, dy = WAYS[player["way"]]
            player["x"] = min(max(player["x"] + dx * SPEED * seconds, 0), SIZE)
            player["y"] = min(max(player["y"] + dy * SPEED * seconds, 0), SIZE)
            if abs(player["x"] - self.coin[0]) + abs(player["y"] - self.coin[1]) < 1:
                player["coins"] += 1
                self.coin = [random.random() * SIZE, random.random() * SIZE]
