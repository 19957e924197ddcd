"""Two apps in which anything at all is done: what they show is what is shared. ``tests/prove`` runs this for longer."""

from __future__ import annotations

import pytest

from tests.tui.fuzz import fuzz


@pytest.mark.parametrize("seed", range(3))
async def test_two_apps_in_which_anything_is_done_show_what_is_shared(seed: int) -> None:
    await fuzz(seed, steps=60)
