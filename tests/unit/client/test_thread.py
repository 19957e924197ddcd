"""The network thread at the edges of a process: its end, a fork, a server that hangs, a callback that does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.unit.client.beside import Beside, beside
from tests.unit.client.peers import bare, shake_hands

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.timeout(60), pytest.mark.slow]


PROGRAMS = {
    "ends": """
room, chat = partyroom.connect("today"), partyroom.connect("relay/x", document=False)
room.text("notes").insert(0, "the last words")
chat.send("bye")
room.on_change(print)
print("done")
""",
    "exits in the middle": """
import sys, threading
room = partyroom.connect("exits")
threading.Thread(target=list, args=[room], daemon=True).start()  # waits for messages
with room.batch():
    room.map("state")["x"] = 1
    sys.exit(0)
""",
    "has threads that still work": """
import threading
room = partyroom.connect("threads")
main = threading.main_thread()
def work():
    main.join()
    room.map("state")["from"] = "the other thread"
    room.saved(10)
    print(room.map("state")["from"])
threading.Thread(target=work).start()
""",
    "forks": """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
room = partyroom.connect("forked")
room.text("notes").insert(0, "parent ")
room.saved(10)
child = os.fork()
if child == 0:
    for use in (room.receive, room.saved, room.close, lambda: room.text("notes"), lambda: room.lock):
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
heard = threading.Event()
room.on_change(heard.set)
while str(room.text("notes")) != "parent child":
    heard.wait(0.05)
print("the parent goes on")
""",
    "has a callback that hangs": """
import threading
stuck = threading.Event()
def callback():
    stuck.set()
    threading.Event().wait()
room = partyroom.connect("hangs")
room.on_change(callback)
room.text("x").insert(0, "x")
stuck.wait()
""",
}
Running = dict[str, subprocess.Popen[str]]

HANGING = {
    "does not read": """
room = partyroom.connect("relay/x", document=False, close_timeout=3600)
room._socket.post(b"x" * 50_000_000)
""",
    "does not answer": """
room = partyroom.connect("relay/x", document=False, wait=0, connect_timeout=3600)
room.send("x")
""",
}


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shake hands, and then neither listen nor answer."""
    await shake_hands(reader, writer)
    await asyncio.get_running_loop().create_future()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing at all."""
    await asyncio.get_running_loop().create_future()


def program(code: str, url: str) -> subprocess.Popen[str]:
    """A program of its own, where a warning is an error."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"import partyroom\n{code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PARTYROOM_URL": url},
    )


def finished(running: subprocess.Popen[str]) -> tuple[str, str]:
    """What it said, when it ended by itself and well."""
    try:
        out, err = running.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise
    assert running.returncode == 0, err
    return out.strip(), err.strip()


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with beside() as server:
        yield server


@pytest.fixture(scope="module")
def running(server: Beside) -> Iterator[Running]:
    """All programs, started at once: what takes their time is to load."""
    stack = AsyncExitStack()
    hosts = [server.run(stack.enter_async_context(bare(talk))) for talk in (deaf, mute)]
    running = {name: program(code, server.url) for name, code in PROGRAMS.items()}
    running |= {name: program(code, host) for (name, code), host in zip(HANGING.items(), hosts, strict=True)}
    yield running
    for one in running.values():
        if one.poll() is None:
            one.kill()
        one.communicate()
    server.run(stack.aclose())


def test_a_program_that_ends_says_goodbye_and_nothing_else(server: Beside, running: Running) -> None:
    assert finished(running["ends"]) == ("done", "")
    read = 'print(str(partyroom.connect("today").text("notes")))'
    assert finished(program(read, server.url)) == ("the last words", "")


def test_a_program_that_exits_in_the_middle_ends_too(running: Running) -> None:
    assert finished(running["exits in the middle"]) == ("", "")


def test_threads_that_still_work_can_use_their_rooms(running: Running) -> None:
    """The program's main thread is done; another, which it waits for, is not."""
    assert finished(running["has threads that still work"]) == ("the other thread", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_connects_anew_and_the_parents_rooms_are_the_parents(running: Running) -> None:
    assert finished(running["forks"]) == ("the parent goes on", "")


@pytest.mark.parametrize("name", HANGING)
def test_a_server_that_hangs_keeps_no_program_from_ending(running: Running, name: str) -> None:
    out, err = finished(running[name])
    assert (out, "Traceback" in err) == ("", False)


def test_a_callback_that_hangs_keeps_no_program_from_ending(running: Running) -> None:
    out, err = finished(running["has a callback that hangs"])
    assert (out, "Traceback" in err, "busy with a callback" in err) == ("", False, True)


def test_everybody_has_gone(server: Beside, running: Running) -> None:
    for one in running.values():
        one.wait(40)
    server.run(server.until_empty())


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
