"""The list of rooms tells its rooms to this machine only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from partyroom.cli.pages import Pages
from partyroom.cli.readymade import PARTIES, Chat
from partyroom.lobby import Lobby
from partyroom.party import Party
from partyroom.testing import fetch, visit

ROOMS = "/.partyroom/rooms"


class Plain(Party):
    pass


def house(*, listed: bool = True, parties: dict[str, type[Party]] = PARTIES) -> Lobby:
    pages = Pages(listed=listed)
    pages.lobby = Lobby(parties, pages=pages)
    return pages.lobby


async def told(lobby: Lobby, url: str = f"http://localhost:1999{ROOMS}") -> dict[str, Any]:
    response = await fetch(lobby, url)
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store"
    answer: dict[str, Any] = json.loads(response.body)
    return answer


async def test_it_lists_rooms_with_their_people() -> None:
    async with house() as lobby, visit(lobby, "/parties/main/a%2Fb"), visit(lobby, "/parties/chat/a%2Fb"):
        async with visit(lobby, "/parties/chat/a%2Fb"):
            answer = await told(lobby)
        assert answer["listed"] is True
        assert answer["connections"] == 3
        assert answer["rooms"] == [
            {"party": "main", "room": "a/b", "people": 1},
            {"party": "chat", "room": "a/b", "people": 2},
        ]


async def test_it_says_what_the_page_can_open() -> None:
    class MyChat(Chat):
        pass

    async with house(parties={**PARTIES, "talk": MyChat, "plain": Plain}) as lobby:
        kinds = {party["name"]: party["kind"] for party in (await told(lobby))["parties"]}
        plain = dict.fromkeys(["relay", "hocuspocus", "game", "plain"], "plain")
        assert kinds == {"main": "document", "chat": "chat", "talk": "chat", **plain}


@pytest.mark.parametrize("host", ["localhost:1999", "LOCALHOST", "127.0.0.1:1999", "127.0.0.1", "[::1]:1999", "[::1]"])
async def test_names_of_this_machine_are_told(host: str) -> None:
    async with house() as lobby:
        assert (await told(lobby, f"http://{host}{ROOMS}"))["listed"] is True


@pytest.mark.parametrize(
    "host", ["rebound.example:1999", "localhost.rebound.example", "127.0.0.1.example", "192.168.0.7:1999", "[::2]:1999"]
)
async def test_a_page_that_has_its_own_name_point_here_is_not_told(host: str) -> None:
    """DNS rebinding: such a page is of the same origin to its browser, but the name that it asks for gives it away."""
    async with house() as lobby, visit(lobby, "/parties/chat/secret"):
        answer = await told(lobby, f"http://{host}{ROOMS}")
    assert (answer["listed"], answer["rooms"], answer["connections"]) == (False, [], None)


async def test_a_server_that_others_can_reach_tells_nobody() -> None:
    async with house(listed=False) as lobby, visit(lobby, "/parties/chat/secret"):
        answer = await told(lobby)
    assert (answer["listed"], answer["rooms"], answer["connections"]) == (False, [], None)
    assert answer["parties"]


async def test_the_list_is_read_only_and_everything_else_is_not_found() -> None:
    async with house() as lobby:
        assert (await fetch(lobby, ROOMS, "POST")).status == 404
        assert (await fetch(lobby, "/.partyroom/other")).status == 404
        assert (await fetch(lobby, ROOMS, "HEAD")).status == 200
