"""Fifty pairs of terminal apps in which two hundred things are done: what they show is what is shared, at each step."""

from __future__ import annotations

import pytest

from tests.tui.fuzz import fuzz

pytestmark = pytest.mark.prove


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(50))
async def test_two_apps_in_which_anything_is_done_show_what_is_shared(seed: int) -> None:
    await fuzz(seed, steps=200)
