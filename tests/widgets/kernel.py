"""A real IPython kernel in a process of its own, as a notebook has one, and what it sends to its page."""

from __future__ import annotations

import os
import queue
import subprocess
import time
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.interop.server import ROOT

__all__ = ["Kernel"]


class Kernel:
    """``run`` cells in it. It is stopped by ``stop``."""

    def __init__(self, folder: Path, url: str) -> None:
        self.sent: list[dict[str, Any]] = []
        """The comm messages to the page, so far."""
        self._manager = KernelManager(transport="ipc", ip=str(folder / "kernel"))
        environ = {**os.environ, "PARTYROOM_URL": url, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'notebooks'}"}
        self._manager.start_kernel(env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels()

    def ready(self) -> None:
        """Wait until it runs cells."""
        self._client.wait_for_ready(timeout=30)

    def start(self, code: str) -> str:
        """Begin to run a cell; returns its id, for ``output``."""
        return str(self._client.execute(code, allow_stdin=False))

    def output(self, cell: str, timeout: float = 20) -> str:
        """What a cell printed, when it is done. Raises ``AssertionError`` with its traceback if it failed."""
        printed, ends = "", time.monotonic() + timeout
        while True:
            message = self._next(max(0.0, ends - time.monotonic()))
            if message["parent_header"].get("msg_id") != cell:
                continue
            match message["msg_type"], message["content"]:
                case "stream", content:
                    printed += content["text"]
                case "error", content:
                    raise AssertionError("\n".join(content["traceback"]))
                case "status", {"execution_state": "idle"}:
                    return printed.strip()

    def run(self, code: str, timeout: float = 20) -> str:
        """Run a cell and return what it printed."""
        return self.output(self.start(code), timeout)

    def sends(self, wanted: dict[str, Any], timeout: float = 10) -> None:
        """Wait until the page has been sent this state of some widget."""
        ends = time.monotonic() + timeout
        while not any(wanted.items() <= message["data"].get("state", {}).items() for message in self.sent):
            self._next(max(0.0, ends - time.monotonic()))

    def _next(self, timeout: float) -> dict[str, Any]:
        try:
            message: dict[str, Any] = self._client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            raise AssertionError("the kernel has not said what was expected") from None
        if message["msg_type"] == "comm_msg":
            self.sent.append(message["content"])
        return message

    def restart(self) -> None:
        """End it without a goodbye, and begin anew."""
        self._manager.restart_kernel(now=True)
        self.ready()

    def stop(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
