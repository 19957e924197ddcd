"""Our Python client against our server and others': npm's clients, which belong to each, are its counterparts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from partyroom.client import ConnectionClosed, NotSaved
from tests.interop.conftest import StartClient
from tests.interop.node import NodeClient
from tests.interop.sites import KINDS, Site, body, names, text, until

MB = 1_000_000

Counterpart = Callable[[str, str], Awaitable[NodeClient]]


@pytest.fixture(params=KINDS, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for all tests of a kind: those that stop it start it again."""
    site = Site(KINDS[request.param], tmp_path_factory.mktemp("site"))
    site.server.start()
    yield site
    if site.server.running:
        site.server.stop()


@pytest.fixture
def counterpart(site: Site, start_client: StartClient) -> Counterpart:
    """Starts npm's client in a room, with a name, and waits until it is synced."""

    async def join(room: str, name: str) -> NodeClient:
        client = await start_client("provider.js", site.family)
        await client.call("open", host=site.server.host, party="notes", room=room)
        await client.call("present", name=name)
        await client.until(lambda seen: seen["synced"])
        return client

    return join


async def test_edits_go_both_ways_at_once(site: Site, room: str, counterpart: Counterpart) -> None:
    bob = await counterpart(room, "bob")
    async with site.client(room) as ada:
        await ada.synced(timeout=10)
        for number in range(20):
            body(ada).insert(0, f"ada {number} 🎉. ")
            await bob.call("insert", index=0, text=f"bob {number} é. ")
        seen = await bob.until(lambda seen: "ada 19 🎉" in seen["text"])
        await until(ada, lambda: "bob 19 é" in text(ada))
        assert text(ada) == seen["text"]
        assert all(f"ada {n} 🎉. " in text(ada) and f"bob {n} é. " in text(ada) for n in range(20))
        body(ada).clear()
        await bob.until(lambda seen: seen["text"] == "")


async def test_presence_goes_both_ways_and_ends_with_its_owner(site: Site, room: str, counterpart: Counterpart) -> None:
    bob = await counterpart(room, "bob")
    async with site.client(room, user={"name": "ada"}) as ada:
        await bob.until(lambda seen: seen["here"] == ["ada", "bob"])
        await until(ada, lambda: names(ada) == ["bob"])
        ada.user = {"name": "lovelace"}
        await bob.until(lambda seen: seen["here"] == ["bob", "lovelace"])
        await bob.call("present", name="robert")
        await until(ada, lambda: names(ada) == ["robert"])
        async with site.client(room, user={"name": "carol"}) as carol:
            await until(carol, lambda: names(carol) == ["lovelace", "robert"])
            await until(ada, lambda: names(ada) == ["carol", "robert"])
        await until(ada, lambda: names(ada) == ["robert"])
        await bob.call("leave")
        await until(ada, lambda: names(ada) == [])


async def test_what_both_wrote_while_the_server_was_away_is_merged(
    site: Site, room: str, counterpart: Counterpart
) -> None:
    bob = await counterpart(room, "bob")
    async with site.client(room, user={"name": "ada"}) as ada:
        body(ada).insert(0, "before. ")
        await bob.until(lambda seen: seen["text"] == "before. ")
        await until(ada, lambda: names(ada) == ["bob"])
        site.server.stop()
        await until(ada, lambda: ada.status == "offline")
        await bob.until(lambda seen: not seen["connected"])
        assert ada.others == {}
        body(ada).insert(0, "ada. ")
        await bob.call("insert", index=0, text="bob. ")
        site.server.start()
        await ada.synced(timeout=20)
        await until(ada, lambda: "bob. " in text(ada), timeout=20)
        seen = await bob.until(lambda seen: "ada. " in seen["text"], timeout=20)
        assert sorted(text(ada).split()) == ["ada.", "before.", "bob."]
        assert seen["text"] == text(ada)
        await bob.until(lambda seen: seen["here"] == ["ada", "bob"])
        await until(ada, lambda: names(ada) == ["bob"])


