"""The published ``partysocket`` against the server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.server import Server

BINARY = [b"", b"\x00", bytes(range(256)), b"\xff" * 512 * 1024]
TEXTS = ["", "plain", "naïve café 日本語 🎉", "a\u0000b", "x" * 512 * 1024]
PAGE = {"origin": "https://page.example"}


@pytest.fixture
async def socket(start_client: StartClient) -> NodeClient:
    return await start_client("socket.js")


async def greeting(client: NodeClient) -> Any:
    """What Echo says to a newcomer."""
    return json.loads((await client.event("message"))["text"])


@pytest.mark.must_work(item=2)
async def test_sends_queued_before_and_during_a_slow_on_connect_arrive_after_it_and_in_order(
    server: Server, room: str, socket: NodeClient
) -> None:
    await socket.call("open", host=server.host, party="slow", room=room, queue=[f"{n}" for n in range(100)])
    await socket.event("open")
    await socket.call("send", text="100")  # the socket is open, and on_connect has most of its 500 ms to go
    answers = [json.loads(event["text"]) for event in await socket.events("message", 101)]
    assert answers == [[f"{n}", True] for n in range(101)]


@pytest.mark.must_work(item=3)
async def test_ten_thousand_messages_come_back_in_order(server: Server, room: str, socket: NodeClient) -> None:
    await socket.call("open", host=server.host, party="echo", room=room)
    await greeting(socket)
    await socket.call("count", upTo=10_000)
    assert [event["text"] for event in await socket.events("message", 10_000)] == [f"{n}" for n in range(10_000)]


@pytest.mark.must_work(item=3)
async def test_text_stays_text_and_binary_stays_binary(server: Server, room: str, socket: NodeClient) -> None:
    await socket.call("open", host=server.host, party="echo", room=room)
    await greeting(socket)
    for text in TEXTS:
        await socket.call("send", text=text)
        assert await socket.event("message") == {"event": "message", "text": text}
    for data in BINARY:
        encoded = base64.b64encode(data).decode()
        await socket.call("send", base64=encoded)
        assert await socket.event("message") == {"event": "message", "base64": encoded}


URLS = {
    "the party is main unless named": ({"room": "a"}, {"room": "a", "subpath": ""}),
    "a party by name": ({"party": "echo", "room": "a"}, {"room": "a", "subpath": ""}),
    "a path below the room": ({"room": "a", "path": "some/deep%20path"}, {"room": "a", "subpath": "some/deep path"}),
    "a room with a space": ({"room": "a b"}, {"room": "a b"}),
    "a room beyond ASCII": ({"room": "café-日本"}, {"room": "café-日本"}),
    "a room with an encoded slash": ({"room": "a%2Fb"}, {"room": "a/b", "subpath": ""}),
    "a room decoded once only": ({"room": "100%2525"}, {"room": "100%25"}),
    "a room with a plus": ({"room": "a+b"}, {"room": "a+b"}),
    "an empty segment is ignored": ({"room": "a//b"}, {"room": "a", "subpath": "b"}),
    "basePath in the short form": ({"basePath": "party/a"}, {"room": "a", "subpath": ""}),
    "basePath in the long form": ({"basePath": "parties/echo/a/x"}, {"room": "a", "subpath": "x"}),
    "a query": (
        {"room": "a", "query": {"token": "x y&z", "empty": "", "none": None}},
        {"query": [["_pk", "me"], ["token", "x y&z"], ["empty", ""]]},
    ),
    "the first _pk is the id": ({"room": "a", "query": {"_pk": "another"}}, {"id": "me"}),
    "a host with a scheme": ({"host": "ws://{host}/", "room": "a"}, {"room": "a"}),
}


@pytest.mark.must_work(item=1)
@pytest.mark.parametrize(("options", "expected"), URLS.values(), ids=URLS)
async def test_a_url_reaches_its_room(
    server: Server, socket: NodeClient, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    host = options.get("host", "{host}").format(host=server.host)
    await socket.call("open", **{"id": "me", **options, "host": host})
    said = await greeting(socket)
    assert said["id"] == "me"
    assert {name: said[name] for name in expected} == expected


@pytest.mark.must_work(item=1)
@pytest.mark.parametrize("options", [{"party": "nowhere", "room": "a"}, {"basePath": "elsewhere/a"}, {"basePath": "x"}])
async def test_a_url_of_no_room_is_refused_before_the_socket_opens(
    server: Server, socket: NodeClient, options: dict[str, str]
) -> None:
    await socket.call("open", host=server.host, maxRetries=0, **options)
    await socket.event("error")
    assert socket.untaken("open") == []


async def test_the_first_subprotocol_offered_is_taken(server: Server, room: str, socket: NodeClient) -> None:
    await socket.call("open", host=server.host, room=room, protocols=["chat.v2", "chat.v1"])
    assert (await socket.event("open"))["protocol"] == "chat.v2"


@pytest.mark.must_work(item=9)
async def test_two_sockets_with_one_id_both_live_and_the_newest_is_found_by_it(
    server: Server, room: str, start_client: StartClient
) -> None:
    older, newer, other = [await start_client("socket.js") for _ in range(3)]
    where = {"host": server.host, "party": "switchboard", "room": room}
    for client, name in (older, "twin"), (newer, "twin"), (other, "other"):
        await client.call("open", **where, id=name)
        await client.event("open")
    await other.call("send", text='{"all": "hello"}')
    for client in older, newer, other:
        await client.event("message", text="hello")

    await other.call("send", text='{"to": "twin", "say": "to the newest"}')
    await newer.event("message", text="to the newest")
    await newer.call("close", code=1000)
    assert json.loads((await other.event("message"))["text"])["left"] == "twin"
    await other.call("send", text='{"to": "twin", "say": "to who is left"}')
    await older.event("message", text="to who is left")
    assert [event["text"] for event in older.untaken("message") if "newest" in event["text"]] == []


@pytest.mark.must_work(item=5)
@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1000, "done"), (3000, "own"), (4001, "à bientôt"), (4999, "")]
)
async def test_a_clients_close_code_reaches_the_party(
    server: Server, room: str, start_client: StartClient, code: int, reason: str
) -> None:
    leaver, witness = await start_client("socket.js"), await start_client("socket.js")
    for client, name in (witness, "witness"), (leaver, "leaver"):
        await client.call("open", host=server.host, party="switchboard", room=room, id=name)
        await client.event("open")
    await leaver.call("send", text='{"all": "here"}')
    await witness.event("message", text="here")
    await leaver.call("close", code=code, reason=reason)
    left = json.loads((await witness.event("message"))["text"])
    assert left == {"left": "leaver", "code": code, "reason": reason, "clean": True}


@pytest.mark.must_work(item=5)
@pytest.mark.parametrize(("code", "reason"), [(1000, "done"), (1011, "broken"), (4001, "à bientôt"), (4404, "")])
async def test_a_partys_close_code_reaches_the_client_which_comes_back(
    server: Server, room: str, socket: NodeClient, code: int, reason: str
) -> None:
    await socket.call("open", host=server.host, party="switchboard", room=room, minReconnectionDelay=50)
    await socket.event("open")
    await socket.call("send", text=json.dumps({"close": [code, reason]}))
    # partysocket's own copy of a close event on Node says "unknown reason" where there was none
    assert await socket.event("close") == {"event": "close", "code": code, "reason": reason or "unknown reason"}
    await socket.event("open")


@pytest.mark.must_work(item=4)
async def test_a_socket_comes_back_with_its_id_after_a_server_restart(own_server: Server, socket: NodeClient) -> None:
    made = await socket.call("open", host=own_server.host, room="a", minReconnectionDelay=50, maxReconnectionDelay=200)
    assert (await greeting(socket))["id"] == made["id"]
    own_server.stop()
    assert (await socket.event("close"))["code"] == 1001
    await socket.call("send", text="said while the server was away")
    own_server.start()
    assert (await greeting(socket))["id"] == made["id"]
    await socket.event("message", text="said while the server was away")


@pytest.mark.must_work(item=4)
async def test_a_socket_comes_back_after_the_server_was_killed(own_server: Server, socket: NodeClient) -> None:
    made = await socket.call("open", host=own_server.host, room="a", minReconnectionDelay=50, maxReconnectionDelay=200)
    await greeting(socket)
    own_server.kill()
    assert (await socket.event("close"))["code"] == 1006
    own_server.start()
    assert (await greeting(socket))["id"] == made["id"]


@pytest.mark.must_work(item=6)
async def test_fetch_reaches_on_request(server: Server, room: str, socket: NodeClient) -> None:
    options = {"host": server.host, "party": "echo", "room": room, "path": "a/b", "query": {"x": "1"}}
    answer = await socket.call("fetch", options=options, init={"method": "POST", "body": "hello"})
    assert answer["status"] == 200
    assert json.loads(answer["body"]) == {
        "method": "POST",
        "body": "hello",
        "room": room,
        "subpath": "a/b",
        "query": [["x", "1"]],
    }


async def test_fetch_of_an_unknown_party_is_a_404(server: Server, socket: NodeClient) -> None:
    answer = await socket.call("fetch", options={"host": server.host, "party": "nowhere", "room": "a"})
    assert answer["status"] == 404


@pytest.mark.must_work(item=6)
async def test_without_cors_no_other_page_may_read_an_answer(server: Server, room: str, socket: NodeClient) -> None:
    options = {"host": server.host, "party": "echo", "room": room}
    answer = await socket.call("fetch", options=options, init={"headers": PAGE})
    assert not [name for name in answer["headers"] if name.startswith("access-control-")]


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A lobby with ``cors=True``, which answers pages of every origin."""
    opened = Server(tmp_path_factory.mktemp("cors") / "data", "open_parties.py")
    opened.start()
    yield opened
    opened.stop()


@pytest.mark.must_work(item=6)
async def test_with_cors_another_page_may_read_an_answer(open_server: Server, room: str, socket: NodeClient) -> None:
    options = {"host": open_server.host, "party": "echo", "room": room}
    answer = await socket.call("fetch", options=options, init={"headers": PAGE})
    assert answer["status"] == 200
    assert answer["headers"]["access-control-allow-origin"] in ("*", PAGE["origin"])


@pytest.mark.must_work(item=6)
async def test_with_cors_a_preflight_is_answered_without_asking_the_party(
    open_server: Server, room: str, socket: NodeClient
) -> None:
    asked = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type, x-token"}
    options = {"host": open_server.host, "party": "echo", "room": room}
    answer = await socket.call("fetch", options=options, init={"method": "OPTIONS", "headers": PAGE | asked})
    assert answer["status"] in (200, 204)
    assert answer["body"] == ""
    assert answer["headers"]["access-control-allow-origin"] in ("*", PAGE["origin"])
    assert answer["headers"]["access-control-allow-headers"]
    assert "POST" in answer["headers"]["access-control-allow-methods"]
