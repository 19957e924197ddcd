"""Clients of rooms: notebooks, terminals, bots, services and tests.

Only what a name needs is loaded, when it is first used: aiohttp with the first connection, pycrdt with the first
document, and never the server.
"""

from __future__ import annotations

from ..errors import ConnectionClosed, HandshakeRefused, PartyroomError, QueueFull, Unreachable
from .backoff import Backoff
from .fetch import fetch
from .socket import PartySocket, Status

__all__ = [
    "Backoff",
    "ConnectionClosed",
    "HandshakeRefused",
    "PartySocket",
    "PartyroomError",
    "QueueFull",
    "Status",
    "Unreachable",
    "fetch",
]
