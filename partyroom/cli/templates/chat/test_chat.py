"""Without a network, in milliseconds: pip install pytest, then pytest."""

import asyncio

from chat import Chat
from partyroom import Lobby
from partyroom.testing import visit


def test_who_comes_later_hears_what_was_said() -> None:
    async def play() -> None:
        async with Lobby({"chat": Chat}) as lobby:
            async with visit(lobby, "/parties/chat/lobby") as ada:
                await ada.send("hello")
                assert await ada.receive() == "hello"
            async with visit(lobby, "/parties/chat/lobby") as bob:
                assert await bob.receive() == "hello"

    asyncio.run(play())
