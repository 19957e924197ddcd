"""A client loads neither the server nor a notebook's packages, and quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SERVER = ["lobby", "room", "party", "connection", "storage", "documents", "gateways", "cli", "web", "cluster"]
FOREIGN = ["aiohttp", "pycrdt", "sqlite3", "uvloop", "typer", "rich", "tornado", "starlette", "jwt", "watchfiles"]
NOTEBOOK = ["IPython", "ipykernel", "ipywidgets", "anywidget", "jupyter_server", "traitlets", "partyroom_widgets"]

MEASURE = """
import json, sys, time
began = time.process_time()
import partyroom.client
taken = time.process_time() - began
print(json.dumps({"seconds": taken, "modules": sorted(sys.modules)}))
"""


def imported(code: str) -> dict[str, object]:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    report: dict[str, object] = json.loads(run.stdout)
    return report


def test_importing_the_client_loads_no_server_and_no_notebook() -> None:
    modules = imported(MEASURE)["modules"]
    assert isinstance(modules, list)
    unwanted = {f"partyroom.{part}" for part in SERVER} | {*FOREIGN, *NOTEBOOK}
    assert [name for name in modules if name in unwanted or name.startswith("partyroom.documents.")] == []


def test_a_client_that_has_connected_has_loaded_no_server_either() -> None:
    code = """
import asyncio, json, sys
from partyroom.client import PartySocket, Unreachable
async def main():
    async with PartySocket("127.0.0.1:1", room="r", close_timeout=0) as socket:
        try:
            await socket.fetch()
        except Unreachable:
            pass
asyncio.run(main())
print(json.dumps({"modules": sorted(sys.modules)}))
"""
    modules = imported(code)["modules"]
    assert isinstance(modules, list)
    assert "aiohttp" in modules
    assert {f"partyroom.{part}" for part in SERVER} & set(modules) == set()


def test_importing_the_client_takes_less_than_150_ms(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the processor's time, which other programs do not lengthen; the best of a few."""
    best = min(float(str(imported(MEASURE)["seconds"])) for _ in range(5))
    with capsys.disabled():
        print(f"\nimport partyroom.client: {best * 1000:.0f} ms")
    assert best < 0.150
