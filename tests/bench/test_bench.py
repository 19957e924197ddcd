"""The bench runs, and counts what it says it counts; the figures themselves are for people."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from .load import QUICK
from .relays import BURST, RECEIVERS

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.interop
@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads processor time from /proc")
async def test_a_quick_scenario_delivers_every_message_and_reports_it(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    command = ["-m", "tests.bench", "--quick", "--only", "fanout-burst", "--json", str(found)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, output.decode()
    (scenario,) = json.loads(found.read_text())["scenarios"]
    assert scenario["ours"]["failed"] is None
    assert scenario["ours"]["deliveries"] == QUICK.rounds * QUICK.bursts * BURST * RECEIVERS
    assert scenario["ours"]["cpu_us"] > 0
    assert b"fan-out to 100, bursts of 200" in output
