"""Hub: rooms as a service of a JupyterHub, for everyone of the Hub.

::

    # rooms.py, which the Hub runs as `partyroom serve rooms.py`
    who = identity()

    class Notes(DocumentParty):
        on_before_connect = who          # ?token=... or Authorization: token ..., a token of the Hub's
        can_write = who.can_write
        may_write = who.may_write        # over HTTP

    lobby = Lobby({"notes": Notes}, store=SQLiteStore("notes.db"), rewrite=unprefixed)

JupyterHub's own ``HubAuth`` asks the Hub, and remembers its answers for five minutes; all that it needs to know is in
the environment that the Hub gives its services. So this needs ``pip install jupyterhub``, as every service does.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

from jupyterhub.services.auth import HubAuth, check_scopes  # type: ignore[import-untyped]
from tornado.web import HTTPError

from partyroom import Connection, Request, Response

__all__ = ["HubIdentity", "identity", "unprefixed"]

log = logging.getLogger("partyroom.jupyter")

HEADER = re.compile(r"(?:token|bearer)\s+(\S+)", re.IGNORECASE)
TOKEN = re.compile(r"[!-~]+")
"""What may be in a header."""


def identity(*, write: str | None = None, auth: HubAuth | None = None) -> HubIdentity:
    """An ``on_before_connect`` that lets in whoever shows a Hub token that opens this service.

    That needs the scope ``access:services!service=NAME``. ``write`` is a further scope that one needs to write
    (``custom:rooms:write``; without it, whoever may come in may write). ``auth`` is made from the environment.
    """
    return HubIdentity(auth or HubAuth(), write)


class HubIdentity:
    """What ``identity`` makes: call it with a request, as ``on_before_connect`` is."""

    def __init__(self, auth: HubAuth, write: str | None) -> None:
        self._auth = auth
        self._write = write

    async def __call__(self, request: Request) -> Request | Response:
        """The request with the Hub's user as ``user``, or a refusal: 401 without a valid token, 403 elsewhere."""
        token = _shown(request)
        if not token:
            return Response("A token of the Hub is needed: ?token=... or Authorization: token ...\n", 401)
        try:
            model = await self._auth.user_for_token(token, sync=False)
        except HTTPError as error:
            log.error("the Hub at %s cannot be asked: %s", self._auth.api_url, error)
            return Response("The Hub cannot be asked just now\n", 503)
        if not model:
            return Response("The Hub does not know this token\n", 401)
        if not check_scopes(self._auth.access_scopes, set(model["scopes"])):
            return Response("This token does not open this service\n", 403)
        return request.replace(user=_claims(model))

    def can_write(self, connection: Connection) -> bool:
        """Whether this connection's token may write."""
        return self.may_write(connection.request)

    def may_write(self, request: Request) -> bool:
        """Whether the token that this request came in with may write."""
        if self._write is None:
            return True
        user = request.user
        scopes = user.get("scopes", ()) if isinstance(user, Mapping) else ()
        return bool(check_scopes({self._write}, set(scopes)))


def unprefixed(request: Request) -> Request:
    """As ``Lobby(rewrite=...)``: takes away what the Hub puts before a service's paths, ``/services/NAME``."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/")
    if not prefix or not request.path.startswith(f"{prefix}/"):
        return request
    return request.replace(path=request.path.removeprefix(prefix))


def _shown(request: Request) -> str:
    found = HEADER.fullmatch(request.headers.get("authorization", "").strip())
    said = request.query.get("token") or (found[1] if found else "")
    return said if TOKEN.fullmatch(said) else ""


def _claims(model: Mapping[str, Any]) -> dict[str, Any]:
    """A user, or a service, of the Hub as a room sees it."""
    info = model.get("user_info") or {}
    name = info.get("name") or model["name"]
    return {
        "sub": model["name"],
        "username": model["name"],
        "name": name,
        "display_name": info.get("display_name") or name,
        "initials": info.get("initials"),
        "avatar_url": info.get("avatar_url"),
        "color": info.get("color"),
        "scopes": sorted(model["scopes"]),
    }
