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
    return [json.loads(line, object_hook=_rounded, parse_int=_number) for line in read.splitlines()]


def _rounded(value: dict[str, Any]) -> Any:
    """The engine keeps a BigInt that is a round number as a number."""
    return float(value["$bigint"]) if "$bigint" in value else value


def _number(digits: str) -> float:
    return float(digits) if abs(int(digits)) > 2**53 else int(digits)


def check(seed: int, count: int) -> None:
    """Yjs takes formats out that are of no use where it finds them, and tells the server: begin after that."""
    made = documents(seed, count)
    before = as_yjs_reads([document["then"] for document in made])
    after = as_yjs_reads([f"{document['then']} {document['update']}" for document in made])
    after = as_yjs_reads([f"{then['state']} {now['state']}" for then, now in zip(before, after, strict=True)])
    restored = []
    for then, now in zip(before, after, strict=True):
        old = merge([bytes.fromhex(then["state"])])
        reverted = restoring(old, merge([old, bytes.fromhex(now["state"])]), SERVER)
        restored.append(f"{then['state']} {now['state']}" + (f" {reverted.update.hex()}" if reverted else ""))
    for number, (then, found) in enumerate(zip(before, as_yjs_reads(restored), strict=True)):
        for name in then["roots"].keys() | found["roots"].keys():
            wanted, got = then["roots"].get(name), found["roots"].get(name)
            if wanted is None or got is None:
                assert (wanted or got or {})["json"] in EMPTY, f"{name} of document {number} of seed {seed}"
            else:
                assert got == wanted, f"{name} of document {number} of seed {seed}"


def test_what_is_restored_is_what_yjs_read_then() -> None:
    check(seed=100, count=150)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(101, 111))
def test_what_is_restored_is_what_yjs_read_then_in_many_more_documents(seed: int) -> None:
    check(seed, count=1_500)
