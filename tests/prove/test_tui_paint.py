"""What a key costs in the terminal's editor until it is painted."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from tests.bench.tui import LINES, code, cost, shared

BUDGET = 3.0
"""Of what an ``Input`` takes."""


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("lines", LINES)
async def test_a_key_in_a_python_file_takes_at_most_three_times_what_an_input_takes(lines: int) -> None:
    plain, ours = await cost(Input()), await shared(code(lines), python=True, wrap=False)
    assert ours.median <= BUDGET * plain.median, f"{ours.median:.1f} ms beside {plain.median:.1f}"
