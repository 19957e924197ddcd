"""``python -m tests.bench``: measure, print the tables. It says whether the targets are met and exits 0 anyway."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console

from .compare import compare
from .editing import DOCUMENTS
from .idle import Cold, Memory, cold, memory
from .load import QUICK, Size
from .long import Long, long
from .relays import GATEWAYS, RELAYS
from .report import as_json, show_at_scale, show_cold, show_comparisons, show_long, show_memory
from .rooms import AtScale, measured

SCENARIOS = {scenario.name: scenario for scenario in (*RELAYS, *GATEWAYS, *DOCUMENTS)}
NAMES = (*SCENARIOS, "cold", "memory", "scale", "long")


async def bench(names: list[str], size: Size, console: Console) -> dict[str, Any]:
    """Measure what ``names`` ask for, print it, and return it as JSON values."""
    started, busy = perf_counter(), os.getloadavg()[0]
    comparisons = []
    colds: list[Cold] = []
    memories: list[Memory] = []
    rooms: AtScale | None = None
    document: Long | None = None
    with console.status("") as status:
        for name in names:
            status.update(f"{name}, {perf_counter() - started:.0f} s so far")
            if name == "cold":
                colds = await cold(size)
            elif name == "memory":
                memories = await memory(size)
            elif name == "scale":
                rooms = await measured(size.rooms)
            elif name == "long":
                document = long(size.trace)
            else:
                comparisons.append(await compare(SCENARIOS[name], size))
    show_comparisons(console, comparisons)
    if colds:
        show_cold(console, colds)
    if memories:
        show_memory(console, memories)
    if rooms is not None:
        show_at_scale(console, rooms)
    if document is not None:
        show_long(console, document)
    console.print(
        f"{perf_counter() - started:.0f} s, {os.cpu_count()} processors, load average {busy:.1f} before the start: "
        "what else runs here makes every figure worse, and the ratios less certain"
    )
    return {"load_before": busy, "processors": os.cpu_count()} | as_json(comparisons, colds, memories, rooms, document)


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Any of: {', '.join(NAMES)}. May be repeated.")] = None,
    quick: Annotated[bool, typer.Option(help="One short round of each: for a first look.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Windows of each server in each scenario.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
) -> None:
    """What a delivered message costs, beside Node's ws and @y/websocket-server doing the same work."""
    if unknown := [name for name in only or () if name not in NAMES]:
        raise typer.BadParameter(f"no scenario {unknown[0]!r}: there are {', '.join(NAMES)}", param_hint="--only")
    if sys.platform != "linux":
        raise SystemExit("the bench reads processor time and memory from /proc, which only Linux has")
    size = QUICK if quick else Size()
    if rounds is not None:
        size = Size(**{**size.__dict__, "rounds": rounds})
    import uvloop

    found = uvloop.run(bench(only or list(NAMES), size, Console()))
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
