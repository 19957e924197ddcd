"""The example notebooks of our own widgets, each run from beginning to end in a kernel of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat

import partyroom
from partyroom.client import DocumentRoom

from .test_examples import SECRET, pytestmark, read, room_server, run, shown

__all__ = ["pytestmark", "room_server"]

NAMES = ("poll", "pair_editing", "shared_dataframe")


async def test_they_run_and_programs_have_what_is_in_them(tmp_path: Path) -> None:
    notebooks = {name: read(f"{name}.ipynb") for name in NAMES}
    await asyncio.gather(*(run(notebook, tmp_path) for notebook in notebooks.values()))
    rooms: dict[str, DocumentRoom] = {}
    for name, room in zip(NAMES, ("classroom", "pair-editing", "shared-dataframe"), strict=True):
        rooms[name] = await asyncio.to_thread(partyroom.connect, room)
    assert [*rooms["poll"].map("poll.Which of these is a prime number?").values()] == ["59"]
    assert "def mean(values)" in rooms["pair_editing"].text("mean.py")
    assert rooms["shared_dataframe"].map("table.cities.cells") == {"0:1": 720_000}
    for joined in rooms.values():
        await asyncio.to_thread(joined.close)
    saved = str([nbformat.writes(notebook) for notebook in notebooks.values()])  # type: ignore[no-untyped-call]
    assert SECRET not in saved
    assert all(state.get("status") == "synced" for state in shown(notebooks["poll"]) if "notice" in state)
    assert len(saved) < 400_000  # the editor is not saved with a notebook
