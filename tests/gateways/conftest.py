"""Marks what a server cannot do: ``GatewaySuite.cannot`` and ``untried`` name the tests and the reasons."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            for reasons, run in ("cannot", True), ("untried", False):
                given = getattr(item.cls, reasons, {})
                if reason := given.get(item.name) or given.get(item.originalname):
                    item.add_marker(pytest.mark.xfail(strict=True, reason=reason, run=run))
