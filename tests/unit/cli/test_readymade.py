"""What is served without a target: the chat's protocol, and the relay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partyroom.cli.readymade import HISTORY, NAME, PARTIES, TEXT
from partyroom.lobby import Lobby
from partyroom.local import LocalSocket
from partyroom.protocols import hocuspocus, yjs
from partyroom.stores.base import Store
from partyroom.stores.sqlite import SQLiteStore
from partyroom.testing import fetch, visit

ROOM = "/parties/chat/lobby"


def lobby(store: Store | None = None) -> Lobby:
    return Lobby(PARTIES, store=store)


async def next_of(socket: LocalSocket, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    while True:
        message: dict[str, Any] = json.loads(await socket.receive())
        if message["type"] == kind:
            return message


def saying(text: str, **more: Any) -> str:
    return json.dumps({"type": "say", "text": text, **more})


async def test_everybody_hears_what_is_said_and_who_said_it() -> None:
    async with lobby() as house, visit(house, ROOM) as ada, visit(house, ROOM) as bob:
        await ada.send(saying("hello", name="Ada", color="#c2410c", role="admin"))
        heard = await next_of(bob, "message")
        assert heard == await next_of(ada, "message")
        assert heard.keys() == {"type", "id", "at", "text", "name", "color"}
        assert (heard["text"], heard["name"], heard["color"]) == ("hello", "Ada", "#c2410c")


async def test_a_message_may_come_as_bytes_and_without_a_name() -> None:
    async with lobby() as house, visit(house, ROOM) as ada:
        await ada.send(saying("héllo").encode())
        heard = await next_of(ada, "message")
        assert (heard["text"], heard["name"], heard["color"]) == ("héllo", "Somebody", "")


async def test_people_are_counted_as_they_come_and_go() -> None:
    async with lobby() as house, visit(house, ROOM) as ada:
        assert (await next_of(ada, "people"))["count"] == 1
        async with visit(house, ROOM):
            assert (await next_of(ada, "people"))["count"] == 2
        assert (await next_of(ada, "people"))["count"] == 1


async def test_a_newcomer_gets_the_last_messages_in_order_also_after_a_restart(tmp_path: Path) -> None:
    said = [f"number {n}" for n in range(HISTORY + 30)]
    async with lobby(SQLiteStore(tmp_path / "chat.db")) as house:
        async with visit(house, ROOM) as ada:
            for text in said:  # many in one millisecond
                await ada.send(saying(text))
            async with visit(house, ROOM) as bob:
                history = (await next_of(bob, "history"))["messages"]
        assert [message["text"] for message in history] == said[-HISTORY:]
        answer = json.loads((await fetch(house, ROOM)).body)
        assert answer == {"people": 0, "messages": history}
    async with lobby(SQLiteStore(tmp_path / "chat.db")) as house, visit(house, ROOM) as carol:
        assert (await next_of(carol, "history"))["messages"] == history


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("hello", "send JSON"),
        (b"\xff\xfe", "send JSON"),
        ("[" * 100_000, "send JSON"),
        ("[]", "the only type of message is 'say'"),
        ('{"type": "shout", "text": "hello"}', "the only type of message is 'say'"),
        ('{"type": "say"}', f"'text' is a text of at most {TEXT} characters"),
        (saying("x" * (TEXT + 1)), f"'text' is a text of at most {TEXT} characters"),
        (saying("hello", name="x" * (NAME + 1)), f"'name' is a text of at most {NAME} characters"),
        (saying("hello", color=["red"]), "'color' is a text of at most 32 characters"),
        (saying(" \n"), "'text' is empty"),
    ],
)
async def test_what_is_no_message_is_answered_to_its_sender_alone(message: str | bytes, why: str) -> None:
    async with lobby() as house, visit(house, ROOM) as ada, visit(house, ROOM) as bob:
        await ada.send(message)
        assert (await next_of(ada, "error"))["message"].startswith(why)
        await ada.send(saying("still here"))
        while (heard := json.loads(await bob.receive()))["type"] != "message":
            assert heard["type"] != "error"
        assert heard["text"] == "still here"


async def test_the_longest_texts_are_taken() -> None:
    async with lobby() as house, visit(house, ROOM) as ada:
        await ada.send(saying("🎉" * TEXT, name="é" * NAME))
        assert (await next_of(ada, "message"))["text"] == "🎉" * TEXT


async def test_half_a_surrogate_pair_is_passed_on_as_it_came() -> None:
    async with lobby() as house, visit(house, ROOM) as ada:
        await ada.send('{"type": "say", "text": "\\ud83d"}')
        assert (await next_of(ada, "message"))["text"] == "\ud83d"


async def test_the_relay_passes_on_to_all_others() -> None:
    relay = "/parties/relay/any"
    async with lobby() as house, visit(house, relay) as ada, visit(house, relay) as bob:
        await ada.send("from Ada")
        await bob.send(b"from Bob")
        assert (await ada.receive(), await bob.receive()) == (b"from Bob", "from Ada")


async def test_hocuspocus_clients_get_the_same_documents_by_any_hub() -> None:
    document = hocuspocus.address("welcome")
    hub, room = "/parties/hocuspocus/hub", "/parties/main/welcome"
    async with lobby() as house, visit(house, hub) as ada, visit(house, room) as bob:
        await ada.send(document + hocuspocus.token("", "4.8.0"))
        assert await ada.receive() == document + hocuspocus.authenticated(write=True)
        await ada.send(document + yjs.awareness(b"\x01\x07\x01\x02{}"))
        heard: yjs.Message | None = None
        while not isinstance(heard, yjs.Awareness):
            message = await bob.receive()
            assert isinstance(message, bytes)
            heard = yjs.parse(message)
        assert heard.update.endswith(b"{}")
