"""Thirty sliders dragged by five people at once: a short sample of ``tests/prove/test_widgets_dragging.py``."""

from __future__ import annotations

import pytest

from .dragging import bound, drag


def test_all_have_the_same_after_everybody_has_dragged_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = drag(1.0, monkeypatch)
    assert figures.moves > 500
    assert figures.messages < bound(figures), figures
