"""Who may import whom: the map in CONTRIBUTING.md, read from the sources with ``ast`` and enforced."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "partyroom"

# Lower may not import higher, nor another part of the same layer.
LAYERS = [
    ["errors", "http", "frame", "limits", "clock"],
    ["transport", "protocols"],
    ["stores"],
    ["connection"],
    ["connections"],
    ["storage", "sql"],
    ["alarms"],
    ["party", "auth"],
    ["life", "gate", "crons", "assets", "tasks"],
    ["hooks"],
    ["room"],
    ["local", "outside"],
    ["placement"],
    ["parties"],
    ["lobby"],
    ["documents", "readymade"],
    ["gateways", "client", "cluster"],
    ["cli", "testing"],
    ["pytest_plugin"],
]
LAYER = {part: layer for layer, parts in enumerate(LAYERS) for part in parts}

# Beside the layers: what a part may import of ours, whatever its layer would allow.
ONLY: dict[str, set[str]] = {
    "client": {"errors", "http", "frame", "limits", "clock", "protocols", "stores"},  # a client loads no server
    "web": {"http"},  # the pages are served as plain responses
}
# The one module that a part of the same layer may use all the same: (importer, imported).
ALSO = {("cluster", "client.socket")}
# The root of the package only gathers names, lazily; nothing inside imports it.
GATHERS = {"__init__", "__main__"}

# Third-party packages, and the only places that may import them.
THIRD_PARTY = {
    "aiohttp": ("gateways.aiohttp", "client", "cli"),
    "multidict": ("gateways.aiohttp", "client"),  # aiohttp's own headers
    "yarl": ("client",),  # aiohttp's own URLs
    "tornado": ("gateways.tornado",),
    "pycrdt": ("protocols.engine", "protocols.replica", "documents", "client"),
    "sqlite3": ("stores.sqlite",),
    "jwt": ("auth",),
    "cronsim": ("crons",),
    "typer": ("cli",),
    "rich": ("cli",),
    "dotenv": ("cli",),
    "prometheus_client": ("cli",),
    "pytest": ("pytest_plugin",),
    "watchfiles": ("cli",),
    "uvloop": ("cli",),
}

# Packages beside ours, by the folder they lie in: what of ours they may import, and which third-party packages.
BESIDE = {
    "integrations": (
        {"__init__", "party", "documents", "gateways", "cli.config", "cli.readymade", "cli.target"},
        {"jupyter_core", "jupyter_server", "jupyterhub", "tornado", "traitlets"},
    ),
    "notebooks": (
        {"__init__", "client"},
        {"IPython", "anywidget", "ipywidgets", "matplotlib", "traitlets"},  # matplotlib: tests/widgets/test_select.py
    ),
    "tui": (
        {"__init__", "client"},
        {"asyncssh", "platformdirs", "rich", "textual", "textual_serve", "tree_sitter", "watchfiles"},
    ),
}


class Import(NamedTuple):
    """One import in one module: ``of`` is absolute, ``partyroom.`` included for our own."""

    module: str
    line: int
    of: str

    def __str__(self) -> str:
        return f"partyroom/{self.module.replace('.', '/')}.py:{self.line} imports {self.of}"


def modules() -> list[Path]:
    no_modules = {"node_modules", "templates"}
    return sorted(path for path in PACKAGE.rglob("*.py") if no_modules.isdisjoint(path.parts))


def dotted(path: Path) -> str:
    """``partyroom/stores/base.py`` is ``stores.base``; a package's ``__init__`` keeps that name as its last part."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> Iterator[Import]:
    """Every import that runs, wherever it stands in the file; those for type checkers only are left out."""
    module = dotted(path)
    yield from _imports(ast.parse(path.read_text(), str(path)).body, module)


def _imports(nodes: list[ast.stmt], module: str) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(module, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, module)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, module)
        else:
            for _, value in ast.iter_fields(node):
                blocks = value if isinstance(value, list) else []
                statements = [item for item in blocks if isinstance(item, ast.stmt)]
                handlers = [item for item in blocks if isinstance(item, (ast.ExceptHandler, ast.match_case))]
                yield from _imports(statements, module)
                for handler in handlers:
                    yield from _imports(handler.body, module)


def _from(node: ast.ImportFrom, module: str) -> Iterator[Import]:
    """``from . import storage`` names a module; ``from .storage import Storage`` names something in one."""
    base = node.module or ""
    if node.level:
        parents = ["partyroom", *module.split(".")][: -node.level]
        base = ".".join([*parents, base]) if base else ".".join(parents)
    for alias in node.names:
        inside = (ROOT / base.replace(".", "/") / f"{alias.name}.py").exists()
        package = (ROOT / base.replace(".", "/") / alias.name / "__init__.py").exists()
        yield Import(module, node.lineno, f"{base}.{alias.name}" if inside or package else base)


