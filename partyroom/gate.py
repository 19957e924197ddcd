"""The gate: what is asked of a visitor before a room is touched, and how a refusal is worded."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .errors import Refused, is_failure
from .http import Request, Response, origin_allowed, split_path
from .limits import Limits
from .party import Party, settled

__all__ = ["CORS", "Refusals", "ask", "check_id", "check_visitor", "unavailable"]

log = logging.getLogger("partyroom.lobby")

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PATCH, HEAD, OPTIONS",
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
}
"""What ``cors=True`` means, as partyserver has it, and ``PATCH``, which edits documents."""


class Refusals:
    """Tells the log why WebSockets are turned away, each reason once.

    A browser keeps the answer to a failed handshake from its page, so that nobody else would ever hear of a mistyped
    party or of a page whose origin is not allowed. Visitors can think of many reasons: past ``most`` only ``debug``
    shows them.
    """

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._told: set[tuple[int, str, str]] = set()

    def tell(self, request: Request, refusal: Response, parties: Iterable[str]) -> None:
        """Log why ``request`` was refused; not its query, where tokens are. ``parties`` are those that are served."""
        reason = refusal.body[:200].decode(errors="replace").strip()
        if refusal.status == 404:
            reason += f" (served here: {', '.join(name for name in parties if not name.startswith('.'))})"
        place = request.path[:200]
        told = (refusal.status, reason, place if refusal.status == 404 else "")
        level = logging.DEBUG
        if told not in self._told and len(self._told) < self._most:
            self._told.add(told)
            level = logging.WARNING
        log.log(level, "WebSocket %a refused with %d: %s", place, refusal.status, _on_one_line(reason))


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def check_visitor(request: Request, origins: Iterable[str], limits: Limits) -> None:
    """Raise ``Refused`` for a WebSocket of a page that may not connect, or with an id that is too long."""
    if not origin_allowed(request, origins):
        origin = request.headers.get("origin")
        raise Refused(403, f"Origin {origin!a} is not allowed here (partyroom serve --origin, or Lobby(origins=...))")
    if len(request.query.get("_pk", "")) > limits.connection_id:
        raise Refused(400, f"A connection id has at most {limits.connection_id} characters")


def check_id(room_id: str, limits: Limits) -> None:
    """Raise ``Refused`` for what cannot be a room's id."""
    try:
        size = len(room_id.encode())
    except UnicodeEncodeError:
        raise Refused(400, "A room id is text, without lone surrogates") from None
    if not 0 < size <= limits.room_id:
        raise Refused(400, f"A room id is 1 to {limits.room_id} bytes of UTF-8")


async def ask(party_class: type[Party], hook: str, request: Request) -> Request | Response:
    """Ask a before-hook: a Response refuses, a Request replaces, ``None`` goes on."""
    try:
        answer = await settled(getattr(party_class, hook)(request))
        if answer is not None and not isinstance(answer, (Request, Response)):
            raise TypeError(f"{hook} returned {type(answer).__name__}, not a Request, a Response or None")
    except BaseException as error:
        if not is_failure(error):
            raise
        log.exception("%s/%s: %s failed", request.party, request.room, hook)
        return Response("Internal server error\n", 500)
    if isinstance(answer, Request) and not answer.room:  # made anew: it is for this room all the same
        named = split_path(answer.path)
        rest = request.subpath if named is None else named[1]
        return answer.replace(
            party=request.party, room=request.room, subpath=rest, env=request.env, parties=request.parties
        )
    return request if answer is None else answer


def unavailable(request: Request, error: Exception) -> Response:
    """The answer to what cannot be done now; why is for the log."""
    why = "on_before_connect took too long" if isinstance(error, TimeoutError) else error
    log.error("%s %s: %s", request.method, request.path, why)
    return Response("This server cannot do it now\n", 503)
