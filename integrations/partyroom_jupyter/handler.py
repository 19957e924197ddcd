"""PartyHandler: the rooms behind Jupyter's own door.

=====================  ========================================================================================
who                    Jupyter's identity: token in the query or a header, cookie, password, JupyterHub; or a kernel
                       of this server, by a secret that opens the rooms and nothing else
from where             Jupyter's origin rules (``allow_origin``, ``allow_origin_pat``, the same host) for HTTP and
                       WebSockets, which need none where a token is shown; XSRF as everywhere in Jupyter
what                   the authorizer's ``read`` on ``partyroom`` to come in, ``write`` to change things (``guard``)
=====================  ========================================================================================

Whoever is refused gets 403 before a room is touched.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import asdict
from http.client import responses
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth import User
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.call_context import CallContext
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler

from partyroom import Request, Response
from partyroom.gateways.tornado import RoomHandler

from .guard import FORBIDDEN
from .kernels import Pass
from .visit import Visit

__all__ = ["RESOURCE", "PartyHandler"]

RESOURCE = "partyroom"
"""What the authorizer is asked about."""

BEARER = re.compile(r"(?:token|bearer)\s+(.+)", re.IGNORECASE)
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class _Identified(JupyterHandler):
    """A Jupyter handler that knows kernels as well."""

    kernel_pass: Pass
    by_kernel = False

    async def prepare(self) -> None:  # type: ignore[override]  # nobody passes its private argument
        """Find out who asks. Raises ``HTTPError`` for another host's name, and without a needed XSRF token."""
        if self.request.method == "GET" and self.request.headers.get("Upgrade", "").lower() == "websocket":
            # JupyterHub takes a token in the query of WebSockets only, which it knows by what browsers say of them.
            self.request.headers.setdefault("Sec-Fetch-Mode", "websocket")
        if not hmac.compare_digest(_shown(self).encode(), self.kernel_pass.secret.encode()):
            await super().prepare()
            return
        CallContext.set(CallContext.JUPYTER_HANDLER, self)
        if not self.check_host():
            raise HTTPError(403)
        self.by_kernel = True
        self.current_user = self._jupyter_current_user = self.kernel_pass.user
        self._token_authenticated = True


class PartyHandler(RoomHandler, _Identified):  # type: ignore[misc]  # as above
    """Answers for the rooms of a lobby, inside a Jupyter Server."""

    auth_resource = RESOURCE

    def initialize(self, *, kernel_pass: Pass, **more: Any) -> None:  # type: ignore[override]  # see handlers()
        """What every request needs; Tornado calls this with the rule's arguments."""
        self.kernel_pass = kernel_pass
        super().initialize(**more)

    @property
    def content_security_policy(self) -> str:
        """A page that a room answers with does not act as the user; a party's own header replaces this one."""
        return f"{super().content_security_policy}; sandbox allow-scripts"

    # Jupyter leaves the decision to ``visitor``, which lets in nobody without an identity.
    get = head = post = put = patch = delete = options = allow_unauthenticated(RoomHandler.get)

    async def visitor(self, request: Request) -> Request | Response:
        """Who asks, and what they may do; or a refusal."""
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return self._preflight()
        user = self.current_user
        if user is None:
            return Response("Forbidden: log in to this server, or show its token\n", 403)
        if not self.check_origin():
            return Response("Forbidden: pages of this origin may not talk to this server\n", 403)
        reads = await self._allows("read", RESOURCE)
        writes = reads and await self._allows("write", RESOURCE)
        if not reads or (not writes and request.method not in READING):
            return FORBIDDEN
        return Visit.of(
            request, user=self._claims(user), may_write=writes, by_kernel=self.by_kernel, allows=self._allows
        )

    def _claims(self, user: User) -> dict[str, Any]:
        """A user as parties see it: as the claims of a token are, with what Jupyter's pages are told of them."""
        model = asdict(user) if self.by_kernel else self.identity_provider.identity_model(user)
        return {**model, "sub": user.username}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Jupyter refuses, or what went wrong, for programs: a line of text."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        said = error.log_message if isinstance(error, HTTPError) and not error.args else None
        self.set_header("Connection", "close")  # as Tornado does with one whose body it has not read
        self.respond(Response(f"{said or responses.get(status_code, 'Unknown')}\n", status_code))

    async def _allows(self, action: str, resource: str) -> bool:
        """Whether the visitor may; a kernel may all that its code, which runs as the server's user, could do anyway."""
        if self.by_kernel:
            return True
        answer = self.authorizer.is_authorized(self, self.current_user, action, resource)
        return bool(await ensure_async(answer))

    @staticmethod
    def _preflight() -> Response:
        """What a browser asks before a page of another origin may ask: the answer is the same for everybody."""
        return Response(
            status=204,
            headers={
                "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
                "access-control-allow-headers": "accept, content-type, authorization, x-xsrftoken, if-match",
            },
        )


def _shown(handler: RequestHandler) -> str:
    """The token that a request shows, in its query or a header."""
    if said := handler.get_query_argument("token", ""):
        return said
    found = BEARER.match(handler.request.headers.get("Authorization", ""))
    return found[1].strip() if found else ""
