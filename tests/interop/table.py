"""The README's table of clients, written from a run of these tests: ``PARTYROOM_TABLE=1 pytest tests/interop``.

A test says what it shows with ``@pytest.mark.proves("presence")``, for the family that it is run for (its parameter
``family``) or for the ``families`` that it names. A cell reads "yes" where all its tests have passed, and "no" where
one has not; where there is no test there is no claim.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"

FAMILIES = {
    "y-websocket": "y-websocket",
    "@y/websocket": "@y/websocket",
    "y-partykit": "y-partykit",
    "y-partyserver": "y-partyserver",
    "y-sweet": "@y-sweet/client",
    "hocuspocus": "@hocuspocus/provider",
    "pycrdt": "pycrdt",
}
"""The families of clients, and the package of each: npm's, or Python's for pycrdt."""

CLAIMS = {
    "sync": "sync",
    "presence": "presence",
    "offline": "offline edits merge",
    "read-only": "read-only",
    "stored": "hears what is stored",
    "idle": "idle 35 s",
    "restart": "back after a restart",
    "large": "5 MB update",
}
"""What tests prove, and the columns' titles."""

BLOCK = re.compile(r"(<!-- clients: .*? -->\n)(.*?)(<!-- /clients -->)", re.DOTALL)


class Proof(NamedTuple):
    """One test's word that a family can do what a claim says."""

    family: str
    claim: str


def proofs_of(marks: Iterable[pytest.Mark], family: str | None) -> Iterator[Proof]:
    """What a test with these marks shows, where it is run for ``family``."""
    for mark in marks:
        if mark.name == "proves":
            (claim,) = mark.args
            if claim not in CLAIMS:
                raise pytest.UsageError(f"no column of the table of clients is called {claim!r}")
            families = mark.kwargs.get("families") or ([family] if family else [])
            if not families:
                raise pytest.UsageError(f"whose {claim!r} is proved? Name the families, or take the fixture `family`")
            yield from (Proof(one, claim) for one in families)


def proofs_of_function(function: Callable[..., Any]) -> set[Proof]:
    """What a test function shows over all its runs."""
    marks = getattr(function, "pytestmark", [])
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    families = FAMILIES if "family" in parameters else [None]
    return {proof for family in families for proof in proofs_of(marks, family)}


def label(family: str) -> str:
    """A family's package with the version that is installed here, as the table names it."""
    package = FAMILIES[family]
    if package == "pycrdt":
        return "pycrdt " + ".".join(importlib.metadata.version(package).split(".")[:2])
    return f"{package} {json.loads((HERE / 'package.json').read_text())['dependencies'][package]}"


def render(results: dict[Proof, bool]) -> str:
    """The table in Markdown."""
    says = {True: "yes", False: "no", None: ""}
    lines = ["| client | " + " | ".join(CLAIMS.values()) + " |", "| --- " * (len(CLAIMS) + 1) + "|"]
    for family in FAMILIES:
        cells = [says[results.get(Proof(family, claim))] for claim in CLAIMS]
        lines.append(f"| {label(family)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def read() -> dict[str, dict[str, str]]:
    """The table in the README: by label and column title, what the cell says."""
    block = BLOCK.search(README.read_text())
    assert block is not None, "the README has no block <!-- clients: ... --> ... <!-- /clients -->"
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block[2].splitlines())
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def write(results: dict[Proof, bool]) -> None:
    """Put the table of these results into the README."""
    text, count = BLOCK.subn(lambda block: block[1] + render(results) + block[3], README.read_text())
    assert count == 1, "the README has no block <!-- clients: ... --> ... <!-- /clients -->"
    README.write_text(text)


class Recorder:
    """A pytest plugin that notes which proofs have passed, and writes the table at the end."""

    def __init__(self) -> None:
        self.results: dict[Proof, bool] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Have every test carry what it shows."""
        for item in items:
            family = item.callspec.params.get("family") if hasattr(item, "callspec") else None
            for proof in proofs_of(item.iter_markers(), family):
                item.user_properties.append(("proves", proof))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has been set up, called or torn down."""
        for name, proof in report.user_properties:
            if name == "proves" and isinstance(proof, Proof) and (report.when == "call" or not report.passed):
                self.results[proof] = report.passed and self.results.get(proof, True)

    def pytest_sessionfinish(self) -> None:
        """All have run."""
        write(self.results)
