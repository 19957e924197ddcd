"""200,000 damaged and senseless updates, played to replicas in child processes: none dies, hangs or loses its way."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.protocols.engine import outcomes
from tests.unit.protocols.mutants import mutants


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(10))
def test_no_update_brings_the_engine_down(seed: int) -> None:
    scenes = [[*before, update] for before, update in mutants(seed, 20_000)]
    played = outcomes(scenes)
    kinds = Counter(outcome.split(":")[0] for outcome in played)
    unexpected = [
        (outcome, [update.hex() for update in scene])
        for outcome, scene in zip(played, scenes, strict=True)
        if outcome.split(":")[0] not in {"ok", "refused", "broken"} or "Panic" in outcome
    ]
    assert not unexpected
    assert kinds["ok"] > 5_000
