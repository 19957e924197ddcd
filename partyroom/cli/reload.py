"""``partyroom serve --reload``: wait until the code changes, then begin again as a new process."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["Watch", "start_again"]

log = logging.getLogger("partyroom.cli")

FIRST_LOOK = 300
"""Milliseconds after which the watch of the files has surely begun."""


class Watch:
    """Watches the folder of a target (the current one for a module). Make it before the target is loaded."""

    def __init__(self, target: str | None) -> None:
        self._file = Path(target.partition(":")[0] if target else "")
        self._folder = self._file.parent if self._file.parent.is_dir() else Path()
        self._loaded = self._modified()

    async def changed(self) -> None:
        """Wait until a Python file changes; the target itself may have while it was being loaded."""
        from watchfiles import PythonFilter, awatch

        # It tells of each file that it leaves alone, which in the folder of the log is that very log, without end.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        watch = awatch(self._folder, watch_filter=PythonFilter(), rust_timeout=FIRST_LOOK, yield_on_timeout=True)
        try:
            async for changes in watch:
                if changes or self._modified() != self._loaded:
                    return
        except OSError as error:  # too many files for the system's limits, for one
            log.error("cannot watch %s, so --reload does nothing: %s", self._folder.resolve(), error)
            await asyncio.Event().wait()

    def _modified(self) -> int:
        return self._file.stat().st_mtime_ns if self._file.is_file() else 0


def start_again(port: int) -> NoReturn:
    """Become a new process. On ``port``, to which clients will come back, also where it was given as 0."""
    sys.stdout.flush()
    arguments = [argument for argument in sys.argv[1:] if argument != "--open"]  # the page is open already
    os.execv(sys.executable, [sys.executable, "-m", "partyroom", *arguments, "--port", str(port)])
