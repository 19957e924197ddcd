"""``@y-sweet/sdk``, with which an application's server makes documents and tokens, and the clients they are for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from partyroom.protocols.ysweet import connection_string
from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient, NodeError
from tests.interop.server import Server
from tests.interop.ysweet_parties import SECRET


@pytest.fixture
def ysweet_server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", target="ysweet_parties.py")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def sdk(ysweet_server: Server, start_client: StartClient) -> NodeClient:
    client = await start_client("ysweet_sdk.js")
    await client.call("open", connectionString=connection_string(f"http://{ysweet_server.host}", SECRET))
    return client


async def test_documents_are_created_written_and_read(sdk: NodeClient) -> None:
    assert await sdk.call("create", docId="today") == {"docId": "today"}
    made = (await sdk.call("createWith", text="hello"))["docId"]
    assert await sdk.call("read", docId=made) == "hello"
    await sdk.call("write", docId=made, text="more")
    assert await sdk.call("read", docId=made) in ("hellomore", "morehello")
    assert await sdk.call("read", docId="today") == ""


async def test_a_client_comes_in_with_its_token_and_sees_what_the_server_writes(
    sdk: NodeClient, start_client: StartClient
) -> None:
    ann, bob = [await start_client("provider.js", "y-sweet") for _ in "ab"]
    await ann.call("open", room="today", token=await sdk.call("token", docId="today"))
    await bob.call("open", room="today", token=await sdk.call("token", docId="today", authorization="read-only"))
    for client in ann, bob:
        await client.until(lambda seen: seen["synced"])
    await ann.call("insert", index=0, text="from ann. ")
    await bob.until(lambda seen: seen["text"] == "from ann. ")
    await ann.until(lambda seen: seen["saved"])
    assert await sdk.call("read", docId="today") == "from ann. "
    await sdk.call("write", docId="today", text="from the server. ")
    for client in ann, bob:
        await client.until(lambda seen: "from the server. " in seen["text"])
    await bob.call("insert", index=0, text="from bob. ")
    await bob.call("present", name="bob, who has written")
    await ann.until(lambda seen: seen["here"] == ["bob, who has written"])
    assert "from bob" not in await sdk.call("read", docId="today")


async def test_what_a_token_does_not_allow_is_an_error_of_the_sdks(
    sdk: NodeClient, ysweet_server: Server, start_client: StartClient
) -> None:
    with pytest.raises(NodeError, match="403"):
        await sdk.call("writeAsReader", docId="today", text="no")
    stranger = await start_client("ysweet_sdk.js")
    for secret, code in (None, "NoAuthProvided"), ("wrong", "InvalidAuthProvided"):
        await stranger.call("open", connectionString=connection_string(f"http://{ysweet_server.host}", secret))
        with pytest.raises(NodeError, match=code):
            await stranger.call("token", docId="today")
