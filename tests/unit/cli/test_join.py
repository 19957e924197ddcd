"""``partyroom join`` and ``ssh`` without what they need, and with what they cannot use."""

from __future__ import annotations

from types import ModuleType

import pytest
from typer.testing import CliRunner

from partyroom.cli import app


@pytest.mark.parametrize(("command", "package"), [(["join"], "textual"), (["ssh"], "textual")])
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, command: list[str], package: str
) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr("partyroom.cli.join.import_module", missing)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert f"{package} is not installed: pip install 'partyroom[tui]'" in result.output


def test_what_is_no_address_is_refused() -> None:
    pytest.importorskip("textual", reason="the terminal app needs its extra")
    result = CliRunner().invoke(app, ["join", "main/"])
    assert result.exit_code == 2
    assert "a room's address is" in result.output


@pytest.mark.parametrize("command", [["join", "--file", "notes.md"], ["join", "today", "--web", "--file", "notes.md"]])
def test_a_file_needs_a_room_and_a_terminal(command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "partyroom join ROOM --file notes.md" in result.output
