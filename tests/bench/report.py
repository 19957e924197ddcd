"""The tables that ``make bench`` prints, and the same as JSON."""

from __future__ import annotations

import platform
from typing import Any

from rich.console import Console
from rich.table import Table

from .compare import Comparison, Side
from .idle import COLD_TARGET, Cold, Memory
from .long import LOAD_TARGET, Long
from .rooms import MEMORY_TARGET, REVIVAL_TARGET, AtScale

__all__ = ["as_json", "show_at_scale", "show_cold", "show_comparisons", "show_long", "show_memory"]


def number(value: float | None, digits: int = 2) -> str:
    """``value`` for a cell."""
    return "-" if value is None else f"{value:,.{digits}f}"


def met(value: float | None, target: float | None) -> str:
    """Whether ``value`` is within ``target``, for a cell."""
    if value is None or target is None:
        return "-"
    return "[green]met[/]" if value <= target else "[red]not met[/]"


def _table(title: str, *headings: str) -> Table:
    """An empty table whose first column names the row."""
    table = Table("", title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def show_comparisons(console: Console, comparisons: list[Comparison]) -> None:
    """Processor time and latency, a row for each scenario."""
    if not comparisons:
        return
    costs = _table(
        "server CPU per delivered message (us, all threads; the median window)",
        *("ours", "theirs", "ratio", "target", "", "bare"),
    )
    latencies = _table("latency (ms)", "ours p50", "ours p99", "theirs p50", "theirs p99")
    for each in comparisons:
        ours, theirs = each.ours, each.theirs
        title = f"{each.scenario.title}\n  beside {theirs.name} {theirs.version}"
        target = each.scenario.target
        ratio = (number(each.ratio), number(target), met(each.ratio, target), number(each.floor))
        costs.add_row(title, number(ours.cost, 3), number(theirs.cost, 3), *ratio)
        latencies.add_row(
            each.scenario.title, *(number(side.latency(rank)) for side in (ours, theirs) for rank in (0.5, 0.99))
        )
    console.print(costs)
    if any(each.bare for each in comparisons):
        console.print("bare: the ratio of a server that only passes bytes on (tests/bench/bare.py)")
    console.print(latencies)
    for each in comparisons:
        for side in (each.ours, each.theirs, each.bare):
            if side is not None and side.failed:
                console.print(f"{each.scenario.name}: {side.name} was not measured: {side.failed}", markup=False)


def show_cold(console: Console, colds: list[Cold]) -> None:
    """Time to the first answer, a row for each kind of room."""
    title = "first HTTP answer of a room, on a fresh TCP connection (ms)"
    table = _table(title, "cold p50", "cold p99", "target", "", "warm p50", "warm p99")
    for each in colds:
        p99 = each.of_first(0.99)
        warm = (number(each.of_second(0.5)), number(each.of_second(0.99)))
        target = f"{COLD_TARGET:.0f}"
        table.add_row(each.party, number(each.of_first(0.5)), number(p99), target, met(p99, COLD_TARGET), *warm)
    console.print(table)
    for each in colds:
        if each.failed:
            console.print(f"cold {each.party}: not measured: {each.failed}", markup=False)


def show_memory(console: Console, memories: list[Memory]) -> None:
    """Resident memory, a row for each kind of thing."""
    table = _table("resident memory of one more (KiB)", "of", "each")
    for each in memories:
        kib = None if each.each is None else each.each / 1024
        table.add_row(f"{each.server}: idle {each.what}", f"{each.count:,}", number(kib, 1))
    console.print(table)
    for each in memories:
        if each.failed:
            console.print(f"memory of {each.server}: not measured: {each.failed}", markup=False)


def show_at_scale(console: Console, rooms: AtScale) -> None:
    """Rooms on demand: what one more costs, and how soon one answers that is on disk."""
    table = _table(f"{rooms.count:,} rooms on demand, made, evicted and revived while others talk", "", "target", "")
    p50, p99, target = rooms.revived_at(0.5), rooms.revived_at(0.99), MEMORY_TARGET / 1024
    each = rooms.bytes_each / 1024
    table.add_row("memory of one more idle room (KiB)", number(each, 1), number(target, 0), met(each, target))
    table.add_row(
        "first answer of one on disk, p99 (ms)", number(p99), number(REVIVAL_TARGET, 0), met(p99, REVIVAL_TARGET)
    )
    table.add_row("first answer of one on disk, p50 (ms)", number(p50), "", "")
    table.add_row("all made, each with its first write (s)", number(rooms.made, 1), "", "")
    console.print(table)
    if rooms.failed:
        console.print(f"rooms on demand: not measured: {rooms.failed}", markup=False)


def show_long(console: Console, document: Long) -> None:
    """A long document: how soon it is in memory."""
    table = _table(f"a document of {document.edits:,} edits", "", "target", "")
    table.add_row(
        "loaded from its snapshot (ms)", number(document.load), f"{LOAD_TARGET:.0f}", met(document.load, LOAD_TARGET)
    )
    table.add_row("its snapshot (KiB)", number(document.size / 1024, 0), "", "")
    console.print(table)


def as_json(
    comparisons: list[Comparison],
    colds: list[Cold],
    memories: list[Memory],
    rooms: AtScale | None = None,
    document: Long | None = None,
) -> dict[str, Any]:
    """Everything that the tables show, every round of it."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "scenarios": [
            {
                "name": each.scenario.name,
                "ratio": each.ratio,
                "target": each.scenario.target,
                "ours": _side(each.ours),
                "theirs": _side(each.theirs),
                "floor": each.floor,
            }
            for each in comparisons
        ],
        "cold": [
            {
                "party": each.party,
                "failed": each.failed,
                "target_ms": COLD_TARGET,
                "cold_ms": {"p50": each.of_first(0.5), "p99": each.of_first(0.99)},
                "warm_ms": {"p50": each.of_second(0.5), "p99": each.of_second(0.99)},
            }
            for each in colds
        ],
        "memory": [
            {"server": each.server, "what": each.what, "count": each.count, "bytes": each.each, "failed": each.failed}
            for each in memories
        ],
        "long": None
        if document is None
        else {
            "edits": document.edits,
            "bytes": document.size,
            "load_ms": document.load,
            "target_ms": LOAD_TARGET,
        },
        "rooms": None
        if rooms is None
        else {
            "count": rooms.count,
            "bytes_each": rooms.bytes_each,
            "target_bytes": MEMORY_TARGET,
            "made_s": rooms.made,
            "revived_ms": {"p50": rooms.revived_at(0.5), "p99": rooms.revived_at(0.99)},
            "target_ms": REVIVAL_TARGET,
            "failed": rooms.failed,
        },
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "server": side.name,
        "version": side.version,
        "failed": side.failed,
        "cpu_us": side.cost,
        "cpu_us_rounds": side.rounds,
        "deliveries": side.deliveries,
        "latency_ms": {"p50": side.latency(0.5), "p99": side.latency(0.99)},
    }
