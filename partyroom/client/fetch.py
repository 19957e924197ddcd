"""HTTP requests to rooms: the same address as their sockets', spoken to by plain HTTP."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..http import Response
from .url import Params, below, http_url, room_url, with_query

if TYPE_CHECKING:
    import ssl as tls

    import aiohttp

    from .network import Network

__all__ = ["ask", "fetch"]


async def fetch(
    host: str,
    *,
    room: str,
    party: str = "main",
    path: str = "",
    method: str = "GET",
    query: Params | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    json: Any = None,
    timeout: float = 30.0,
    secure: bool | None = None,
    prefix: str = "parties",
    session: aiohttp.ClientSession | None = None,
    proxy: str | None = None,
    ssl: tls.SSLContext | aiohttp.Fingerprint | bool = True,
) -> Response:
    """An HTTP request to a room; the address is given as to ``PartySocket``.

    ``json``, unless ``None``, is sent as JSON; otherwise ``body`` is sent as it is. Any status is an answer. Raises
    ``Unreachable`` when there is none within ``timeout`` seconds and ``ValueError`` for what is no address.
    """
    from .network import Network

    url = room_url(host, room=room, party=party, prefix=prefix, secure=secure)
    network = Network(session, proxy=proxy, ssl=ssl)
    try:
        return await ask(network, below(url, path), method, query or {}, headers or {}, body, json, timeout)
    finally:
        await network.close()


async def ask(
    network: Network,
    url: str,
    method: str,
    query: Params,
    headers: Mapping[str, str],
    body: str | bytes | None,
    json: Any,
    timeout: float,
) -> Response:
    """The request itself; ``url`` is a room's WebSocket URL."""
    if json is not None:
        if body is not None:
            raise ValueError("a request has a body or json, not both")
        body = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False).encode()
        headers = {"content-type": "application/json", **headers}
    data = body.encode() if isinstance(body, str) else body
    return await network.fetch(method, with_query(http_url(url), query), headers=headers, body=data, timeout=timeout)
