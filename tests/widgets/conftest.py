"""Fixtures of the tests of shared widgets: a server beside, and people who join its rooms."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.client.beside import Beside, beside

if TYPE_CHECKING:
    from partyroom_widgets import Room

NEEDED = ("ipywidgets", "anywidget", "nbclient", "altair", "ipympl", "plotly")
MISSING = next((name for name in NEEDED if importlib.util.find_spec(name) is None), "")

collect_ignore_glob = ["test_*.py"] if MISSING and os.environ.get("CI") != "true" else []


def pytest_report_header() -> str | None:
    """Say why there are no such tests (in continuous integration they fail instead)."""
    return f"tests/widgets left out: needs {MISSING} (`make test` installs it)" if MISSING else None


Join = Callable[..., "Room"]


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with beside() as server:
        yield server


@pytest.fixture
def join(server: Beside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    """Somebody joins a room of this test, by a short name of it; all have left at the end."""
    from partyroom_widgets.joining import open_room

    monkeypatch.setenv("PARTYROOM_URL", server.url)
    mine = uuid.uuid4().hex[:8]
    joined: list[Any] = []

    def join(name: str, room: str = "lesson", **options: Any) -> Room:
        room = room if "://" in room else f"{mine}-{room}"
        joined.append(open_room(room, name=name, **options))
        return joined[-1]  # type: ignore[no-any-return]

    yield join
    while joined:
        joined.pop().close()
