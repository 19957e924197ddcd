"""The list of ``must_work.py``: that every item has a test, and the tests of what is shown nowhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from partyroom.cli.remote import operator
from tests.interop.conftest import StartClient
from tests.interop.must_work import ITEMS
from tests.interop.node import NodeClient
from tests.interop.server import HERE, Server

LARGEST = 1024 * 1024
"""Characters of the largest message that ``Limits.message`` lets in."""


def test_every_item_has_a_test() -> None:
    places = [*HERE.glob("test_*.py"), HERE.parent / "e2e" / "test_react.py"]
    modules = [import_module(f"tests.{path.parent.name}.{path.stem}") for path in places]
    marks = [mark for module in modules for one in vars(module).values() for mark in getattr(one, "pytestmark", ())]
    assert {mark.kwargs["item"] for mark in marks if mark.name == "must_work"} == set(ITEMS)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of ``must_work_parties.py`` with a page, and a cron that is never due."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("<html>the page")
    (folder / "pages" / "app.js").write_text("1")
    options = ["--serve", str(folder / "pages"), "--single-page", "--cron", "noon=0 0 29 2 *"]
    server = Server(folder / "data", "must_work_parties.py", options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def socket(start_client: StartClient) -> NodeClient:
    return await start_client("socket.js")


async def heard(client: NodeClient) -> Any:
    return json.loads((await client.event("message"))["text"])


async def asked(client: NodeClient, **order: Any) -> Any:
    await client.call("send", text=json.dumps(order))
    return await heard(client)


@pytest.mark.must_work(item=3)
async def test_the_largest_message_comes_back_and_a_larger_one_ends_the_socket_which_returns(
    server: Server, room: str, socket: NodeClient
) -> None:
    made = await socket.call("open", host=server.host, party="echo", room=room, minReconnectionDelay=50)
    await socket.event("message")
    await socket.call("send", text="x" * LARGEST)
    assert len((await socket.event("message"))["text"]) == LARGEST
    await socket.call("send", text="x" * (LARGEST + 1))
    assert (await socket.event("close"))["code"] == 1009
    assert (await heard(socket))["id"] == made["id"]


@pytest.mark.must_work(item=6)
async def test_what_addresses_no_room_is_answered_by_on_fetch_by_files_and_by_the_page(
    office: Server, socket: NodeClient
) -> None:
    async def got(path: str) -> tuple[int, str]:
        answer = await socket.call("fetch", options={"host": office.host, "basePath": path})
        return answer["status"], answer["body"]

    assert await got("api/time") == (200, '{"asked":"/api/time"}')
    assert await got("app.js") == (200, "1")
    anywhere = "some/page/of/the/application"
    assert (await got(anywhere))[0] == 404  # the page is for who goes there, not for a script that fetches
    async with aiohttp.request("GET", f"http://{office.host}/{anywhere}", headers={"accept": "text/html"}) as answer:
        assert await answer.text() == "<html>the page"


@pytest.mark.must_work(item=8)
async def test_a_stranger_is_kept_out_until_a_token_is_good_and_the_room_knows_whose_it_is(
    office: Server, room: str, socket: NodeClient
) -> None:
    where = {"host": office.host, "party": "front", "room": room}
    await socket.call("open", **where, tokens=["bad", "good-ada", "good-bob"], minReconnectionDelay=50)
    await socket.event("error")
    await socket.event("message", text="welcome, ada")
    assert len(socket.untaken("open")) == 1
    await socket.call("reconnect")
    await socket.event("message", text="welcome, bob")

    assert (await socket.call("fetch", options=where, init={}))["status"] == 401
    let_in = await socket.call("fetch", options=where, init={"headers": {"authorization": "Bearer good"}})
    assert (let_in["status"], let_in["body"]) == (200, "come in")


@pytest.mark.must_work(item=9)
async def test_tags_and_broadcasts_with_exceptions_reach_whom_they_should(
    office: Server, room: str, start_client: StartClient
) -> None:
    red, blue, both = [await start_client("socket.js") for _ in range(3)]
    for client, team in (red, "red"), (blue, "blue"), (both, "red blue"):
        await client.call("open", host=office.host, party="desk", room=room, query={"team": team})
        await asked(client, who=True)  # it is there
    await blue.call("send", text='{"team": "red", "say": "to the reds"}')
    await blue.call("send", text='{"others": "to the others"}')
    for client in red, both:
        assert [event["text"] for event in await client.events("message", 2)] == ["to the reds", "to the others"]
    assert await asked(blue, who=True) == [1, None, ["blue"]], "blue has heard something of it"


@pytest.mark.must_work(item=11)
async def test_a_socket_outlives_its_room_and_keeps_its_state_and_tags(
    office: Server, room: str, start_client: StartClient
) -> None:
    ada, bob = await start_client("socket.js"), await start_client("socket.js")
    for client, team in (ada, "red"), (bob, "blue"):
        await client.call("open", host=office.host, party="desk", room=room, query={"team": team})
        await client.call("send", text=json.dumps({"remember": {"team": team, "points": 3}}))
    for client in ada, bob:
        await client.event("message", text="good night")
    assert await asked(ada, who=True) == [2, {"team": "red", "points": 3}, ["red"]]
    await ada.call("send", text='{"team": "blue", "say": "awake?"}')
    await bob.event("message", text="awake?")
    assert (len(ada.untaken("open")), ada.untaken("close")) == (1, [])


@pytest.mark.must_work(item=12)
async def test_storage_is_listed_by_range_and_moves_happen_whole_or_not_at_all(
    office: Server, room: str, socket: NodeClient
) -> None:
    await socket.call("open", host=office.host, party="ledger", room=room)
    await asked(socket, verb="put", **{"a1": 1, "a2": 2, "a10": 10, "b1": [], "é": {"x": "日本 🎉"}})
    for options, keys in (
        ({"prefix": "a"}, ["a1", "a10", "a2"]),
        ({"start": "a10", "end": "b1"}, ["a10", "a2"]),
        ({"start_after": "a10", "limit": 2}, ["a2", "b1"]),
        ({"reverse": True, "limit": 2}, ["é", "b1"]),
    ):
        assert await asked(socket, verb="list", **options) == keys
    await asked(socket, verb="move", **{"from": "a1", "to": "nowhere"})
    await asked(socket, verb="move", **{"from": "a2", "to": "c1"})
    assert await asked(socket, verb="list") == ["a1", "a10", "b1", "c1", "é"]


@pytest.mark.must_work(item=12)
async def test_an_alarm_rings_after_a_kill(tmp_path: Path, socket: NodeClient) -> None:
    server = Server(tmp_path / "data", "must_work_parties.py")
    server.start()
    await socket.call("open", host=server.host, party="ledger", room="a", minReconnectionDelay=50)
    await asked(socket, verb="put", kept="before")
    await asked(socket, verb="alarm", at=time.time() + 3)  # a server takes half a second to be there again
    server.kill()
    server.start()
    await socket.event("message", text='{"rung": 1}')
    assert await asked(socket, verb="list") == ["kept", "rung"]
    server.stop()


@pytest.mark.must_work(item=13)
async def test_a_room_asks_another_by_request_and_by_socket(office: Server, room: str, socket: NodeClient) -> None:
    where = {"host": office.host, "party": "broker", "room": room}
    posted = {"method": "POST", "body": json.dumps({"verb": "put", "by": "request"})}
    assert (await socket.call("fetch", options=where, init=posted))["body"] == "0"
    await socket.call("open", **where)
    assert await asked(socket, verb="list") == ["by"]


@pytest.mark.must_work(item=13)
async def test_a_socket_outside_rooms_is_answered_and_a_cron_reaches_a_room(
    office: Server, start_client: StartClient
) -> None:
    outside, desk = await start_client("socket.js"), await start_client("socket.js")
    await outside.call("openUrl", url=f"ws://{office.host}/any/where", queue=["hello"])
    await outside.event("message", text="/any/where heard hello")
    await desk.call("open", host=office.host, party="desk", room="all")
    await asked(desk, who=True)
    async with operator(office.data) as does:
        await does.ask("POST", "cron", name="noon")
    await desk.event("message", text="it is noon")


@pytest.mark.must_work(item=15)
async def test_y_partyservers_custom_messages_go_to_the_party_and_to_the_others(
    office: Server, room: str, start_client: StartClient
) -> None:
    ada, bob = [await start_client("provider.js", "y-partyserver") for _ in range(2)]
    for client in ada, bob:
        await client.call("open", host=office.host, party="notes", room=room)
        await client.until(lambda seen: seen["synced"])
    await ada.call("say", text="héllo 🎉")
    await ada.event("custom", text="you said héllo 🎉")
    await bob.event("custom", text="somebody said héllo 🎉")
    assert ada.untaken("custom") == bob.untaken("custom") == []
