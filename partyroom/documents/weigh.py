"""Weigh: whether a document loads in one go soon enough, found out in another process, whose time is nobody's.

The engine applies an update in one go and lets nobody else run meanwhile, so a server that tried it would stall with
all its rooms. Hardly any document is ever weighed: see ``protocols.replica``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import process_time
from typing import Any, Final

from pycrdt import Doc

from ..protocols.engine import IN_ONE_GO

__all__ = ["loads_soon"]

log = logging.getLogger("partyroom.documents")

OVERTIME: Final = 10.0
"""Seconds after which the process is ended: for what never ends, on however busy a machine."""
_SCALES: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="partyroom-weigh")
"""However many documents somebody makes to be weighed, they leave the machine to others."""


async def loads_soon(state: bytes) -> bool:
    """Whether the engine applies ``state`` to an empty document within ``IN_ONE_GO`` seconds of processor time."""
    return await asyncio.get_running_loop().run_in_executor(_SCALES, _weigh, state)


def _weigh(state: bytes) -> bool:
    command = [sys.executable, "-m", "partyroom.documents.weigh"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command, input=state, stderr=subprocess.DEVNULL, timeout=OVERTIME, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    except OSError as error:
        log.error("no process to weigh a document in: %s", error)
        return False
    return done.returncode == 0


def _main() -> int:
    """The other process."""
    state = sys.stdin.buffer.read()
    began = process_time()
    doc: Doc[Any] = Doc()
    doc.apply_update(state)
    return process_time() - began > IN_ONE_GO


if __name__ == "__main__":
    sys.exit(_main())
