"""The published Yjs providers, and pycrdt, against the server's document rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.pycrdt_client import PycrdtClient
from tests.interop.server import Server
from tests.interop.table import FAMILIES

MB = 1_000_000

Join = Callable[..., Awaitable[NodeClient]]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    family: str = request.param
    return family


@pytest.fixture
def join(start_client: StartClient) -> Join:
    """Starts a provider of a family, has it present itself as ``name``, and waits until it is synced."""

    async def join(
        family: str,
        server: Server,
        room: str,
        name: str,
        before: dict[str, Any] | None = None,
        params: dict[str, str] | None = None,
    ) -> NodeClient:
        client = await start_client("pycrdt_provider.py" if family == "pycrdt" else "provider.js", family)
        if before:
            await client.call(**before)
        await client.call("open", host=server.host, party="notes", room=room, params=params or {})
        await client.call("present", name=name)
        await client.until(lambda seen: seen["synced"])
        return client

    return join


async def converged(*clients: NodeClient, timeout: float = 15) -> dict[str, Any]:
    """Wait until all have the same text and nothing pending; what they agree on."""

    async def agree() -> dict[str, Any]:
        while True:
            seen = [await client.call("snapshot") for client in clients]
            if len({one["sha256"] for one in seen}) == 1 and not any(one["pending"] for one in seen):
                return dict(seen[0])
            changes = [asyncio.create_task(client.event("changed", timeout=timeout)) for client in clients]
            _, others = await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            await asyncio.gather(*changes, return_exceptions=True)

    try:
        async with asyncio.timeout(timeout):
            return await agree()
    except TimeoutError:
        raise AssertionError(f"no agreement: {[await client.call('snapshot') for client in clients]}") from None


@pytest.mark.must_work(item=14)
@pytest.mark.must_work(item=15)
@pytest.mark.proves("sync")
async def test_two_clients_edit_at_once_and_converge(family: str, server: Server, room: str, join: Join) -> None:
    ann, bob = await asyncio.gather(*(join(family, server, room, name) for name in ("ann", "bob")))
    by_ann = [ann.call("insert", index=0, text=f"ann {n}. ") for n in range(20)]
    by_bob = [bob.call("insert", index=0, text=f"bob {n} 🎉. ") for n in range(20)]
    await asyncio.gather(*by_ann, *by_bob)
    await ann.until(lambda seen: "bob 19" in seen["text"])
    await bob.until(lambda seen: "ann 19" in seen["text"])
    agreed = await converged(ann, bob)
    assert all(f"ann {n}. " in agreed["text"] and f"bob {n} 🎉. " in agreed["text"] for n in range(20))
    await bob.call("delete", index=0, length=agreed["length"])
    await ann.until(lambda seen: seen["text"] == "")


@pytest.mark.must_work(item=14)
@pytest.mark.must_work(item=15)
@pytest.mark.proves("offline")
async def test_edits_made_offline_by_both_merge_on_joining(family: str, server: Server, room: str, join: Join) -> None:
    ann = await join(family, server, room, "ann", before={"op": "insert", "index": 0, "text": "offline ann "})
    bob = await join(family, server, room, "bob", before={"op": "insert", "index": 0, "text": "offline bob "})
    await ann.until(lambda seen: "offline bob " in seen["text"])
    assert "offline ann " in (await converged(ann, bob))["text"]


@pytest.mark.must_work(item=14)
@pytest.mark.must_work(item=15)
@pytest.mark.proves("presence")
async def test_presence_goes_both_ways_and_ends_with_its_owner(
    family: str, server: Server, room: str, join: Join
) -> None:
    ann = await join(family, server, room, "ann")
    bob = await join(family, server, room, "bob")
    for client in ann, bob:
        await client.until(lambda seen: seen["here"] == ["ann", "bob"])
    await bob.call("leave")
    await ann.until(lambda seen: seen["here"] == ["ann"])


@pytest.mark.proves("idle", families=FAMILIES)
@pytest.mark.timeout(120)
async def test_idle_clients_stay_connected_and_present(server: Server, room: str, join: Join) -> None:
    """Two families hang up after 30 s in which nothing comes, and drop users whom they hear nothing of for as long."""
    joining = [join(family, server, f"{room}-{family}", name) for family in FAMILIES for name in ("ann", "bob")]
    clients = await asyncio.gather(*joining)
    for client in clients:
        await client.until(lambda seen: seen["here"] == ["ann", "bob"])
    await asyncio.sleep(35)  # the one wait on the clock: that nothing happens in this time is what is tested
    for client in clients:
        seen = await client.call("snapshot")
        assert (seen["disconnects"], seen["connected"], seen["here"]) == (0, True, ["ann", "bob"])


@pytest.mark.proves("large")
async def test_one_update_of_five_megabytes_reaches_who_is_there_and_who_comes(
    family: str, server: Server, room: str, join: Join
) -> None:
    ann, bob = await join(family, server, room, "ann"), await join(family, server, room, "bob")
    await ann.call("paste", size=5 * MB)
    await bob.until(lambda seen: seen["length"] == 5 * MB)
    carol = await join(family, server, room, "carol")
    await carol.until(lambda seen: seen["length"] == 5 * MB)
    agreed = await converged(ann, bob, carol)
    assert (agreed["length"], agreed["disconnects"]) == (5 * MB, 0)


@pytest.mark.must_work(item=14)
@pytest.mark.proves("large", families=["y-partykit"])
async def test_y_partykit_uploads_what_it_holds_in_chunks(server: Server, room: str, join: Join) -> None:
    """Its answer to our SyncStep1 is over a megabyte, which it never sends as one message."""
    ann = await join("y-partykit", server, room, "ann", before={"op": "paste", "size": 5 * MB // 2})
    bob = await join("y-partykit", server, room, "bob")
    await bob.until(lambda seen: seen["length"] == 5 * MB // 2)
    await converged(ann, bob)


@pytest.mark.proves("restart")
async def test_content_is_there_after_a_server_restart(family: str, own_server: Server, join: Join) -> None:
    ann, bob = await join(family, own_server, "a", "ann"), await join(family, own_server, "a", "bob")
    await ann.call("insert", index=0, text="before the restart ")
    await bob.until(lambda seen: seen["text"] == "before the restart ")
    await ann.call("leave")
    await bob.call("leave")
    own_server.restart()
    carol = await join(family, own_server, "a", "carol")
    await carol.until(lambda seen: seen["text"] == "before the restart ")


@pytest.mark.must_work(item=14)
@pytest.mark.must_work(item=15)
@pytest.mark.proves("restart")
@pytest.mark.proves("offline")
async def test_clients_come_back_after_a_restart_and_bring_what_they_wrote_meanwhile(
    family: str, own_server: Server, join: Join
) -> None:
    ann, bob = await join(family, own_server, "a", "ann"), await join(family, own_server, "a", "bob")
    own_server.stop()
    for client in ann, bob:
        await client.until(lambda seen: not seen["connected"])
    await ann.call("insert", index=0, text="written offline ")
    own_server.start()
    await bob.until(lambda seen: seen["synced"] and seen["text"] == "written offline ")
    for client, name in (ann, "ann"), (bob, "bob"):
        # y-websocket and y-partykit remember the clock of who was gone, and heed her again with her next change
        await client.call("present", name=name)
    for client in ann, bob:
        await client.until(lambda seen: seen["here"] == ["ann", "bob"])


async def test_a_kill_in_the_middle_of_a_stream_of_edits_loses_nothing_that_was_on_disk(
    family: str, own_server: Server, join: Join
) -> None:
    ann, bob = await join(family, own_server, "a", "ann"), await join(family, own_server, "a", "bob")
    await asyncio.gather(*(ann.call("append", text=f"{n} ") for n in range(50)))
    await bob.until(lambda seen: seen["text"].endswith(" 49 "))
    async with aiohttp.request("GET", f"http://{own_server.host}/parties/notes/a") as answer:
        assert await answer.text() == "on disk"

    stream = asyncio.gather(*(ann.call("append", text=f"{n} ") for n in range(50, 500)))
    await bob.until(lambda seen: " 60 " in seen["text"])
    own_server.kill()
    await stream
    await ann.call("leave")  # or they would bring the server what it has lost
    await bob.call("leave")
    own_server.start()

    carol = await join(family, own_server, "a", "carol")
    kept = [int(number) for number in (await carol.call("snapshot"))["text"].split()]
    assert kept == list(range(len(kept)))
    assert len(kept) >= 50


@pytest.mark.proves("sync", families=FAMILIES)
async def test_all_families_and_pycrdt_in_one_room_converge(server: Server, room: str, join: Join) -> None:
    url = f"ws://{server.host}/parties/notes/{room}"
    async with PycrdtClient.joined(url) as python:
        clients = [await join(family, server, room, family) for family in FAMILIES]
        for client, family in zip(clients, FAMILIES, strict=True):
            await asyncio.gather(*(client.call("insert", index=0, text=f"{family} {n}é🎉. ") for n in range(10)))
        python.insert("pycrdt wrote this. ")
        for client in clients:
            await client.until(lambda seen: "pycrdt wrote this. " in seen["text"])
        agreed = await converged(*clients)
        await python.until(agreed["text"])
        for family in FAMILIES:
            assert all(f"{family} {n}é🎉. " in agreed["text"] for n in range(10))
        everyone = sorted(FAMILIES)
        for client in clients:
            await client.until(lambda seen: seen["here"] == everyone)


@pytest.mark.proves("read-only")
async def test_a_reader_sees_edits_and_people_and_is_seen_but_changes_nothing(
    family: str, server: Server, room: str, join: Join
) -> None:
    ann = await join(family, server, room, "ann")
    bob = await join(family, server, room, "bob", params={"mode": "read"})
    await ann.call("insert", index=0, text="ann may write")
    await bob.until(lambda seen: seen["text"] == "ann may write")
    await bob.call("insert", index=0, text="bob may not, ")
    await bob.call("present", name="bob, who has written")  # comes after his edit, by the same way
    for client in ann, bob:
        await client.until(lambda seen: seen["here"] == ["ann", "bob, who has written"])
    assert (await ann.call("snapshot"))["text"] == "ann may write"
    carol = await join(family, server, room, "carol")
    assert (await carol.call("snapshot"))["text"] == "ann may write"


@pytest.mark.proves("stored")
async def test_what_a_client_was_told_is_stored_survives_a_kill(family: str, own_server: Server, join: Join) -> None:
    ann = await join(family, own_server, "a", "ann")
    await ann.call("insert", index=0, text="precious ")
    await ann.call("confirm")
    await ann.until(lambda seen: seen["saved"])
    own_server.kill()
    await ann.call("leave")  # or she would bring the server what it has lost
    own_server.start()
    bob = await join(family, own_server, "a", "bob")
    assert (await bob.call("snapshot"))["text"] == "precious "


@pytest.mark.proves("stored")
async def test_a_client_is_not_told_that_something_is_stored_before_it_is(
    family: str, stuck_server: Server, join: Join
) -> None:
    """The server's store takes nothing until it is told to."""
    ann, bob = await join(family, stuck_server, "a", "ann"), await join(family, stuck_server, "a", "bob")
    await ann.call("insert", index=0, text="precious ")
    await ann.call("confirm")
    await bob.until(lambda seen: seen["text"] == "precious ")
    await bob.call("present", name="bob, who has seen it")  # the server sends this to ann after any word of hers
    await ann.until(lambda seen: "bob, who has seen it" in seen["here"])
    assert not (await ann.call("snapshot"))["saved"]
    async with aiohttp.request("POST", f"http://{stuck_server.host}/release") as answer:
        assert await answer.text() == "released"
    await ann.until(lambda seen: seen["saved"])
