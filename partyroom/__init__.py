"""Programmable multiplayer rooms for Python, with Yjs documents built in.

The public names. Each is loaded when it is first asked for, so that a client loads no server, and nobody a framework,
a database or pycrdt without need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assets import Assets
    from .client.blocking import connect
    from .connection import Connection
    from .crons import Cron
    from .documents.multiplex import HocuspocusParty
    from .documents.party import DocumentParty
    from .errors import CloseCode, PartyroomError, ProtocolError, Refused
    from .http import Headers, Query, Request, Response
    from .limits import Limits
    from .lobby import Lobby
    from .party import Party
    from .room import Room
    from .stores.memory import MemoryStore
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
    "connect",
]

_HOME = {
    "Assets": "assets",
    "CloseCode": "errors",
    "Connection": "connection",
    "Cron": "crons",
    "DocumentParty": "documents.party",
    "Headers": "http",
    "HocuspocusParty": "documents.multiplex",
    "Limits": "limits",
    "Lobby": "lobby",
    "MemoryStore": "stores.memory",
    "Party": "party",
    "PartyroomError": "errors",
    "ProtocolError": "errors",
    "Query": "http",
    "Refused": "errors",
    "Request": "http",
    "Response": "http",
    "Room": "room",
    "SQLiteStore": "stores.sqlite",
    "connect": "client.blocking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
