"""The servers under load: started as their users start them, watched from outside through Linux's /proc."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

__all__ = ["LAUNCHERS", "NODE_MODULES", "Server", "Unavailable", "start"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NODE_MODULES = "PARTYROOM_BENCH_NODE_MODULES"
"""The environment variable that names another ``node_modules`` to take Node's servers from."""
STARTUP = 20.0
LISTEN = "0A"  # the state column of /proc/net/tcp


class Unavailable(Exception):
    """A server could not be started; the text says why and what to do."""


@dataclass
class Server:
    """One running server process."""

    name: str
    version: str
    process: asyncio.subprocess.Process
    log: IO[bytes]
    stack: ExitStack
    port: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> int:
        """Nanoseconds of processor time that all threads of the server have used."""
        return sum(int(text.split()[0]) for text in self._each_thread("schedstat"))

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _each_thread(self, name: str) -> Iterator[str]:
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                yield (thread / name).read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread ended meanwhile

    def last_words(self) -> str:
        """What the server printed that tells most: its last error, or else its last line."""
        self.log.flush()
        lines = Path(self.log.name).read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "Error" in line]
        return (errors or lines or ["it printed nothing"])[-1]

    async def stop(self) -> None:
        """End the process, politely first, and remove its files."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self.stack.close()


@dataclass(frozen=True)
class Launch:
    """How to start a server: its command line, and what to call it."""

    name: str
    version: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def _partyroom(folder: Path) -> Launch:
    try:
        found = version("partyroom")
    except PackageNotFoundError:  # run from a checkout that is not installed
        found = "checkout"
    command = [sys.executable, "-m", "partyroom", "serve", str(HERE / "parties.py"), "--port", "0"]
    return Launch("partyroom", found, [*command, "--data", str(folder)])


def _ws(folder: Path) -> Launch:
    modules, found = _package("ws")
    return Launch("ws", found, ["node", str(HERE / "ws_relay.mjs"), str(modules.parent)])


def _y_websocket(folder: Path) -> Launch:
    modules, found = _package("@y/websocket-server")
    command = ["node", str(modules / "@y/websocket-server/src/server.js")]
    return Launch("y-websocket", found, command, {"HOST": "127.0.0.1", "PORT": "0"})


def _mounted(name: str) -> Callable[[Path], Launch]:
    return lambda folder: Launch(name, version(name), [sys.executable, "-m", "tests.bench.mounted", name])


def _bare(folder: Path) -> Launch:
    return Launch("bare", version("uvloop"), [sys.executable, "-m", "tests.bench.bare"])


LAUNCHERS: dict[str, Callable[[Path], Launch]] = {
    "bare": _bare,
    "partyroom": _partyroom,
    "tornado": _mounted("tornado"),
    "uvicorn": _mounted("uvicorn"),
    "ws": _ws,
    "y-websocket": _y_websocket,
}


def _package(name: str) -> tuple[Path, str]:
    """The ``node_modules`` that holds npm package ``name``, and the package's version."""
    places = [HERE / "node_modules"]
    if named := os.environ.get(NODE_MODULES):
        places.insert(0, Path(named))
    for place in places:
        manifest = place / name / "package.json"
        if manifest.exists():
            return place, str(json.loads(manifest.read_text())["version"])
    raise Unavailable(f"{name} is not in tests/bench/node_modules: npm ci --prefix tests/bench, or set {NODE_MODULES}")


async def start(name: str) -> Server:
    """Start ``name``, one of ``LAUNCHERS``, and wait until it listens; ``Unavailable`` if it does not."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partyroom-bench-")))
        launch = LAUNCHERS[name](folder / "data")
        log = stack.enter_context((folder / "log").open("wb"))
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.command, cwd=ROOT, env=os.environ | launch.environment, stdout=log, stderr=log
            )
        except FileNotFoundError as error:
            raise Unavailable(f"{launch.command[0]} is not installed") from error
        server = Server(launch.name, launch.version, process, log, stack.pop_all())
    try:
        server.port = await _listening(server)
    except BaseException:
        await server.stop()
        raise
    return server


async def _listening(server: Server) -> int:
    """The port that the server listens on, found from outside: not every server tells which one port 0 became."""
    for _ in range(int(STARTUP / 0.02)):
        if server.process.returncode is not None:
            raise Unavailable(f"{server.name} ended at once: {server.last_words()}")
        if port := _port(server.pid):
            return port
        await asyncio.sleep(0.02)
    raise Unavailable(f"{server.name} did not listen within {STARTUP:.0f} s: {server.last_words()}")


def _port(pid: int) -> int | None:
    """The TCP port that process ``pid`` listens on, if any (proc(5): /proc/PID/fd and /proc/PID/net/tcp)."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(os.readlink(link))
        except FileNotFoundError:
            continue
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == LISTEN and f"socket:[{columns[9]}]" in sockets:
            return int(columns[1].rpartition(":")[2], 16)
    return None
