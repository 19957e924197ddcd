"""progress: a loop that everybody in the room watches, from notebooks, terminals and programs.

The map ``progress`` of the document has one record for each loop, by its key: ``at``, ``total`` (or ``None``),
``text``, ``by``, ``color``, ``began`` and ``ended`` (seconds since the epoch; ``None`` while it runs) and ``failed``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Final, TypeVar

import traitlets

from .people import clean_color, clean_name
from .view import View, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["ProgressView", "watched"]

Item = TypeVar("Item")

PROGRESS: Final = "progress"
OFTEN: Final = 0.2
"""Seconds between two reports of one loop, however fast it runs."""
MOST: Final = 12
"""How many loops are shown and kept, the newest."""
_SOURCES = sources("progress")


class ProgressView(View):
    """The loops of everybody in the room."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    loops: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)

    def __init__(self, room: Room) -> None:
        self._records = room.client.map(PROGRESS)
        super().__init__(room, label="Progress")
        self.watch(self._records.on_change(lambda change: self._show()))
        self.watch(room.client.on_presence(lambda *clients: self._show()))
        self._show()

    def _show(self) -> None:
        here = {person.id for person in self._room.people}
        found = [(key, one) for key, one in self._records.items() if isinstance(one, dict)]
        loops = [_shown(key, one, here) for key, one in sorted(found, key=_begun, reverse=True)[:MOST]]
        if loops != self.loops:
            self.loops = loops


def watched(room: Room, iterable: Iterable[Item], text: str, total: int | None) -> Iterator[Item]:
    """The items of ``iterable``; how far it is, is told to all as they are taken."""
    records, key = room.client.map(PROGRESS), uuid.uuid4().hex[:12]
    if total is None:
        total = len(iterable) if isinstance(iterable, Sized) else None
    me = room.me
    record: dict[str, Any] = {"text": text or "Loop", "by": me.name, "color": me.color, "id": me.id, "total": total}
    record |= {"at": 0, "began": time.time(), "ended": None, "failed": False}
    for old, _ in sorted(((old, one) for old, one in records.items()), key=_begun)[: max(0, len(records) - MOST)]:
        records.pop(old, None)
    records[key] = record
    told, done = time.monotonic(), False
    try:
        for at, item in enumerate(iterable, 1):
            yield item
            record["at"] = at
            if time.monotonic() - told >= OFTEN:
                told = time.monotonic()
                records[key] = record
        done = True
    finally:
        records[key] = {**record, "ended": time.time(), "failed": not done}


def _begun(entry: tuple[str, Any]) -> float:
    return _number(entry[1].get("began")) if isinstance(entry[1], dict) else 0.0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 2**53 else 0.0


def _shown(key: str, record: dict[str, Any], here: set[str]) -> dict[str, Any]:
    """A record made fit to show; a loop that has not ended and whose person has gone is lost."""
    running = record.get("ended") is None
    total = record.get("total")
    return {
        "key": key,
        "text": clean_name(record.get("text")) or "Loop",
        "by": clean_name(record.get("by")) or "Someone",
        "color": clean_color(record.get("color")),
        "at": int(_number(record.get("at"))),
        "total": int(total) if isinstance(total, int) and 0 < total < 2**53 else None,
        "seconds": round(_number(record.get("ended")) - _number(record.get("began"))) if not running else None,
        "how": "failed"
        if record.get("failed")
        else "done"
        if not running
        else "running"
        if record.get("id") in here
        else "lost",
    }
