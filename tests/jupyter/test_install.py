"""Installing is enabling, for editable installs as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import files, version
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent.parent
PLACE = "etc/jupyter/jupyter_server_config.d/partyroom_jupyter.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an editable install puts into the environment's folder."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["editable"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (data,) = folder.glob("*.data/data")
    return data


def test_an_editable_install_enables_the_extension_and_nothing_else(data: Path) -> None:
    assert [path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()] == [PLACE]
    enabled = json.loads((data / PLACE).read_text())
    assert enabled == {"ServerApp": {"jpserver_extensions": {"partyroom_jupyter": True}}}


def test_jupyter_lists_it_as_enabled_and_valid(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jupyter", "server", "extension", "list"]
    environ = {**os.environ, "JUPYTER_CONFIG_DIR": str(data / "etc/jupyter"), "HOME": str(tmp_path), "NO_COLOR": "1"}
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=60)
    said = (listed.stdout + listed.stderr).replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "partyroom_jupyter enabled" in said
    assert f"partyroom_jupyter {version('partyroom')} OK" in said, said


def test_a_wheel_has_the_page_and_what_it_loads() -> None:
    folder = ROOT / "integrations/partyroom_jupyter"
    assert {path.name for path in (folder / "static").iterdir()} == {"favicon.svg", "status.css", "status.js"}
    builder = WheelBuilder(str(ROOT))
    packed = {file.distribution_path for file in builder.recurse_selected_project_files()}
    for name in "page.html", "static/status.js", "static/status.css", "static/favicon.svg", "py.typed":
        assert f"partyroom_jupyter/{name}" in packed


def test_this_environment_has_it_enabled() -> None:
    installed = [str(file) for file in files("partyroom") or ()]
    if not any(name.endswith(PLACE) for name in installed) and os.environ.get("CI") != "true":
        pytest.skip("partyroom was installed here before the extension was: `pip install --editable .` again")
    assert (Path(sys.prefix) / PLACE).is_file()
