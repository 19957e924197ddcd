"""``partyroom serve`` as people start it: a child process, its first lines, its refusals, and its end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from partyroom.cli.readymade import PARTIES
from partyroom.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.slow

PARTY = """
from partyroom import Party

class Greeter(Party):
    def on_connect(self, connection):
        connection.send("{greeting}")
"""


class Child:
    """``partyroom serve`` with what it says."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[str] = []

    @classmethod
    @asynccontextmanager
    async def started(cls, *arguments: str, cwd: Path) -> AsyncIterator[Child]:
        """Started with ``--port 0`` unless ``arguments`` say otherwise; killed at the end if it is still there."""
        command = [sys.executable, "-m", "partyroom", "serve", "--port", "0", *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, cwd=cwd)
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def line(self, beginning: str) -> str:
        """The next line that begins so."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stdout.readline()).decode():
                self.said.append(line.rstrip())
                if line.startswith(beginning):
                    return line.rstrip()
        raise AssertionError(f"it ended and never said {beginning!r}: {self.said}")

    async def address(self) -> str:
        """Where it is open, as ``127.0.0.1:PORT``."""
        return (await self.line("partyroom is open at http://")).removeprefix("partyroom is open at http://")

    async def end(self, number: int | None = None, within: float = 20) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(within):
            rest, _ = await self.process.communicate()
        self.said += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_it_says_where_it_is_and_ends_at_a_signal_with_a_goodbye_to_all(tmp_path: Path, number: int) -> None:
    async with Child.started("--data", "kept here", cwd=tmp_path) as child:
        place = await child.address()
        await child.line("  terminal")
        host, port = place.split(":")
        assert (host, port) == ("127.0.0.1", str(int(port)))
        assert child.said == [
            f"partyroom is open at http://{place}",
            f"  parties     {', '.join(PARTIES)}",
            f"  data        {tmp_path / 'kept here' / 'partyroom.db'}",
            f'  documents   new WebsocketProvider("ws://{place}/parties/main", "welcome", doc)',
            f'  JavaScript  new PartySocket({{ host: "{place}", party: "chat", room: "welcome" }})',
            f'  Python      websockets.connect("ws://{place}/parties/chat/welcome")',
            f"  terminal    curl http://{place}/parties/chat/welcome",
        ]
        async with (
            aiohttp.request("GET", f"http://{place}/parties/main/welcome") as answer,
            connect(f"ws://{place}/parties/main/welcome") as editor,
            connect(f"ws://{place}/parties/chat/welcome") as talker,
        ):
            assert await answer.json() == {"people": 0, "present": 0}
            assert await child.end(number, within=3) == 0
            for client in editor, talker:
                await client.wait_closed()
                assert client.close_code == 1001
        assert child.said[-1] == "partyroom: stopping"


ENDLESS = """
import asyncio, time
from partyroom import Party, Response

class Busy(Party):
    def on_request(self, request):
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
        return Response("begun")
