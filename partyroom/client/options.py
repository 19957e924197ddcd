"""SocketOptions: what whoever has a PartySocket inside passes on to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from .backoff import Backoff
from .socket import Fresh
from .wire import Dial

if TYPE_CHECKING:
    import ssl as tls

    import aiohttp

__all__ = ["SocketOptions"]


class SocketOptions(TypedDict, total=False):
    """Options of ``PartySocket``, which describes them."""

    path: str
    id: str | None
    headers: Fresh[str]
    secure: bool | None
    prefix: str
    protocols: Sequence[str]
    backoff: Backoff | None
    connect_timeout: float
    close_timeout: float
    heartbeat: float | None
    max_message: int
    queue: int
    session: aiohttp.ClientSession | None
    proxy: str | None
    ssl: tls.SSLContext | aiohttp.Fingerprint | bool
    dial: Dial | None
