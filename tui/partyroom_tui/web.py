"""The app in a browser, by textual-serve: a process of the app for each who opens the page."""

from __future__ import annotations

import sys
from shlex import join

from textual_serve.server import Server

__all__ = ["serve"]


def serve(arguments: list[str], *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve ``partyroom join`` with these arguments on a page of its own, until it is interrupted."""
    command = join([sys.executable, "-m", "partyroom", "join", *arguments])
    Server(command, host=host, port=port, title="partyroom").serve()
