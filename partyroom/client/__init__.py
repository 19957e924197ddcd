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
    from .asking import AskFailed, Asking, NobodyAnswered
    from .document import DocumentClient, DocumentStatus, NotSaved
    from .values import Change, KeyEdit, Position, SharedArray, SharedMap, SharedText, SpanEdit, Values

__all__ = [
    "AskFailed",
    "Asking",
    "Backoff",
    "Change",
    "ConnectionClosed",
    "DocumentClient",
    "DocumentStatus",
    "HandshakeRefused",
    "KeyEdit",
    "NobodyAnswered",
    "NotSaved",
    "PartySocket",
    "PartyroomError",
    "Position",
    "QueueFull",
    "SharedArray",
    "SharedMap",
    "SharedText",
    "SpanEdit",
    "Status",
    "Unreachable",
    "Values",
    "fetch",
]

_HOME = {
    "AskFailed": "asking",
    "Asking": "asking",
    "Change": "values",
    "DocumentClient": "document",
    "DocumentStatus": "document",
    "KeyEdit": "values",
    "NobodyAnswered": "asking",
    "NotSaved": "document",
    "Position": "values",
    "SharedArray": "values",
    "SharedMap": "values",
    "SharedText": "values",
    "SpanEdit": "values",
    "Values": "values",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
