"""The admin party: what its verbs answer, and to whom."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from partyroom import Connection, Cron, DocumentParty, Lobby, Party, Request, Response
from partyroom.cli.admin import NAME, PATH, admin
from partyroom.lobby import Admission
from partyroom.testing import fetch, visit

SECRET = "a secret of the data folder"
KEY = {"authorization": f"Bearer {SECRET}"}


class Notes(Party):
    """Keeps the last word."""

    async def on_start(self) -> None:
        self.word = await self.room.storage.get("word")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.room.storage.put({"word": str(message), "raw": b"\x00\xff"})
        self.room.set_alarm(2_000_000_000)

    def on_request(self, request: Request) -> Response:
        return Response.json(self.word)


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Notes}) as lobby:
        lobby.party_classes[NAME] = admin(lobby, SECRET)
        yield lobby


async def ask(lobby: Lobby, verb: str, method: str = "GET", body: bytes = b"") -> Response:
    return await fetch(lobby, f"{PATH}/{verb}", method, headers=KEY, body=body)


async def asked(lobby: Lobby, verb: str) -> Any:
    response = await ask(lobby, verb)
    assert response.status == 200, response.text()
    return json.loads(response.body)


async def keep(lobby: Lobby, room: str, word: str) -> None:
    async with visit(lobby, f"/parties/notes/{quote(room, safe='')}") as client:
        await client.send(word)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}, {"authorization": f"Basic {SECRET}"},
     {"authorization": "Bearer \udcff\udcfe"}],
)  # fmt: skip
async def test_who_does_not_know_the_secret_finds_nothing(lobby: Lobby, headers: dict[str, str]) -> None:
    for verb in ("rooms", "metrics", "room?party=notes&room=a"):
        assert (await fetch(lobby, f"{PATH}/{verb}", headers=headers)).status == 404
    refused = await lobby.admit(Request.build(PATH, headers=headers))
    assert not isinstance(refused, Admission)
    assert refused.status == 404
    assert (await fetch(lobby, f"/parties/{NAME}/another/rooms", headers=KEY)).status == 404


async def test_the_secret_is_not_taken_from_an_address(lobby: Lobby) -> None:
    assert (await fetch(lobby, f"{PATH}/rooms?token={quote(SECRET)}")).status == 404


async def test_no_secret_is_nobodys(lobby: Lobby) -> None:
    lobby.party_classes[NAME] = admin(lobby, "")
    for headers in ({}, {"authorization": "Bearer "}):
        assert (await fetch(lobby, f"{PATH}/rooms", headers=headers)).status == 404


async def test_a_room_that_others_steer_is_no_way_in(lobby: Lobby) -> None:
    assert (await lobby.parties[NAME]["admin"].fetch("rooms")).status == 404
    assert (await lobby.parties[NAME]["admin"].fetch("rooms", headers=KEY)).status == 200


async def test_rooms_are_listed_live_and_stored(lobby: Lobby) -> None:
    await keep(lobby, "b", "word")
    async with visit(lobby, "/parties/notes/a"):
        listed = await asked(lobby, "rooms")
    assert [(room["party"], room["room"], room["live"], room["people"]) for room in listed] == [
        ("notes", "a", True, 1),
        ("notes", "b", True, 0),
    ]
    assert [room["stored"] for room in listed] == [False, True]
    assert await asked(lobby, "rooms?party=other") == []


async def test_a_room_is_inspected(lobby: Lobby) -> None:
    async with visit(lobby, "/parties/notes/a?_pk=ada", user={"sub": "ada"}) as ada:
        await ada.send("word")
        told = await asked(lobby, "room?party=notes&room=a")
        while told["stored_keys"] < 2:  # the write is on its way
            told = await asked(lobby, "room?party=notes&room=a")
    assert told["connections"] == [{"id": "ada", "tags": [], "remote": None, "user": {"sub": "ada"}}]
    assert told["keys"] == [{"key": "raw", "bytes": 3}, {"key": "word", "bytes": 7}]
    assert told["alarm"] == 2_000_000_000
    assert (await ask(lobby, "room?party=notes&room=none")).status == 404
    assert (await ask(lobby, "room?party=notes")).status == 400


async def test_a_room_is_deleted(lobby: Lobby) -> None:
    await keep(lobby, "a", "word")
    assert (await ask(lobby, "room?party=notes&room=a", "DELETE")).status == 200
    assert await asked(lobby, "rooms") == []
    assert (await fetch(lobby, "/parties/notes/a")).text() == "null"
    assert (await ask(lobby, "room?party=notes&room=none", "DELETE")).status == 404


async def test_what_was_dumped_is_restored_into_another_server_exactly(lobby: Lobby) -> None:
    word = 'line\n, "quote", \u2028, emoji 🎉'
    await keep(lobby, "a/b c", word)
    dumped = (await ask(lobby, "dump?party=notes&room=a/b c")).body
    assert len(dumped.decode().splitlines(keepends=False)) >= 3
    async with Lobby({"notes": Notes}) as other:
        other.party_classes[NAME] = admin(other, SECRET)
        assert (await ask(other, "restore", "POST", dumped)).status == 200
        assert json.loads((await fetch(other, "/parties/notes/a%2Fb%20c")).body) == word
        assert (await ask(other, "dump?party=notes&room=a/b c")).body == dumped

        refused = await ask(other, "restore", "POST", dumped)
        assert refused.status == 409
        assert "--replace" in refused.text()
        assert (await ask(other, "restore?replace=1", "POST", dumped)).status == 200


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", '{"party": "notes"}', '{"party": "notes", "room": 1, "key": "k", "json": 1}',
     '{"party": "notes", "room": "a", "key": "k", "base64": "%"}', '{"party": "notes", "room": "a", "alarm": "soon"}'],
)  # fmt: skip
async def test_what_is_no_dump_is_refused_by_its_line_and_nothing_is_written(lobby: Lobby, line: str) -> None:
    good = '{"party": "notes", "room": "good", "key": "word", "json": "x"}'
    response = await ask(lobby, "restore", "POST", f"{good}\n{line}\n".encode())
    assert response.status == 400
    assert "line 2" in response.text()
    assert await asked(lobby, "rooms") == []


async def test_a_replaced_document_has_another_history() -> None:
    async with Lobby({"doc": DocumentParty}) as lobby:
        lobby.party_classes[NAME] = admin(lobby, SECRET)
        lines = '{"party": "doc", "room": "a", "key": "document/lineage", "json": "first"}\n'
        assert (await ask(lobby, "restore", "POST", lines.encode())).status == 200
        assert "lineage" in (await ask(lobby, "dump?party=doc&room=a")).text()
        more = lines + '{"party": "doc", "room": "a", "key": "other", "json": 1}\n'
        assert (await ask(lobby, "restore?replace=1", "POST", more.encode())).status == 200
        assert '"first"' not in (await ask(lobby, "dump?party=doc&room=a")).text()


async def test_metrics_count_rooms_and_connections(lobby: Lobby) -> None:
    async with visit(lobby, "/parties/notes/a"), visit(lobby, "/parties/notes/b"):
        text = (await ask(lobby, "metrics")).text()
    metrics = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert metrics["partyroom_connections", ("party", "notes")] == 2
    assert metrics["partyroom_rooms", ("party", "notes"), ("phase", "live")] == 2
    assert metrics["process_cpu_seconds_total",] > 0


async def test_who_follows_the_log_hears_from_its_level_up_and_no_traceback(lobby: Lobby) -> None:
    logger = logging.getLogger("partyroom.test")
    before = logging.getLogger("partyroom").level
    async with visit(lobby, f"{PATH}?level=debug", headers=KEY) as one:
        async with visit(lobby, f"{PATH}?level=error", headers=KEY) as other:
            logger.debug("notes/a: detail")
            try:
                raise RuntimeError("broken")
            except RuntimeError:
                await asyncio.to_thread(logger.error, "notes/a: %s failed", "on_alarm", exc_info=sys.exc_info())
            said = json.loads(await other.receive())
            assert (said["level"], said["message"]) == ("error", "notes/a: on_alarm failed")
            assert said["error"] == "RuntimeError: broken"
            assert "Traceback" not in json.dumps(said)
        heard = [json.loads(await one.receive())["message"]]
        while heard[-1] != "notes/a: on_alarm failed":
            heard.append(json.loads(await one.receive())["message"])
        assert "notes/a: detail" in heard
    await (await lobby.room(next(room.address for room in lobby.rooms() if room.party == NAME))).stop()
    assert logging.getLogger("partyroom").level == before


async def test_refusals_of_the_lobby_reach_who_asked(lobby: Lobby) -> None:
    response = await ask(lobby, f"dump?party=notes&room={'x' * 600}")
    assert response.status == 400
    assert "room id" in response.text()


class Nightly(Party):
    @classmethod
    def on_cron(cls, cron: Cron) -> None:
        raise ValueError("no moon tonight")


async def test_a_cron_that_fails_is_told_from_one_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    async with Lobby({"nightly": Nightly}, crons={"moon": "0 0 * * *"}) as lobby:
        lobby.party_classes[NAME] = admin(lobby, SECRET)
        failed, unknown = [await ask(lobby, f"cron?name={name}", "POST") for name in ("moon", "sun")]
    assert (failed.status, failed.text()) == (500, "moon failed: ValueError: no moon tonight\n")
    assert (unknown.status, unknown.text()) == (404, "there is no cron 'sun' here, only moon\n")
    assert any(record.exc_info for record in caplog.records)
