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
    from .blocking import connect
    from .document import DocumentClient, DocumentStatus, NotSaved
    from .document_room import DocumentRoom
    from .open_room import OpenRoom, SocketRoom
    from .values import Change, KeyEdit, Position, SharedArray, SharedMap, SharedText, SpanEdit, Values

__all__ = [
    "AskFailed",
    "Asking",
    "Backoff",
    "Change",
    "ConnectionClosed",
    "DocumentClient",
    "DocumentRoom",
    "DocumentStatus",
    "HandshakeRefused",
    "KeyEdit",
    "NobodyAnswered",
    "NotSaved",
    "OpenRoom",
    "PartySocket",
    "PartyroomError",
    "Position",
    "QueueFull",
    "SharedArray",
    "SharedMap",
    "SharedText",
    "SocketRoom",
    "SpanEdit",
    "Status",
    "Unreachable",
    "Values",
    "connect",
    "fetch",
]

_HOME = {
    "AskFailed": "asking",
    "Asking": "asking",
    "Change": "values",
    "DocumentClient": "document",
    "DocumentRoom": "document_room",
    "DocumentStatus": "document",
    "KeyEdit": "values",
    "NobodyAnswered": "asking",
    "NotSaved": "document",
    "OpenRoom": "open_room",
    "Position": "values",
    "SharedArray": "values",
    "SharedMap": "values",
    "SharedText": "values",
    "SocketRoom": "open_room",
    "SpanEdit": "values",
    "Values": "values",
    "connect": "blocking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
