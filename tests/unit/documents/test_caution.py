"""What kills the process kills it once: real processes that die, and are started again as a supervisor would."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from partyroom import DocumentParty, Lobby
from partyroom.documents.trial import Outcome, Trial, TrialFailed
from partyroom.http import Address
from partyroom.stores.sqlite import SQLiteStore
from partyroom.testing import fetch
from tests.unit.documents.test_lineage import document as typed

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent / "mortal"
ENGINE = HERE / "engine"
KILLED = -9


def start(path: Path, *texts: str, mortal: bool = True) -> subprocess.Popen[str]:
    """Start a server and let its clients send texts; ``mortal`` servers die of some of them."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(path), *texts],
        env={**os.environ, "PYTHONPATH": str(ENGINE) if mortal else ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(path: Path, *texts: str, mortal: bool = True) -> dict[str, Any]:
    """Run a server to its end; what it tells, or by which signal it died."""
    with start(path, *texts, mortal=mortal) as server:
        out, err = server.communicate(timeout=30)
    return {"died": server.returncode} if server.returncode else {**json.loads(out), "log": err}


def in_flight(path: Path) -> bytes:
    note = path.with_name(path.name + ".in-flight")
    return note.read_bytes() if note.exists() else b""


def keys(path: Path) -> list[str]:
    async def load() -> list[str]:
        store = SQLiteStore(path)
        try:
            return [key for key, _ in await store.load(Address("notes", "today"))]
        finally:
            await store.close()

    return asyncio.run(load())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.db"


class TestAnUpdateThatKills:
    def test_kills_once_and_whoever_sends_it_again_is_closed_and_the_others_go_on(self, path: Path) -> None:
        assert run(path, "before", "DEADLY") == {"died": KILLED}
        again = run(path, "DEADLY", "!", "after")
        assert again["codes"] == [1008, None]
        assert again["text"] in ("beforeafter", "afterbefore")
        assert again["careful"]
        (first, second) = again["quarantined"]
        assert first[0] == "somebody, whose server died"
        assert first[1] == second[1] == "it kills the process that applies it"
        assert b"DEADLY" in bytes.fromhex(first[2])
        assert second[0].endswith("(from here)")

    @pytest.mark.prove
    def test_is_tried_first_for_a_day_whatever_it_comes_with_and_however_often_the_room_starts(
        self, path: Path
    ) -> None:
        assert run(path, "DEADLY") == {"died": KILLED}
        for _ in range(2):
            again = run(path, "fine", "! - !", "more", "also-DEADLY")
            assert again["codes"] == [None, 1008]
            assert "more" in again["text"]

    def test_that_goes_on_for_ever_is_ended_by_the_supervisor_once(self, path: Path) -> None:
        with start(path, "before", "ENDLESS") as server:
            while b"ENDLESS" not in in_flight(path):
                assert server.poll() is None
            server.kill()
            server.communicate()
        again = run(path, "ENDLESS", "!", "after")
        assert again["codes"] == [1008, None]
        assert again["text"] in ("beforeafter", "afterbefore")

    def test_a_process_killed_by_something_else_leaves_no_care_behind(self, path: Path) -> None:
        assert run(path, "harmless-DEADLY", mortal=True) == {"died": KILLED}
        again = run(path, "harmless", mortal=False)  # with an engine that bears it
        assert (again["codes"], again["careful"], again["quarantined"]) == ([None], False, [])
        assert "ended in the middle of update" in again["log"]
        assert "ended in the middle" not in run(path, "harmless", mortal=False)["log"]


class TestAStoredUpdateThatKills:
    def test_kills_once_and_the_document_is_there_without_it(self, path: Path) -> None:
        assert run(path, "one", "DEADLY", "two", mortal=False)["codes"] == [None]
        assert run(path, "three") == {"died": KILLED}
        again = run(path, "three")
        assert again["codes"] == [None]
        assert all(word in again["text"] for word in ("one", "two", "three"))
        assert [[who, why] for who, why, _ in again["quarantined"]] == [
            ["the log", "it kills the process that applies it"]
        ]
        assert "document/update/000000000001" not in keys(path)
        assert run(path, "four")["codes"] == [None]

    def test_that_breaks_the_engine_is_found_without_a_death(self, path: Path) -> None:
        assert run(path, "one", "PANIC", "two", mortal=False)["codes"] == [None]
        found = run(path, "three")
        assert found["codes"] == [None]
        assert all(word in found["text"] for word in ("one", "two", "three"))
        assert [[who, why] for who, why, _ in found["quarantined"]] == [["the log", "it breaks the engine"]]
        assert not found["careful"]

    @pytest.mark.prove
    def test_a_snapshot_that_kills_does_so_once_and_is_kept_as_it_is(self, path: Path) -> None:
        words = [f"w{number}" for number in range(30)]
        assert run(path, *words, "DEADLY", mortal=False)["codes"] == [None]
        stored = keys(path)
        assert "document/snapshot" in stored
        assert run(path, "more") == {"died": KILLED}
        for _ in range(2):
            assert run(path, "more")["codes"] == "the room did not start"
        assert set(stored) <= set(keys(path))
        assert "DEADLY" in run(path, mortal=False)["text"]

    async def test_is_not_loaded_without_a_trial_at_the_second_visit_either(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert run(path, *map(str, range(30)), mortal=False)["codes"] == [None]
        store = SQLiteStore(path)
        await store.open()
        assert store.in_flight is not None
        store.in_flight.of(Address("notes", "today"), "loading").began()
        await store.close()

        async def dies(trial: Trial, snapshot: bytes | None = None) -> Outcome:
            return Outcome.DIED

        monkeypatch.setattr(Trial, "begin", dies)
        for _ in range(2):  # processes, of which the second finds no note
            async with Lobby({"notes": DocumentParty}, store=SQLiteStore(path)) as lobby:
                for _ in range(2):
                    assert (await fetch(lobby, "/parties/notes/today/doc.txt")).status == 500


class TestTheChildProcess:
    async def test_dies_of_what_it_tries_and_goes_on_with_what_was_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(ENGINE)
        trial = Trial()
        try:
            assert await trial.begin(typed("snapshot")) is Outcome.APPLIED
            trial.knows(typed("edited here"))
            outcomes = [await trial.apply(typed(text)) for text in ("a", "DEADLY", "b", "PANIC", "c")]
            assert [one.name for one in outcomes] == ["APPLIED", "DIED", "APPLIED", "BROKE", "APPLIED"]
            assert await trial.apply(b"\xff") is Outcome.REFUSED
        finally:
            trial.close()

    async def test_that_cannot_start_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
        with pytest.raises(TrialFailed):
            await Trial().apply(b"\x00\x00")
        monkeypatch.setattr(sys, "executable", "/bin/true")
        with pytest.raises(TrialFailed):
            await Trial().apply(b"\x00\x00")

    async def test_that_is_interrupted_is_not_asked_the_next_question(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(ENGINE)
        monkeypatch.setattr("partyroom.documents.trial.SECONDS", 600)
        trial = Trial()
        try:
            await trial.begin()
            asking = asyncio.create_task(trial.apply(typed("ENDLESS")))
            await asyncio.wait([asking], timeout=0.1)
            asking.cancel()
            await asyncio.wait([asking])
            assert await trial.apply(typed("fine")) is Outcome.APPLIED
        finally:
            trial.close()
