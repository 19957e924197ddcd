"""What we read from a document's bytes is what Yjs reads from them: random documents of several concurrent clients."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from partyroom.protocols.content import Kind, read
from tests.interop.node import HERE

KINDS: dict[str, Kind] = {"text": "text", "array": "array", "map": "map", "xmlfragment": "xml", "xmltext": "xml"}


def documents(seed: int, count: int) -> list[dict[str, Any]]:
    """What ``content.js`` writes."""
    command = ["node", "content.js", str(seed), str(count)]
    written = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, check=True, timeout=55).stdout
    return [json.loads(line, object_hook=_big) for line in written.splitlines()]


def _big(value: dict[str, Any]) -> Any:
    return int(value["$bigint"]) if "$bigint" in value else value


def compare(seed: int, count: int) -> None:
    for number, document in enumerate(documents(seed, count)):
        content = read(bytes.fromhex(document["update"]))
        where = f"document {number} of seed {seed}"
        assert not content.pending, where
        assert document["roots"].keys() == content.roots.keys(), where
        for name, expected in document["roots"].items():
            root = content.roots[name]
            assert root.json(KINDS[expected["type"]]) == expected["json"], f"{name} of {where}"
            if "delta" in expected:
                assert root.delta() == expected["delta"], f"{name} of {where}"


def test_random_documents_read_as_yjs_reads_them() -> None:
    compare(seed=1, count=200)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_more_random_documents_read_as_yjs_reads_them(seed: int) -> None:
    compare(seed, count=2_000)
