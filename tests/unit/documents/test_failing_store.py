"""A store that fails for a while: nobody is told that anything is saved, everybody goes on, and nothing is lost."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from partyroom import DocumentParty, Lobby, MemoryStore
from partyroom import storage as storage_module
from partyroom.errors import StoreError
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.room import Room
from partyroom.stores.base import Batch
from partyroom.testing import ManualClock, fetch
from tests.unit.documents.client import PATH, Client, Notes, Shared, join, present

HERE = Path(__file__).parent / "mortal"
ROOT = HERE.parents[3]
ASKED = yjs.SyncStatus(b"\x01")


class Flaky(MemoryStore):
    """Fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.refused = 0

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        if self.fails:
            self.refused += 1
            raise StoreError("the disk is full: free some space")
        await super().apply(address, batch, fence=fence)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(storage_module, "LONGEST_PAUSE", 0.001)


def room_of(lobby: Lobby) -> Room:
    (room,) = lobby.rooms()
    return room


async def ask(client: Client) -> None:
    """Ask whether all is saved, and let the store be tried."""
    client.received.clear()
    await client.socket.send(yjs.sync_status(b"\x01"))
    await client.read()


async def test_promise_9_nobody_is_told_that_it_is_saved_while_the_store_fails_and_all_are_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, clock = Flaky(), ManualClock()
    async with Lobby({"notes": Notes}, store=store, clock=clock) as lobby, join(lobby) as ada:
        store.fails = True
        with caplog.at_level(logging.ERROR):
            await ada.insert(0, "precious")
            await ask(ada)
            await clock.advance(1)
            while store.refused < 3:
                await ada.read()
        assert ASKED not in ada.received
        assert room_of(lobby).storage.failing
        assert caplog.records[0].message.endswith("the disk is full: free some space"), "and loudly"
        store.fails = False
        await room_of(lobby).storage.flush()
        await ada.read()
        assert ASKED in ada.received
        assert not room_of(lobby).storage.failing


async def test_promise_10_what_was_written_while_the_store_failed_is_there_without_a_restart_and_after_one() -> None:
    store, clock = Flaky(), ManualClock()
    async with Lobby({"notes": Notes}, store=Shared(store), clock=clock) as lobby, join(lobby) as ada:
        await ada.insert(0, "before ")
        store.fails = True
        for number in range(30):
            await ada.insert(7 + number, str(number % 10))
        await clock.advance(1)
        while store.refused < 3:
            await ada.read()
        room = room_of(lobby)
        store.fails = False
        await room.storage.flush()
        assert room_of(lobby) is room
    async with Lobby({"notes": Notes}, store=Shared(store)) as lobby, join(lobby) as bob:
        assert str(bob.text) == "before " + "0123456789" * 3


async def test_reads_relays_and_presence_go_on_while_the_store_fails() -> None:
    store, clock = Flaky(), ManualClock()
    async with Lobby({"notes": DocumentParty}, store=store, clock=clock) as lobby, join(lobby) as ada:
        store.fails = True
        await ada.insert(0, "relayed")
        await ada.present('{"user":"ada"}', client=1)
        await clock.advance(1)
        async with join(lobby) as bob:
            assert str(bob.text) == "relayed"
            assert bob.people == {1: '{"user":"ada"}'}
            assert (await fetch(lobby, PATH + "/doc")).status == 200
        store.fails = False


async def test_a_client_that_waits_for_a_failing_store_hears_something_meanwhile() -> None:
    """``@y-sweet/client`` hangs up where it hears nothing for 3 s after it has asked."""
    store, clock = Flaky(), ManualClock()
    async with Lobby({"notes": Notes}, store=store, clock=clock) as lobby, join(lobby) as ada:
        store.fails = True
        await ada.insert(0, "precious")
        await clock.advance(1)
        while store.refused < 3:
            await ada.read()
        await ask(ada)
        assert [type(message) for message in ada.received] == [yjs.Awareness]
        store.fails = False


@pytest.mark.parametrize("hibernate", [False, True])
async def test_promise_10_a_room_stays_in_memory_until_what_it_has_is_on_disk(hibernate: bool) -> None:
    class Sleepy(Notes):
        pass

    Sleepy.hibernate = hibernate
    store, clock = Flaky(), ManualClock()
    async with Lobby({"notes": Sleepy}, store=store, clock=clock) as lobby:
        async with join(lobby) as ada:
            store.fails = True
            await ada.insert(0, "precious")
            await clock.advance(90)
            assert room_of(lobby).life.phase.value == "live"
            await ada.socket.send(yjs.awareness(present(1, 1, "{}")))
        await clock.advance(90)
        room = room_of(lobby)
        assert room.life.phase.value == "live"
        store.fails = False
        await room.storage.flush()
        await clock.advance(90)
        assert list(lobby.rooms()) == []
        async with join(lobby) as bob:
            assert str(bob.text) == "precious"


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["ballast", "rlimit"])
def test_promise_10_a_real_full_disk_loses_nothing_and_reads_go_on_and_freeing_it_is_enough(
    tmp_path: Path, limit: str
) -> None:
    run = [sys.executable, str(HERE / "full_disk.py"), str(tmp_path), limit]
    if limit == "ballast":  # a disk of 8 MiB of our own
        mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
        run = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(tmp_path), *run]
        probe = subprocess.run([*run[:8], str(tmp_path), "true"], capture_output=True, check=False)
        if probe.returncode:
            pytest.skip(f"no disk of our own can be had here: {probe.stderr.decode()}")
    ended = subprocess.run(run, capture_output=True, check=False, text=True, cwd=ROOT, env=None)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "acknowledged on a full disk": False,
        "a newcomer reads all of it": True,
        "read over HTTP": 200,
        "acknowledged afterwards": True,
        "failing afterwards": False,
        "all of it is on disk": True,
    }
    assert "could not write" in ended.stderr
