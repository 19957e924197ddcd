"""The command line: ``partyroom serve`` and what stands beside it.

``verbs`` has all of it and is loaded when it is wanted: programs that take a module from here, as Jupyter's extension
takes ``target``, load no more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .verbs import app

__all__ = ["app", "main"]


def __getattr__(name: str) -> Any:
    if name == "app":
        from .verbs import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Run the command line."""
    from .verbs import app

    app(prog_name="partyroom")
