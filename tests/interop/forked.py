"""ForkedServer: a ``Server`` that is there in a few hundredths of a second, for tests that start a thousand."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.server import HERE, ROOT, URL

__all__ = ["ForkedServer"]


class ForkedServer:
    """Starts and stops by hand, like ``Server``; a process that has imported everything forks it (``zygote.py``)."""

    def __init__(self, data: Path, target: str) -> None:
        self.data = data
        self.port = 0
        self._target = str(HERE / target)
        self._log = data.with_suffix(".log")
        self._pid: int | None = None
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._zygote: subprocess.Popen[str] | None = None

    @contextmanager
    def ready(self) -> Iterator[ForkedServer]:
        """Have the process that forks, as long as the block lasts."""
        command = [sys.executable, str(HERE / "zygote.py"), str(self._log)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=environment) as self._zygote:
            reading = threading.Thread(target=self._read, daemon=True)
            reading.start()
            try:
                yield self
            finally:
                if self.running:
                    self.kill()
                assert self._zygote.stdin is not None
                self._zygote.stdin.close()
                reading.join()

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it was started and has not been seen to end."""
        return self._pid is not None

    def start(self, timeout: float = 20) -> None:
        """Start it and wait until it listens."""
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        arguments = ["serve", "--port", str(self.port), "--data", str(self.data), self._target]
        self._zygote.stdin.write(json.dumps(arguments) + "\n")
        self._zygote.stdin.flush()
        self._pid = self._until("born", timeout)["pid"]
        while not (found := URL.search(self._until("said", timeout)["text"])):
            pass
        self.port = int(found[1])

    def terminate(self) -> None:
        """Ask it to stop, and do not wait."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)  # it is no zombie: the process that forked it waits until we have read this
        self._until("died", 20)
        self._pid = None

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self.terminate()
        code = self._until("died", 20)["code"]
        self._pid = None
        assert code in (0, -15, 143), f"ended with {code}\n{self.log()}"

    def log(self) -> str:
        """What it has written to its standard error so far."""
        return self._log.read_text() if self._log.exists() else ""

    def _until(self, event: str, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = self._events.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} from the server in {timeout} s\n{self.log()}") from None
            if found["event"] == event:
                return found
            assert found["event"] != "died", f"it ended by itself: {found}\n{self.log()}"

    def _read(self) -> None:
        assert self._zygote is not None
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            self._events.put(json.loads(line))
