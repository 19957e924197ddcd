"""The bench of the terminal's editor runs; its budget is for an idle machine, and in tests/prove."""

from __future__ import annotations

from textual.widgets import Input

from tests.bench.tui import code, cost, shared, stock


async def test_a_key_is_measured_in_all_three() -> None:
    text = code(200)
    assert text.count("\n") == 200
    costs = [await cost(Input(), keys=3), await stock(text, python=True, wrap=False, keys=3)]
    costs.append(await shared(text, python=True, wrap=False, keys=3))
    assert all(0 < found.median <= found.slow for found in costs)
