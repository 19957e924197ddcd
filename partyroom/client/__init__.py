"""Clients of rooms: notebooks, terminals, bots, services and tests.

Only what a name needs is loaded, when it is first used: aiohttp with the first connection, pycrdt with the first
document, and never the server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionClosed, HandshakeRefused, PartyroomError, QueueFull, Unreachable
from .backoff import Backoff
from .fetch import fetch
from .socket import PartySocket, Status

if TYPE_CHECKING:
    from .document import DocumentClient, DocumentStatus, NotSaved

__all__ = [
    "Backoff",
    "ConnectionClosed",
    "DocumentClient",
    "DocumentStatus",
    "HandshakeRefused",
    "NotSaved",
    "PartySocket",
    "PartyroomError",
    "QueueFull",
    "Status",
    "Unreachable",
    "fetch",
]

_HOME = {
    "DocumentClient": "document",
    "DocumentStatus": "document",
    "NotSaved": "document",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
