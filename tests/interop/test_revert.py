"""Going back to an earlier state, as real Yjs sees it: random documents, formatted, nested, and cut up by several."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from partyroom.documents.reconcile import restoring
from partyroom.documents.weave import merge
from tests.interop.node import HERE
from tests.interop.test_content import documents

SERVER = 2**31 + 1, 0
EMPTY: tuple[Any, ...] = ("", [], {})


def as_yjs_reads(states: list[str]) -> list[dict[str, Any]]:
    """What real Yjs makes of documents, each some updates in hexadecimal."""
    command = ["node", "content.js", "0", "-"]
    lines = "".join(f"{state}\n" for state in states).encode()
    read = subprocess.run(command, input=lines, cwd=HERE, stdout=subprocess.PIPE, check=True, timeout=55).stdout
    return [json.loads(line)["roots"] for line in read.splitlines()]


def check(seed: int, count: int) -> None:
    made = documents(seed, count)
    states = []
    for document in made:
        then, now = (merge([bytes.fromhex(document[state])]) for state in ("then", "update"))  # as a room has them
        reverted = restoring(then, now, SERVER)
        states += [document["then"], document["update"] + (f" {reverted.update.hex()}" if reverted else "")]
    read = as_yjs_reads(states)
    for number, (wanted, got) in enumerate(zip(read[::2], read[1::2], strict=True)):
        for name in wanted.keys() | got.keys():
            expected, found = wanted.get(name), got.get(name)
            if expected is None or found is None:
                assert (expected or found or {})["json"] in EMPTY, f"{name} of document {number} of seed {seed}"
            else:
                assert found == expected, f"{name} of document {number} of seed {seed}"


def test_what_is_restored_is_what_yjs_read_then() -> None:
    check(seed=100, count=150)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(101, 111))
def test_what_is_restored_is_what_yjs_read_then_in_many_more_documents(seed: int) -> None:
    check(seed, count=1_500)
