"""A real Jupyter Server in a child process, with the extension as installing enables it, and folders of its own."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.interop.server import ROOT

TOKEN = "the-token-of-this-server"
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)(/\S*?)(?:\?|$)")
LAB = ("jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals")
"""What a usual installation has enabled."""


def others() -> set[str]:
    """Extensions that other packages have enabled in this environment; loading them takes seconds."""
    enabling = (Path(sys.prefix) / "etc/jupyter/jupyter_server_config.d").glob("*.json")
    enabled = [json.loads(path.read_text()).get("ServerApp", {}).get("jpserver_extensions", {}) for path in enabling]
    return {name for extensions in enabled for name in extensions} - {"partyroom_jupyter"}


class JupyterServer:
    """Starts and stops by hand.

    ``config`` is the text of a ``jupyter_server_config.py``, ``with_lab`` whether Lab and Notebook are loaded as well.
    """

    def __init__(
        self,
        folder: Path,
        config: str = "",
        *,
        token: str = TOKEN,
        base: str = "/",
        with_lab: bool = False,
        root: Path | None = None,
        environment: Mapping[str, str] = {},
        arguments: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.root = root or folder / "root"
        self.token = token
        self.base = base
        self.port = 0
        self._config = config
        self._with_lab = with_lab
        self._environment = environment
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log = folder / "log"

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, timeout: float = 40) -> None:
        """Start it and wait until it listens; raises ``AssertionError`` with its log if it does not."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._configure()
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += ["--port", str(self.port), f"--ServerApp.root_dir={self.root}", *self._arguments]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()
        try:
            self.port = int(self.said(ADDRESS, timeout)[1])
            self.said(re.compile(r"partyroom: "), timeout)  # which it says when it listens
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout: float = 50) -> float:
        """Ask it to stop, as a service manager would; it must go by itself. Returns how many seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {timeout} s after SIGTERM\n{self.log()}") from None
        return time.monotonic() - began

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    # -- what it says and where it is --------------------------------------------------------------------------------

    def said(self, pattern: re.Pattern[str], timeout: float = 20) -> re.Match[str]:
        """The next line of its log that has ``pattern``."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"it never said {pattern.pattern}\n{self.log()}")
            if found := pattern.search(line):
                return found

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, scheme: str = "http") -> str:
        """The URL of a path under its base."""
        return f"{scheme}://{self.host}{self.base}{path}"

    def environ(self) -> dict[str, str]:
        """The environment for it and for commands that are to see what it sees: nothing of this machine's user."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PARTYROOM"))}
        folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
        made = {f"JUPYTER_{name}_DIR": str(self.folder / folder) for name, folder in folders.items()}
        ours = {"HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}
        return {**kept, **made, **ours, **self._environment}

    def _configure(self) -> None:
        config = self.folder / "config"
        enabling = config / "jupyter_server_config.d"
        enabling.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "integrations/partyroom_jupyter.json", enabling)
        settings: dict[str, Any] = {
            "ServerApp": {
                "base_url": self.base,
                "jpserver_extensions": dict.fromkeys(others() - {*(LAB if self._with_lab else ())}, False),
            },
            "IdentityProvider": {"token": self.token},
        }
        (config / "jupyter_server_config.json").write_text(json.dumps(settings))
        (config / "jupyter_server_config.py").write_text(f"c = get_config()\n{self._config}")

    def _read(self, process: subprocess.Popen[str], said: queue.Queue[str | None]) -> None:
        """Keep its log flowing; ``None`` marks the end."""
        assert process.stderr is not None
        with process.stderr as lines, self._log.open("a") as log:
            for line in lines:
                log.write(line)
                log.flush()
                said.put(line)
        said.put(None)
