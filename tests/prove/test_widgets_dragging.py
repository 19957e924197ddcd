"""Thirty sliders dragged by five people at once for twenty seconds: all have the same then, by few messages."""

from __future__ import annotations

import pytest

from tests.widgets.dragging import bound, drag

pytestmark = [pytest.mark.prove, pytest.mark.timeout(120)]


def test_twenty_seconds_of_dragging(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = drag(20.0, monkeypatch)
    print(figures)
    assert figures.moves > 5000
    assert figures.messages < bound(figures), figures
