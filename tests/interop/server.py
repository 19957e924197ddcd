"""The server under test: ``partyroom serve`` in a child process, on a free port, with a data folder of its own.

Also used by tests/e2e and tests/prove.
"""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
URL = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Server:
    """Starts and stops by hand, so that tests can restart it; the port stays the same over restarts.

    ``target`` is a file, by default one beside this; ``None`` serves what ``partyroom serve`` does without a target.
    """

    def __init__(self, data: Path, target: str | None = "parties.py", options: Sequence[str] = ()) -> None:
        self.data = data
        self.target = target
        self.options = options
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._log = data.with_suffix(".log")

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, as the clients take it."""
        return f"127.0.0.1:{self.port}"

    def start(self, timeout: float = 20) -> None:
        """Start it and wait until it listens; raises ``AssertionError`` with its log if it does not."""
        command = [sys.executable, "-m", "partyroom", "serve", "--port", str(self.port), "--data", str(self.data)]
        command += self.options
        if self.target is not None:
            command.append(str(HERE / self.target))
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(self._process, lines), daemon=True).start()
        try:
            self.port = self._address(lines, time.monotonic() + timeout)
            assert self.port in self._listening(), f"port {self.port} is not held by process {self._process.pid}"
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout: float = 20) -> None:
        """Ask it to stop, as a service manager would, and wait; it must go by itself and cleanly."""
        assert self._process is not None
        self._process.terminate()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {timeout} s after SIGTERM\n{self.log()}") from None
        assert code in (0, -15, 143), f"ended with {code}\n{self.log()}"

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Stop it cleanly and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def log(self) -> str:
        """What it has written to its standard error so far."""
        return self._log.read_text()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def _listening(self) -> set[int]:
        assert self._process is not None
        sockets = psutil.Process(self._process.pid).net_connections(kind="tcp")
        return {socket.laddr.port for socket in sockets if socket.status == psutil.CONN_LISTEN}

    def _address(self, lines: queue.Queue[str | None], deadline: float) -> int:
        said: list[str] = []
        while True:
            try:
                line = lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no address from the server, only {said}\n{self.log()}")
            said.append(line)
            if found := URL.search(line):
                return int(found[1])


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Keep its standard output flowing; ``None`` marks the end."""
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            lines.put(line)
    lines.put(None)


def readme_chat(folder: Path) -> Path:
    """The README's ``chat.py``, written into ``folder``."""
    (source,) = re.findall(
        r"^```python\n(# chat\.py.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    path = folder / "chat.py"
    path.write_text(source)
    return path
