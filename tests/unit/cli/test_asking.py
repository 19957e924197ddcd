"""The ready-made parties carry what clients ask each other: in documents to who is meant, in relays to all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from partyroom.cli.readymade import PARTIES
from partyroom.errors import CloseCode, ConnectionClosed
from partyroom.lobby import Lobby
from partyroom.local import LocalSocket
from partyroom.protocols import chunks
from partyroom.protocols.asking import Answer, Ask
from partyroom.testing import visit


async def heard(socket: LocalSocket) -> dict[str, Any]:
    """The next text beside the document."""
    while not isinstance(message := await socket.receive(), str):
        pass
    fields: dict[str, Any] = json.loads(chunks.parse_custom(message) or message)
    return fields


async def test_a_document_passes_asks_on_and_answers_back() -> None:
    room = "/parties/main/today"
    async with (
        Lobby(PARTIES) as lobby,
        visit(lobby, f"{room}?_pk=ada") as ada,
        visit(lobby, f"{room}?_pk=bob") as bob,
        visit(lobby, f"{room}?_pk=eve") as eve,
    ):
        await ada.send(chunks.custom(Ask("1", "sum", [1, 2], asker="somebody else").text()))
        for other in bob, eve:
            assert await heard(other) == {
                "partyroom": "ask",
                "id": "1",
                "name": "sum",
                "value": [1, 2],
                "from": "ada",
            }
        await bob.send(chunks.custom(Answer("1", 3, asker="ada").text()))
        assert await heard(ada) == {"partyroom": "answer", "id": "1", "value": 3, "to": "ada"}
        await bob.send(chunks.custom(Answer("1", 4, asker="nobody").text()))
        await bob.send(chunks.custom("no ask at all"))
        await ada.send(chunks.custom(Ask("2", "next", None).text()))
        assert (await heard(eve))["id"] == "2", "an answer went to more than the asker"


async def test_who_sends_what_is_no_ask_is_hung_up_on() -> None:
    async with Lobby(PARTIES) as lobby, visit(lobby, "/parties/main/today") as ada:
        await ada.send(chunks.custom('{"partyroom":"ask"}'))
        with pytest.raises(ConnectionClosed, match="no ask, and no answer") as ended:
            await heard(ada)
        assert ended.value.code == CloseCode.PROTOCOL_ERROR


async def test_a_relay_passes_all_of_it_on() -> None:
    room = "/parties/relay/here"
    async with Lobby(PARTIES) as lobby, visit(lobby, room) as ada, visit(lobby, room) as bob:
        await ada.send(Ask("1", "sum", [1, 2]).text())
        assert (await heard(bob))["name"] == "sum"
        await bob.send(Answer("1", 3).text())
        assert (await heard(ada))["value"] == 3
