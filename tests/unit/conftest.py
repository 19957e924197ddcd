"""What a test here may do unless it is marked ``slow``: nothing that starts a process or a server."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

PROCESS: Final = {"subprocess.Popen", "os.fork", "os.posix_spawn"}
"""Events by which Python tells of a new process (its "Audit events table")."""

_started: list[str] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event in PROCESS or (event == "socket.bind" and args[0].family in (socket.AF_INET, socket.AF_INET6)):
        _started.append(event)


sys.addaudithook(_note)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What was started before, by tests elsewhere or by importing them, is not of this test; its fixtures are."""
    _started.clear()


@pytest.fixture(autouse=True)
def nothing_is_started(request: pytest.FixtureRequest) -> Iterator[None]:
    """Only what is marked ``slow`` starts processes or servers, so that ``make unit`` stays quick."""
    yield
    assert not _started or request.node.get_closest_marker("slow"), f"{_started}: mark this test as slow"
