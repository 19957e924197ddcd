"""Somebody else's document server in a child process (``foreign_server.js``), started and stopped as ours is."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from tests.interop.server import HERE, URL


class ForeignServer:
    """``family`` is ``y-websocket`` or ``hocuspocus``. The port stays the same over restarts; what it knew does not."""

    def __init__(self, log: Path, family: str) -> None:
        self.family = family
        self.port = 0
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, as the clients take it."""
        return f"127.0.0.1:{self.port}"

    def start(self, timeout: float = 20) -> None:
        """Start it and wait until it listens; raises ``AssertionError`` with its log if it does not."""
        command = ["node", str(HERE / "foreign_server.js"), self.family, str(self.port)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        too_late = threading.Timer(timeout, self._process.kill)
        too_late.start()
        with self._process.stdout as out:
            said = out.readline()
        too_late.cancel()
        found = URL.match(said)
        if found is None:
            self.kill()
            raise AssertionError(f"no address from {self.family}, only {said!r}\n{self.log()}")
        self.port = int(found[1])

    def kill(self) -> None:
        """End it as a power cut would; these servers have no other end worth waiting for."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    stop = kill

    def log(self) -> str:
        """What it has written to its standard error so far."""
        return self._log.read_text()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None