def ours(imported: Import) -> str | None:
    """The dotted name within partyroom of what is imported; ``None`` for other packages."""
    top, _, rest = imported.of.partition(".")
    return rest or "__init__" if top == "partyroom" else None


def is_in(name: str, places: tuple[str, ...]) -> bool:
    """Whether module ``name`` is one of ``places`` or belongs to one (``gateways.aiohttp_direct`` does)."""
    return any(name == place or name.startswith((f"{place}.", f"{place}_")) for place in places)


def allowed(importer: str, imported: str) -> bool:
    """Whether the layer rules let module ``importer`` import module ``imported``."""
    part, used = importer.split(".")[0], imported.split(".")[0]
    if part in GATHERS or part == used:
        return True
    if used in GATHERS:
        return part in {"cli", "testing"}
    if part in ONLY:
        return used in ONLY[part]
    if used == "web":
        return LAYER[part] >= LAYER["gateways"]
    return LAYER[used] < LAYER[part] or (part, imported) in ALSO


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    wrong = [str(found) for found in imports(path) if (name := ours(found)) and not allowed(dotted(path), name)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_third_party_package_stays_in_its_place(path: Path) -> None:
    wrong = []
    for found in imports(path):
        top = found.of.partition(".")[0]
        if (top in sys.stdlib_module_names and top not in THIRD_PARTY) or top == "partyroom":
            continue
        if not is_in(dotted(path), THIRD_PARTY.get(top, ())):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", BESIDE)
def test_a_package_beside_ours_uses_public_names_and_what_is_named_here(folder: str) -> None:
    ours_allowed, others = BESIDE[folder]
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
        for found in _imports(ast.parse(path.read_text(), str(path)).body, module):
            name, top = ours(found), found.of.partition(".")[0]
            if name is not None and not name.startswith(module.partition(".")[0]):
                fine = any(name == one or name.startswith(f"{one}.") for one in ours_allowed)
            else:
                fine = name is not None or top in sys.stdlib_module_names or top in others
            if not fine:
                wrong.append(f"{path.relative_to(ROOT)}:{found.line} imports {found.of}")
    assert not wrong, "\n".join(wrong)


def test_nothing_of_ours_imports_what_lies_beside() -> None:
    beside = {path.name for folder in BESIDE for path in (ROOT / folder).iterdir() if path.is_dir()}
    found = [str(one) for path in modules() for one in imports(path) if one.of.partition(".")[0] in beside]
    assert not found, "\n".join(found)


def test_every_part_has_a_layer() -> None:
    parts = {dotted(path).split(".")[0] for path in modules()}
    assert parts - LAYER.keys() - ONLY.keys() - GATHERS == set()


def test_the_rules_themselves_refuse_what_they_should() -> None:
    assert not allowed("http", "room")
    assert not allowed("stores.sqlite", "storage")
    assert not allowed("gateways.aiohttp", "client.socket")
    assert not allowed("client.socket", "lobby")
    assert not allowed("web.pages", "lobby")
    assert not allowed("room", "__init__")
    assert allowed("cluster.remote", "client.socket")
    assert not allowed("cluster.remote", "client.document")
    assert not is_in("stores.memory", THIRD_PARTY["sqlite3"])
    assert is_in("gateways.aiohttp_direct", THIRD_PARTY["aiohttp"])


def test_importing_partyroom_loads_no_framework() -> None:
    names = ["aiohttp", "tornado", "pycrdt", "sqlite3", "typer", "uvloop"]
    code = f"import sys, partyroom; print(*sorted(sys.modules.keys() & {names!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.split() == []


def public_modules() -> list[str]:
    written = (path for path in modules() if len(ast.parse(path.read_text()).body) > 1)  # more than a docstring
    named = (dotted(path).removesuffix("__init__").rstrip(".") for path in written)
    return [name for name in named if not any(part.startswith("_") for part in name.split("."))]


@pytest.mark.parametrize("name", public_modules())
def test_all_names_what_exists_and_is_described(name: str) -> None:
    module = importlib.import_module(f"partyroom.{name}" if name else "partyroom")
    assert module.__doc__ or name.count(".") == 0, f"{module.__name__} has no docstring"
    exported = getattr(module, "__all__", None)
    assert exported is not None, f"{module.__name__} has no __all__"
    for item in exported:
        value = getattr(module, item)  # raises AttributeError, with the name, for what is not there
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{module.__name__}.{item} has no docstring"
