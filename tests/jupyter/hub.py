"""A real JupyterHub in a child process: its proxy, users who start servers, and a room server as its service."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from tests.interop.server import ROOT
from tests.jupyter.server import others

ADMIN = "the-token-of-an-administrator"
PROXY = Path(__file__).parent / "node_modules/.bin/configurable-http-proxy"

CONFIG = """
import os, sys
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = ["node", {command!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"ada", "bob", "eve"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {folder!r} + "/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{"JUPYTER_CONFIG_DIR": {folder!r} + "/config"}}
c.JupyterHub.services = [
    {{"name": "administrator", "api_token": {admin!r}}},
    {{
        "name": "rooms",
        "url": "http://127.0.0.1:{rooms}",
        "command": [sys.executable, "-m", "partyroom", "serve", "rooms.py", "--port", "{rooms}"],
        "cwd": {folder!r},
    }},
]
c.JupyterHub.load_roles = [
    {{"name": "administrators", "services": ["administrator"], "scopes": ["admin:users", "admin:servers", "tokens"]}},
    {{"name": "friends", "users": ["bob"], "scopes": ["access:servers!user=ada"]}},
    {{"name": "writers", "users": ["ada"], "scopes": ["custom:rooms:write"]}},
    {{"name": "user", "scopes": ["self", "access:services!service=rooms"]}},
    {{
        "name": "server",
        "scopes": [
            "users:activity!user", "access:servers!server", "access:services!service=rooms", "custom:rooms:write"
        ],
    }},
]
c.JupyterHub.custom_scopes = {{"custom:rooms:write": {{"description": "write in rooms"}}}}
"""


class Hub:
    """Starts and stops by hand; ``rooms`` is the text of the ``rooms.py`` that its service serves."""

    def __init__(self, folder: Path, rooms: str, parties: str) -> None:
        self.folder = folder
        self.port = 0
        self._rooms = rooms
        self._parties = parties
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log = folder / "hub.log"

    def start(self, timeout: float = 60) -> None:
        """Start it and wait until it is reachable; raises ``AssertionError`` with its log if it is not."""
        public, hub, proxy, rooms = _free_ports(4)
        self._write(public=public, hub=hub, proxy=proxy, rooms=rooms)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PARTYROOM"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
            cwd=self.folder,
            env={**kept, "CONFIGPROXY_AUTH_TOKEN": "only-for-this-test", "HOME": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self.port = public
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.stop()
                raise AssertionError(f"the Hub did not start\n{self.log()}")
            if re.search(r"JupyterHub is now running", line):
                return

    def stop(self) -> None:
        """Ask it to stop, with its proxy, its service and the servers of its users."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the Hub did not stop\n{self.log()}") from None

    def log(self) -> str:
        """What it and all that it has started have written so far."""
        return self._log.read_text()

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT`` of the proxy, where users come."""
        return f"127.0.0.1:{self.port}"

    def _write(self, **ports: int) -> None:
        config = self.folder / "config"
        (config / "jupyter_server_config.d").mkdir(parents=True)
        shutil.copy(ROOT / "integrations/partyroom_jupyter.json", config / "jupyter_server_config.d")
        off = {"ServerApp": {"jpserver_extensions": dict.fromkeys(others(), False)}}
        (config / "jupyter_server_config.json").write_text(json.dumps(off))
        (self.folder / "my_parties.py").write_text(self._parties)
        (config / "jupyter_server_config.py").write_text(
            f"c = get_config()\nc.PartyroomExtension.target = {str(self.folder / 'my_parties.py')!r}\n"
        )
        (self.folder / "rooms.py").write_text(self._rooms)
        text = CONFIG.format(command=str(PROXY), folder=str(self.folder), admin=ADMIN, **ports)
        (self.folder / "jupyterhub_config.py").write_text(text)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines, self._log.open("a") as log:
            for line in lines:
                log.write(line)
                log.flush()
                self._lines.put(line)
        self._lines.put(None)


def _free_ports(count: int) -> list[int]:
    """Ports that are free now: neither the Hub nor its proxy can be asked which one they took."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
