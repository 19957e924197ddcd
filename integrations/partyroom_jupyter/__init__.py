"""Rooms inside Jupyter Server: everyone who opens one server is in the same rooms, as themselves.

Installing ``partyroom[jupyter]`` enables it. ``extension`` has what can be configured, ``handler`` who may come in, and
``hub`` what a room server that runs beside a JupyterHub needs, without Jupyter Server.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .extension import PartyroomExtension

__all__ = ["PartyroomExtension"]

__version__ = version("partyroom")


def __getattr__(name: str) -> Any:
    if name == "PartyroomExtension":
        from .extension import PartyroomExtension

        return PartyroomExtension
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server asks a package for (its developer guide, "Distributing a server extension")."""
    from .extension import PartyroomExtension

    return [{"module": "partyroom_jupyter", "app": PartyroomExtension}]
