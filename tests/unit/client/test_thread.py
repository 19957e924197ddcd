"""The network thread at the edges of a process: its end, a fork, a server that hangs, a callback that does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.beside import Beside, beside
from tests.unit.client.peers import bare, shake_hands

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with beside() as server:
        yield server


def program(code: str, url: str) -> subprocess.Popen[str]:
    """A program of its own, which may not say anything on its standard error."""
    environment = {**os.environ, "PARTYROOM_URL": url}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"import partyroom\n{code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def finished(running: subprocess.Popen[str], seconds: float = 30) -> tuple[str, str]:
    """What it said, when it ended by itself and well."""
    try:
        out, err = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise
    assert running.returncode == 0, err
    return out.strip(), err.strip()


def test_a_program_that_ends_says_goodbye_and_nothing_else(server: Beside) -> None:
    code = """
room, chat = partyroom.connect("today"), partyroom.connect("relay/x", document=False)
room.text("notes").insert(0, "the last words")
chat.send("bye")
room.on_change(print)
print("done")
"""
    assert finished(program(code, server.url)) == ("done", "")
    server.run(server.until_empty())
    read = 'print(str(partyroom.connect("today").text("notes")))'
    assert finished(program(read, server.url)) == ("the last words", "")


def test_a_program_that_fails_or_exits_in_the_middle_ends_too(server: Beside) -> None:
    code = """
import sys, threading
room = partyroom.connect("today")
threading.Thread(target=list, args=[room], daemon=True).start()  # waits for messages
with room.batch():
    room.map("state")["x"] = 1
    sys.exit(0)
"""
    assert finished(program(code, server.url)) == ("", "")
    server.run(server.until_empty())


def test_threads_that_still_work_can_use_their_rooms(server: Beside) -> None:
    """The program's main thread is done; another, which it waits for, is not."""
    code = """
import threading
room = partyroom.connect("today")
main = threading.main_thread()
def work():
    main.join()
    room.map("state")["from"] = "the other thread"
    room.saved(10)
    print(room.map("state")["from"])
threading.Thread(target=work).start()
"""
    assert finished(program(code, server.url)) == ("the other thread", "")


def test_what_was_edited_offline_is_in_the_file_when_the_program_ends(tmp_path: Path) -> None:
    code = f"""
room = partyroom.connect("today", server="http://127.0.0.1:1", keep={str(tmp_path / "notes.db")!r}, wait=0)
room.array("rows").append(len(room.array("rows")))
print(list(room.array("rows")))
import logging; logging.disable()
"""
    said = [finished(program(code, "")) for _ in range(2)]
    assert [out for out, _ in said] == ["[0]", "[0, 1]"]
    assert "Traceback" not in "".join(err for _, err in said)


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shake hands, and then neither listen nor answer."""
    await shake_hands(reader, writer)
    await asyncio.get_running_loop().create_future()


async def test_neither_a_server_that_hangs_nor_a_callback_that_does_keeps_a_program_from_ending() -> None:
    hanging_server = """
room = partyroom.connect("relay/x", document=False, close_timeout=3600)
room.send(b"x" * 50_000_000)
"""
    hanging_callback = """
import threading
stuck = threading.Event()
def callback():
    stuck.set()
    threading.Event().wait()
room = partyroom.connect("today", wait=0)
room.on_change(callback)
room.text("x").insert(0, "x")
stuck.wait()
"""
    hanging_handshake = """
room = partyroom.connect("relay/x", document=False, wait=0, connect_timeout=3600)
room.send("x")
"""
    async with bare(deaf) as host, bare(mute) as nobody:
        programs = [(hanging_server, host), (hanging_callback, host), (hanging_handshake, nobody)]
        running = [program(code.replace("send(b", "_socket.post(b"), url) for code, url in programs]
        ended = await asyncio.gather(*[asyncio.to_thread(finished, one) for one in running])
    assert [out for out, _ in ended] == [""] * 3
    assert "Traceback" not in "".join(err for _, err in ended)
    assert "busy with a callback" in ended[1][1]


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing at all."""
    await asyncio.get_running_loop().create_future()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_connects_anew_and_the_parents_rooms_are_the_parents(server: Beside) -> None:
    code = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
room = partyroom.connect("forked")
room.text("notes").insert(0, "parent ")
room.saved(10)
child = os.fork()
if child == 0:
    for use in (room.receive, room.saved, room.close):
        try:
            use()
        except RuntimeError as error:
            assert "forked" in str(error), error
        else:
            sys.exit("it was used")
    with partyroom.connect("forked") as mine:
        mine.text("notes").append("child")
        mine.saved(10)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
room.synced(10)
heard = __import__("threading").Event()
room.on_change(heard.set)
while str(room.text("notes")) != "parent child":
    heard.wait(0.05)
print("the parent goes on")
"""
    assert finished(program(code, server.url)) == ("the parent goes on", "")