async def test_a_program_that_starts_again_brings_what_it_wrote_offline(site: Site, room: str, tmp_path: Path) -> None:
    async with site.client(room, keep=tmp_path / "notes.db") as ada:
        body(ada).insert(0, "online. ")
        await ada.synced(timeout=10)
        await ada.kept()
    site.server.stop()
    async with site.client(room, keep=tmp_path / "notes.db") as ada:
        body(ada).insert(0, "offline. ")
        await ada.kept()
    site.server.start()
    async with site.client(room, keep=tmp_path / "notes.db") as ada, site.client(room) as bob:
        await ada.synced(timeout=10)
        await until(bob, lambda: text(bob) == "offline. online. ")


@pytest.mark.parametrize("site", [name for name in KINDS if not KINDS[name].acknowledges], indirect=True)
async def test_where_the_server_does_not_say_what_it_has_stored_saved_says_so(site: Site, room: str) -> None:
    async with site.client(room) as ada:
        body(ada).insert(0, "who knows")
        with pytest.raises(NotSaved, match="does not say"):
            await ada.saved(timeout=10)
        assert ada.unsaved


@pytest.mark.parametrize("site", [name for name in KINDS if KINDS[name].acknowledges], indirect=True)
async def test_what_was_saved_is_there_for_who_comes_later(site: Site, room: str) -> None:
    async with site.client(room) as ada:
        body(ada).insert(0, "before it was synced. ")
        await ada.saved(timeout=10)
        for number in range(50):
            body(ada).insert(0, f"{number} ")
        assert ada.unsaved
        await ada.saved(timeout=10)
        if site.kind.foreign is None:  # @hocuspocus/server says it of what it has in memory
            site.server.kill()
            await ada.close()  # or she would bring it again
            site.server.start()
    async with site.client(room) as bob:
        await bob.synced(timeout=10)
        assert text(bob) == " ".join([*map(str, reversed(range(50))), "before it was synced. "])


@pytest.mark.parametrize("site", [name for name in KINDS if KINDS[name].read_only], indirect=True)
async def test_who_may_only_read_is_told_and_nobody_else_sees_what_it_writes(
    site: Site, room: str, counterpart: Counterpart
) -> None:
    bob = await counterpart(room, "bob")
    reading = {"token": "read"} if site.kind.foreign else {"query": {"mode": "read"}}
    async with site.client(room, **reading) as ada:
        await ada.synced(timeout=10)
        assert ada.read_only
        await bob.call("insert", index=0, text="for all ")
        await until(ada, lambda: text(ada) == "for all ")
        body(ada).insert(0, "mine ")
        with pytest.raises(NotSaved, match="takes no edits"):
            await ada.saved(timeout=10)
        await bob.call("insert", index=0, text="still ")
        await until(ada, lambda: "still" in text(ada))
        assert (await bob.call("snapshot"))["text"] == "still for all "


@pytest.mark.parametrize("site", ["@hocuspocus/server"], indirect=True)
async def test_who_is_turned_away_stays_away_and_says_why(site: Site, room: str) -> None:
    async with site.client(room, token="stranger") as ada:
        with pytest.raises(ConnectionClosed, match="who are you"):
            await ada.synced(timeout=10)
        assert (ada.status, ada.failure) == ("closed", "who are you?")


async def test_five_megabytes_go_both_ways(site: Site, room: str, counterpart: Counterpart) -> None:
    bob = await counterpart(room, "bob")
    async with site.client(room) as ada:
        await ada.synced(timeout=10)
        body(ada).insert(0, "0123456789abcdeé" * (5 * MB // 17))
        seen = await bob.until(lambda seen: seen["length"] == 5 * MB // 17 * 16, timeout=30)
        async with site.client(room) as carol:
            await carol.synced(timeout=20)
            assert text(carol) == text(ada)
        await bob.call("paste", size=5 * MB)
        await until(ada, lambda: len(text(ada)) == seen["length"] + 5 * MB, timeout=30)
        assert ada.status == "synced"
