"""Programmable multiplayer rooms for Python, with Yjs documents built in.

The public names. What needs a framework, a database or pycrdt is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .assets import Assets
from .connection import Connection
from .crons import Cron
from .errors import CloseCode, PartyroomError, ProtocolError, Refused
from .http import Headers, Query, Request, Response
from .limits import Limits
from .lobby import Lobby
from .party import Party
from .room import Room
from .stores.memory import MemoryStore

if TYPE_CHECKING:
    from .documents.multiplex import HocuspocusParty
    from .documents.party import DocumentParty
    from .stores.sqlite import SQLiteStore

__all__ = [
    "Assets",
    "CloseCode",
    "Connection",
    "Cron",
    "DocumentParty",
    "Headers",
    "HocuspocusParty",
    "Limits",
    "Lobby",
    "MemoryStore",
    "Party",
    "PartyroomError",
    "ProtocolError",
    "Query",
    "Refused",
    "Request",
    "Response",
    "Room",
    "SQLiteStore",
]

_LAZY = {
    "DocumentParty": "partyroom.documents.party",
    "HocuspocusParty": "partyroom.documents.multiplex",
    "SQLiteStore": "partyroom.stores.sqlite",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
