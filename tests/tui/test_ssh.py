"""Rooms over SSH, with OpenSSH's own client."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pty
import shutil
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fcntl import ioctl
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, run
from termios import TIOCSWINSZ
from time import perf_counter

import pytest
from partyroom_tui import ssh
from partyroom_tui.places import Place

from partyroom.client import DocumentClient
from tests.interop.server import Server
from tests.tui.apps import eventually

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client")


class Terminal:
    """Somebody's terminal with ``ssh`` in it: what was shown, and keys."""

    def __init__(self, handle: int, process: asyncio.subprocess.Process) -> None:
        self.handle = handle
        self.process = process
        self.shown = b""
        self.at: dict[bytes, float] = {}
        """When something was first shown that is waited for, by ``perf_counter``."""
        asyncio.get_running_loop().add_reader(handle, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.handle, 1 << 16)
        except OSError:  # the other end has gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.handle)
            return
        now = perf_counter()
        self.shown += data
        for text in self.at:
            if not self.at[text] and text in self.shown:
                self.at[text] = now

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.handle, keys.encode())

    async def see(self, text: str, timeout: float = 20) -> None:
        """Wait until something is shown."""
        try:
            await eventually(lambda: text.encode() in self.shown, timeout)
        except TimeoutError:
            raise AssertionError(f"{text!r} is not shown, but {self.shown[-3000:]!r}") from None


def key(folder: Path, name: str) -> Path:
    """A new key."""
    path = folder / f"key-{name}"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def command(port: int, user: str, *options: str) -> list[str]:
    """OpenSSH's client, without what this computer's user has configured."""
    quiet = [
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]
    return ["ssh", *options, *quiet, "-o", "IdentityAgent=none", "-p", str(port), "-l", user, "127.0.0.1"]


@asynccontextmanager
async def terminal(port: int, user: str, identity: Path, size: tuple[int, int] = (30, 110)) -> AsyncIterator[Terminal]:
    """A terminal in which ``ssh`` runs."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *command(port, user, "-tt", "-i", str(identity), "-o", "IdentitiesOnly=yes"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    shown = Terminal(ours, process)
    try:
        yield shown
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def doors(server: Server, folder: Path, room: str, most: int = 50) -> AsyncIterator[tuple[ssh.Doors, int]]:
    """Rooms over SSH on a free port, and which that is."""
    open_doors = ssh.Doors(Place(server.host, room), most=most)
    acceptor = await ssh.serve(open_doors, data=folder / "data", port=0)
    try:
        yield open_doors, acceptor.get_port()
    finally:
        acceptor.close()
        await acceptor.wait_closed()
        async with asyncio.timeout(20):
            await open_doors.close()


async def test_two_meet_over_ssh_and_their_terminals_are_left_as_they_were(
    server: Server, room: str, tmp_path: Path
) -> None:
    output = sys.stdout
    async with (
        doors(server, tmp_path, "elsewhere") as (open_doors, port),
        terminal(port, f"Ada+{room}", key(tmp_path, "a")) as ada,
        terminal(port, f"Bob+{room}", key(tmp_path, "b")) as bob,
        DocumentClient(server.host, room=room) as page,
    ):
        await ada.see("online")
        await bob.see("Ada")
        ada.press("zebra")
        await bob.see("zebra")
        await eventually(lambda: str(page.text("body")) == "zebra")
        ada.press("\x11")  # Ctrl+Q
        await asyncio.wait_for(ada.process.wait(), 20)
        assert b"\x1b[?1049l" in ada.shown
        await eventually(lambda: open_doors.here == 1)
    assert sys.stdout is output


async def _refused(port: int, options: list[str], wish: list[str]) -> str:
    """What ``ssh`` says where it is refused what it wants."""
    process = await asyncio.create_subprocess_exec(
        *command(port, "Eve+x", *options), *wish, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode, out
    return out.decode()


@pytest.mark.parametrize(
    ("options", "wish"),
    [
        (["-T"], []),  # no terminal
        (["-T"], ["id"]),
        (["-tt"], ["id"]),
        (["-s"], ["sftp"]),
        (["-W", "127.0.0.1:1"], []),
        (["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"], []),
    ],
)
async def test_there_is_nothing_behind_it_but_the_app(
    server: Server, room: str, tmp_path: Path, options: list[str], wish: list[str]
) -> None:
    identity = ["-i", str(key(tmp_path, "e")), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    async with doors(server, tmp_path, room) as (_, port):
        said = await _refused(port, [*identity, *options], wish)
        assert "uid=" not in said


async def test_a_key_is_needed_and_there_are_no_more_sessions_than_were_allowed(
    server: Server, room: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with doors(server, tmp_path, room, most=1) as (open_doors, port):
        said = await _refused(port, ["-o", "PubkeyAuthentication=no", "-o", "LogLevel=INFO"], [])
        assert "Permission denied (publickey" in said
        assert said.count("ssh-keygen -t ed25519") == 1  # and what to do
        await eventually(lambda: open_doors.here == 0)
        async with terminal(port, f"Ada+{room}", key(tmp_path, "a")) as ada:
            await ada.see("online")
            assert "denied" not in await _refused(port, ["-o", "BatchMode=yes"], [])
    mode = (tmp_path / "data" / "ssh_host_key").stat().st_mode & 0o777
    assert mode == 0o600


@pytest.mark.prove
@pytest.mark.timeout(180)
async def test_a_key_in_one_of_ten_sessions_is_seen_in_all_others(server: Server, room: str, tmp_path: Path) -> None:
    """Ten OpenSSH clients, one process with all of their apps; prints how long a key takes to another's terminal."""
    people = [f"P{number}" for number in range(10)]
    async with doors(server, tmp_path, room) as (_, port):
        open_terminals = [terminal(port, f"{name}+{room}", key(tmp_path, name)) for name in people]
        shown = [await one.__aenter__() for one in open_terminals]
        try:
            for one in shown:
                await one.see("online", 60)
                await one.see("P9", 60)
            await eventually(lambda: gc.get_freeze_count() > 0)
            times = []
            for number in range(50):
                typist, word = shown[number % 10], f"{chr(0x2800 + number)}"
                others = [one for one in shown if one is not typist]
                for one in others:
                    one.at = {word.encode(): 0.0}
                begin = perf_counter()
                typist.press(word)
                await eventually(lambda others=others: all(all(one.at.values()) for one in others), 30)  # type: ignore[misc]
                times += [at - begin for one in others for at in one.at.values()]
        finally:
            for terminal_ in open_terminals:
                await terminal_.__aexit__(None, None, None)
    times.sort()
    p50, p99 = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    load = os.getloadavg()[0]
    print(f"\na key in one of ten terminals, in another: p50 {p50:.0f} ms, p99 {p99:.0f} ms (load {load:.1f})")
    assert p50 < 500
