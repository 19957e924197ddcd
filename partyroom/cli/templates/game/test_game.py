"""Without a network: pip install pytest, then pytest."""

import asyncio
import json

from game import Game
from partyroom import Lobby
from partyroom.testing import visit


def test_a_newcomer_is_told_who_it_is_and_how_the_game_stands() -> None:
    async def play() -> None:
        async with Lobby({"game": Game}) as lobby, visit(lobby, "/parties/game/lobby?_pk=ada") as ada:
            assert json.loads(await ada.receive())["you"] == "ada"
            state = json.loads(await ada.receive())
            assert state["players"]["ada"]["coins"] == 0

    asyncio.run(play())


def test_who_walks_over_the_coin_has_it() -> None:
    game = Game.__new__(Game)
    game.players = {"ada": {"x": 0.0, "y": 0.0, "way": "right", "coins": 0}}
    game.coin = [1.0, 0.0]
    game.move(0.1)
    assert game.players["ada"]["x"] == 0.8
    assert game.players["ada"]["coins"] == 1
