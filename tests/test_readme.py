"""The README does what it says: its Python blocks run, and its tables are what the code and its tests say."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pycrdt import Text

from partyroom import DocumentParty, Limits, Lobby, Refused
from partyroom.cli import config
from partyroom.cli.readymade import PARTIES
from partyroom.client import DocumentClient
from partyroom.gateways.aiohttp import lifespan, routes
from partyroom.protocols import hocuspocus
from partyroom.testing import ManualClock, fetch, visit
from tests.interop import table

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Loads the one Python block that contains a text, as a module, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def load(text: str, name: str = "readme") -> ModuleType:
        (source,) = [source for source in BLOCKS if text in source]
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, "README.md", "exec", dont_inherit=True), vars(module))
        return module

    return load


def test_the_table_of_settings_is_what_serve_takes() -> None:
    rows = [line.split("|")[1:4] for line in README.split("<!-- settings:")[1].split("\n\n")[0].splitlines()[3:]]
    written = {key.strip(" `[]"): (flag.strip(" `"), variable.strip(" `")) for key, flag, variable in rows}
    flags = {"target": "the argument", "parties": "--party", "crons": "--cron", "limits": "--limit", "vars": "--var"}
    keys = (*config.SCALARS, *config.LISTS, *config.TABLES)
    assert written == {key: (flags.get(key, f"--{key}"), config.variable(key)) for key in keys}


def test_every_python_block_compiles() -> None:
    assert len(BLOCKS) >= 4
    for source in BLOCKS:
        compile(source, "README.md", "exec")


async def test_the_chat_keeps_its_lines_and_counts_its_people(block: Any) -> None:
    async with Lobby(block("class Chat(Party)")) as lobby:
        async with visit(lobby, "/parties/chat/lobby") as alice, visit(lobby, "/parties/chat/lobby") as bob:
            assert (await alice.receive(), await bob.receive()) == ("[]", "[]")
            await alice.send("hello")
            assert await bob.receive() == "hello"
            assert (await fetch(lobby, "/parties/chat/lobby")).body == b'{"here":2}'
        async with visit(lobby, "/parties/chat/lobby") as carol:
            assert await carol.receive() == '["hello"]'


@pytest.mark.parametrize("message", [b"bytes", "x" * 200_000, "\0" * 1000])
async def test_the_chat_bears_whatever_anybody_sends(block: Any, message: str | bytes) -> None:
    async with (
        Lobby(block("class Chat(Party)")) as lobby,
        visit(lobby, "/parties/chat/lobby") as alice,
        visit(lobby, "/parties/chat/lobby") as bob,
    ):
        await bob.receive()
        for _ in range(100):
            await alice.send(message)
            await bob.receive()
        await alice.send("hello")
        assert await bob.receive() == "hello"
        async with visit(lobby, "/parties/chat/lobby") as carol:
            assert len(json.loads(await carol.receive())) == 100


async def test_the_notes_refuse_strangers_and_greet_friends(block: Any) -> None:
    async with block("async def on_before_connect").lobby as lobby, asyncio.timeout(5):
        with pytest.raises(Refused, match="who are you"):
            async with visit(lobby, "/parties/notes/today"):
                pass
        async with visit(lobby, "/parties/notes/today?token=secret") as friend:
            (room,) = lobby.rooms()
            await room.alarm()
            while b"good morning" not in await friend.receive():
                pass


async def test_the_hub_opens_the_notes_to_hocuspocus(block: Any) -> None:
    block("async def on_before_connect", "notes")
    today = hocuspocus.address("today")
    async with block("class Hub(HocuspocusParty)").lobby as lobby, visit(lobby, "/parties/hub/any") as socket:
        await socket.send(today + hocuspocus.token("guess", "4.8.0"))
        assert await socket.receive() == today + hocuspocus.permission_denied("who are you?")
        await socket.send(today + hocuspocus.token("secret", "4.8.0"))
        assert await socket.receive() == today + hocuspocus.authenticated(write=True)


async def test_the_private_notes_open_to_tokens(block: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "a secret of at least thirty-two bytes")
    private = block("class Notes(DocumentParty):\n    on_before_connect = token")
    signed = private.token.sign({"sub": "ada", "rooms": ["today", "team-7/*"], "write": True}, seconds=3600)
    async with private.lobby as lobby:
        for path in "/parties/notes/today", "/parties/notes/team-7%2Fplan":
            async with visit(lobby, f"{path}?token={signed}") as ada:
                assert ada.connection is not None
                assert ada.connection.request.user["sub"] == "ada"
                assert private.token.can_write(ada.connection)
        with pytest.raises(Refused, match="403"):
            async with visit(lobby, f"/parties/notes/tomorrow?token={signed}"):
                pass
        with pytest.raises(Refused, match="401"):
            async with visit(lobby, "/parties/notes/today"):
                pass
        assert (await fetch(lobby, "/parties/notes/today/doc")).status == 401


async def test_the_board_answers_what_its_curl_commands_show(block: Any) -> None:
    console = re.search(r"^<!-- curl.*?^```console\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert console is not None
    lobby = Lobby(block("class Board(DocumentParty)").Board)
    app = web.Application()
    app.add_routes(routes(lobby))
    app.cleanup_ctx.append(lifespan(lobby))
    async with served(app) as client:
        for shown in console[1].split("$ curl ")[1:]:
            command, _, answer = shown.partition("'\n" if "-d '" in shown else "\n")
            said, _, body = command.partition(" -d '")
            url = re.search(r"http://127.0.0.1:1999(\S+)", said)
            assert url is not None
            method = "PATCH" if "-X PATCH" in said else "GET"
            headers = dict(re.findall(r"-H '(.*?): (.*?)'", said))
            async with client.request(method, url[1], headers=headers, data=body.encode()) as response:
                assert (response.status, (await response.text()).strip()) == (204 if body else 200, answer.strip())


async def test_the_minutes_go_back_to_a_version_and_undo(block: Any) -> None:
    today = "/parties/minutes/today"
    async with (
        Lobby({"minutes": block("class Minutes(DocumentParty)").Minutes}) as lobby,
        visit(lobby, f"{today}?_pk=ada") as ada,
        asyncio.timeout(10),
    ):
        (room,) = lobby.rooms()
        assert isinstance(room.life.party, DocumentParty)
        body = room.life.party.doc.get("body", type=Text)
        body += "agreed"
        await ada.send("save draft")
        body += " and spoiled"
        (draft,) = json.loads((await fetch(lobby, f"{today}/versions")).body)
        assert (draft["name"], draft["saved_by"]["who"]) == ("draft", "client:ada")
        await ada.send(f"restore {draft['id']}")
        assert (await fetch(lobby, f"{today}/doc.txt")).text() == "agreed"
        await ada.send("undo")
        assert (await fetch(lobby, f"{today}/doc.txt")).text() == "agreed and spoiled"


async def test_the_docs_give_out_tokens_as_y_sweets_server_does(block: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a secret of at least thirty-two bytes"
    monkeypatch.setenv("SECRET", secret)
    async with block("class Docs(YSweetParty)").lobby as lobby:
        answer = await fetch(lobby, "/doc/today/auth", "POST", headers={"authorization": f"Bearer {secret}"})
        given = json.loads(answer.body)
        async with visit(lobby, f"{given['url']}/today?token={given['token']}") as ada:
            assert ada.connection is not None


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_the_ready_parties_do_what_their_comments_say(block: Any) -> None:
    async with Lobby(block("class News(PubSub)")) as lobby:
        async with visit(lobby, "/parties/news/today?topics=weather:*") as reader:
            for topic in ("staff:lunch", "weather:rome"):
                await reader.send(json.dumps({"topic": topic, "data": "sun"}))
            assert json.loads(await reader.receive()) == {"topic": "weather:rome", "data": "sun"}
        async with visit(lobby, "/parties/sums/any") as caller:
            action = {"type": "divide", "args": [6, 2]}
            await caller.send(json.dumps({"rpc": True, "channel": "", "id": "1", "action": action}))
            assert json.loads(await caller.receive())["result"] == 3
        callback = {"type": "room", "party": "news", "room": "today"}
        await lobby.parties["later"]["main"].call("schedule", delay=60, callback=callback)


async def test_the_tasks_are_written_in_python(block: Any) -> None:
    lobby = Lobby(PARTIES)
    app = web.Application()
    app.add_routes(routes(lobby))
    app.cleanup_ctx.append(lifespan(lobby))
    async with served(app) as client, asyncio.timeout(10):
        assert client.port is not None
        for _ in range(2):
            await block("# tasks.py").main(f"127.0.0.1:{client.port}")
        async with DocumentClient(f"127.0.0.1:{client.port}", room="today") as room:
            await room.synced()
            assert room.map("state") == {"visits": 2}
            assert room.array("rows") == [{"task": "write", "done": False}] * 2
            assert room.text("notes") == "typed in Python 🎉\n" * 2


async def test_the_test_that_it_shows_passes(block: Any) -> None:
    test = block("test_a_message_comes_back").test_a_message_comes_back
    assert inspect.iscoroutinefunction(test)
    await test()


async def test_an_egg_takes_four_minutes_as_it_shows(block: Any) -> None:
    egg = block("test_an_egg_takes_four_minutes")
    clock = ManualClock()
    async with Lobby(egg.Egg, clock=clock) as lobby:
        await egg.test_an_egg_takes_four_minutes(lobby, clock)


def test_the_table_of_limits_names_each_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\w,.]+(?: [KM]iB| s\b)?)", README, re.MULTILINE))
    assert {field.name for field in fields(Limits)} <= rows.keys()
    for field in fields(Limits):
        assert rows[field.name] == spelled(field.name, field.default), field.name


def test_the_table_of_clients_has_every_family_and_claims_only_what_a_test_shows() -> None:
    modules = [import_module(f"tests.interop.{path.stem}") for path in table.HERE.glob("test_*.py")]
    tests = [one for module in modules for name, one in vars(module).items() if name.startswith("test_")]
    proofs = {proof for test in tests for proof in table.proofs_of_function(test)}
    rows = table.read()
    assert list(rows) == [table.label(family) for family in table.FAMILIES]
    for family in table.FAMILIES:
        for claim, title in table.CLAIMS.items():
            shown = "yes" if table.Proof(family, claim) in proofs else ""
            assert rows[table.label(family)][title] == shown, (
                f"{family}: {title} (PARTYROOM_TABLE=1 pytest tests/interop)"
            )


def test_what_the_table_for_partykit_says_yes_to_a_test_shows() -> None:
    (table,) = re.findall(r"<!-- partykit: .*?-->\n(.*?)<!-- /partykit -->", README, re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    assert len(rows) > 40
    for partykit, here, shown in rows:
        assert re.match(r"(yes|different, because|no, because it is a Cloudflare product|no: )", here), partykit
        proof = re.fullmatch(r"\[([\w ]+)\]\((tests/[\w/]+\.py)\)", shown.strip("| "))
        if proof is None:
            assert here.startswith("no"), f"{partykit}: no test shows it"
            continue
        source = (Path(__file__).parent.parent / proof[2]).read_text()
        assert re.search(rf"def test_\w*{proof[1].replace(' ', '_')}", source), f"{partykit}: {shown}"


def spelled(name: str, value: Any) -> str:
    """A default as the table writes it."""
    if name in ("idle", "doze", "handshake", "start", "close", "rate_window", "sql_time"):
        return f"{value:g} s"
    if name in ("message", "body", "buffer", "bytes_per_second", "state", "key", "value", "sql"):
        return f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"
    return f"{value:,}"
