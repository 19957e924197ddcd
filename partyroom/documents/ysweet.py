"""YSweetParty: a document room with the HTTP face of y-sweet's server, so that ``@y-sweet/sdk`` works against it.

::

    class Notes(YSweetParty):
        secret = os.environ["SECRET"]       # DocumentManager("ys://SECRET@localhost:1999")

    lobby = Lobby({"notes": Notes}, rewrite=paths("notes"))

Its paths lie outside ``/parties``, and ``paths`` leads them to the rooms. A lobby that is mounted in an aiohttp
application needs them routed to it: ``web.route("*", "/{_:d(?:oc)?/.*}", Gateway(lobby).handle)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hmac import compare_digest
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

from ..auth import Tokens, jwt
from ..connection import Connection
from ..errors import ProtocolError, Refused
from ..http import Request, Response, origin_allowed
from ..party import MaybeAwaitable
from ..protocols import ysweet
from .party import DocumentParty

__all__ = ["YSweetParty", "paths"]


def paths(party: str) -> Callable[[Request], Request | None]:
    """The ``rewrite`` of a lobby in which y-sweet's documents are the rooms of ``party``."""

    def rewrite(request: Request) -> Request | None:
        path = ysweet.room_path(request.path, party)
        if path is None and request.method == "POST" and request.path.strip("/") == "doc/new":
            document = ysweet.new_document(request.body) or uuid4().hex
            path = f"/parties/{quote(party, safe='')}/{quote(document, safe='')}/y-sweet/new"
        return None if path is None else request.replace(path=path)

    return rewrite


@cache
def _tokens(secret: str) -> Tokens:
    return jwt(secret, rooms="doc", write="write", audience="y-sweet")


class YSweetParty(DocumentParty):
    """A document room of y-sweet's kind. Rooms need no creating: ``/doc/new`` only gives an id."""

    secret: ClassVar[str | None] = None
    """What the application's server shows (the user in ``ys://SECRET@host``), and what signs clients' tokens: at least
    32 bytes. With ``None`` everybody may do everything, as in y-sweet's server without ``--auth``."""
    public_url: ClassVar[str | None] = None
    """Where clients reach this server, if that is not where the application does (``https://docs.example.com``)."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.secret is not None:
            _tokens(cls.secret)  # a secret that is too short fails here and not in front of a visitor

    # -- who may come in ---------------------------------------------------------------------------------------------

    @classmethod
    def on_before_connect(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """Clients come in with the token that the application's server got for them."""
        return None if cls.secret is None else _tokens(cls.secret)(request)

    @classmethod
    def on_before_request(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """The application's server may do everything, a client what its token says."""
        if cls.secret is None:
            if request.method != "GET" and not origin_allowed(request, ()):
                return Response("Another site's page may not write here\n", 403)
            return None
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if compare_digest(shown.encode(errors="replace"), cls.secret.encode()):
            return request.replace(user={"write": True})
        if request.subpath in ("y-sweet/new", "y-sweet/auth"):
            return Response("This takes the server's secret\n", 401, {"www-authenticate": "Bearer"})
        return cls.on_before_connect(request)

    def can_write(self, connection: Connection) -> bool:
        """Whether the client's token was given with full authorization."""
        return self.may_write(connection.request)

    def may_write(self, request: Request) -> bool:
        """The same of an HTTP request's; the application's server may do everything."""
        return self.secret is None or _tokens(self.secret).may_write(request)

    # -- HTTP --------------------------------------------------------------------------------------------------------

    def on_request(self, request: Request) -> MaybeAwaitable[Response]:
        """y-sweet's requests, and those of every document room."""
        match request.method, request.subpath:
            case "POST", "y-sweet/new":
                return Response.json({"docId": self.room.id})
            case "POST", "y-sweet/auth":
                return self._sign(request)
            case "POST", "y-sweet/update":
                return self._update(request)
            case _, "y-sweet/as-update":
                return super().on_request(request.replace(subpath="doc"))
        return super().on_request(request)

    def _sign(self, request: Request) -> Response:
        try:
            wanted = ysweet.token_wanted(request.body)
        except Refused as refused:
            return Response(refused.reason + "\n", refused.status)
        url = self.public_url or f"{request.scheme}://{request.host}"
        if self.secret is None:
            if not wanted.write:
                return Response("Only a server with a secret can tell readers from writers\n", 400)
            return Response.json(ysweet.client_token(url, self.room.id, None, True))
        if self.room.id.endswith("*"):
            return Response("A token for an id that ends with * would open other documents too\n", 400)
        claims = {"doc": self.room.id, "write": wanted.write, "sub": wanted.user}
        token = _tokens(self.secret).sign(claims, wanted.seconds)
        return Response.json(ysweet.client_token(url, self.room.id, token, wanted.write))

    async def _update(self, request: Request) -> Response:
        if not self.may_write(request):
            return Response("This token may not write\n", 403)
        try:
            await self.merge(request.body)
        except ProtocolError as error:
            return Response(error.reason + "\n", 400)
        return Response()