"""


async def test_work_that_goes_on_in_a_thread_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(ENDLESS)
    async with Child.started("busy.py", cwd=tmp_path) as child:
        place = await child.address()
        async with aiohttp.request("GET", f"http://{place}/parties/busy/any") as answer:
            assert await answer.text() == "begun"
        assert await child.end(signal.SIGTERM, within=10) == 0


async def test_work_that_goes_on_in_a_thread_does_not_keep_it_from_starting_again(tmp_path: Path) -> None:
    (file := tmp_path / "busy.py").write_text(ENDLESS)
    async with Child.started("busy.py", "--reload", cwd=tmp_path) as child:
        place = await child.address()
        async with aiohttp.request("GET", f"http://{place}/parties/busy/any") as answer:
            assert await answer.text() == "begun"
        file.write_text(ENDLESS.replace("begun", "again"))
        assert await child.address() == place
        async with aiohttp.request("GET", f"http://{place}/parties/busy/any") as answer:
            assert await answer.text() == "again"
        assert await child.end(signal.SIGTERM, within=10) == 0


async def test_a_taken_port_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with Child.started("--port", port, cwd=tmp_path) as child:
            assert await child.end() == 1
    assert child.said == [
        f"partyroom: port {port} is taken: stop what is using it, or give another with --port (0 takes a free one)"
    ]


async def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # a folder in it is out of the question for root too
    async with Child.started("--data", "file/data", cwd=tmp_path) as child:
        assert await child.end() == 1
    (line,) = child.said
    assert line.startswith(f"partyroom: cannot keep a store at {tmp_path}/file/data/partyroom.db")
    assert "--data" in line


async def test_a_folder_that_another_process_serves_is_refused_in_one_line(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "data" / "partyroom.db")
    assert list(await store.alarms()) == []  # it is open now
    async with Child.started("--data", "data", cwd=tmp_path) as child:
        assert await child.end() == 1
    await store.close()
    (line,) = child.said
    assert line.startswith(f"partyroom: {tmp_path}/data/partyroom.db is in use by process")
    assert "--data" in line


async def test_reload_starts_again_at_each_change_and_waits_while_the_file_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "greet.py"
    file.write_text(PARTY.format(greeting="hello"))
    async with Child.started("greet.py", "--reload", "--log-level", "debug", cwd=tmp_path) as child:
        place = await child.address()
        url = f"ws://{place}/parties/greeter/any"
        async with connect(url) as client:
            assert await client.recv() == "hello"
            (tmp_path / "no.program").touch()
            file.write_text(PARTY.format(greeting="welcome back"))
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1001
        assert await child.address() == place  # where its clients come back to
        async with connect(url) as client:
            assert await client.recv() == "welcome back"

            file.write_text("class Greeter(Party)\n")
            await child.line("partyroom: greet.py cannot be loaded: SyntaxError")
        file.write_text(PARTY.format(greeting="mended"))
        assert await child.address() == place
        async with connect(url) as client:
            assert await client.recv() == "mended"

        file.write_text("import nowhere\n")
        await child.line("partyroom: greet.py cannot be loaded: ModuleNotFoundError")
        assert await child.end(signal.SIGTERM, within=3) == 0
    assert not [line for line in child.said if " change" in line and not line.startswith("partyroom: ")]


async def test_a_lobby_of_ones_own_has_the_list_of_rooms_and_keeps_its_store(tmp_path: Path) -> None:
    source = PARTY.format(greeting="hello") + "\nfrom partyroom import Lobby\nlobby = Lobby({'own': Greeter})\n"
    (tmp_path / "mine.py").write_text(source)
    async with Child.started("mine.py:lobby", cwd=tmp_path) as child:
        place = await child.address()
        assert await child.line("  data") == "  data        a MemoryStore of its own"
        async with (
            connect(f"ws://{place}/parties/own/any"),
            aiohttp.request("GET", f"http://{place}/.partyroom/rooms") as answer,
        ):
            assert json.loads(await answer.text())["rooms"] == [{"party": "own", "room": "any", "people": 1}]
        assert await child.end(signal.SIGTERM, within=3) == 0


OWN = "from partyroom import Lobby, Party\nclass Room(Party): ...\nlobby = Lobby(Room)\n"


@pytest.mark.parametrize("option", ["--cors", "--origin=https://example.com"])
async def test_a_setting_that_a_lobby_of_ones_own_would_not_heed_is_refused(tmp_path: Path, option: str) -> None:
    (tmp_path / "own.py").write_text(OWN)
    async with Child.started("own.py", option, cwd=tmp_path) as child:
        line = await child.line("partyroom: own.py has a Lobby of its own")
        assert option.partition("=")[0] in line
        assert await child.process.wait() == 2


async def test_a_lobby_of_ones_own_on_loopback_answers_to_loopback_names_only(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    async with Child.started("own.py", cwd=tmp_path) as child:
        url = (await child.line("partyroom is open at")).rpartition(" ")[2]
        async with aiohttp.ClientSession() as session:
            async with session.get(url + "/parties/room/x", headers={"host": "rebound.example"}) as answer:
                assert answer.status == 403
            async with session.get(url + "/parties/room/x") as answer:
                assert answer.status == 404
