"""Tokens: a JSON Web Token (RFC 7519) opens rooms and says whether its bearer may write in them.

::

    token = jwt(SECRET, rooms="rooms", write="write")

    class Notes(DocumentParty):
        on_before_connect = token          # ?token=... or Authorization: Bearer ...
        can_write = token.can_write
        may_write = token.may_write        # over HTTP

    token.sign({"sub": "ada", "rooms": ["today", "team/*"], "write": True}, seconds=3600)

PyJWT verifies; here is only which room a token opens, and how a refusal reads (RFC 6750 section 3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jwt as pyjwt

from .connection import Connection
from .http import Request, Response

__all__ = ["Claims", "Rule", "Tokens", "jwt"]

Claims: TypeAlias = Mapping[str, Any]
"""What a verified token says."""
Rule: TypeAlias = str | Callable[[Claims], Any]
"""A claim's name, or a function of all claims. What it gives is a room id or several, each exact or, where it ends with
``*``, the beginning of all that are meant; as ``write`` also ``True`` or ``False``. Anything else is no. Whoever signs
ids that people have chosen keeps them from ending with ``*``."""

HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The shortest secret of each algorithm (RFC 7518 section 3.2): a shorter one is guessed from a single token."""


def jwt(
    key: Any,
    *,
    algorithms: str | Sequence[str] = "HS256",
    rooms: Rule | None = None,
    write: Rule | None = None,
    audience: str | None = None,
    issuer: str | None = None,
    leeway: float = 10.0,
) -> Tokens:
    """An ``on_before_connect`` that lets in whoever has a token signed with ``key``, and keeps its claims as ``user``.

    ``key`` is a shared secret of at least 32 bytes (HS256), or the issuer's public key as PEM text (RS256, EdDSA and
    the like, with ``pip install partyroom[jwt]``); only ``algorithms`` are accepted, whatever a token says of itself.
    ``rooms`` says which rooms a token opens (``None``: every one) and ``write`` where it may write (``None``: wherever
    it may come in). Where several parties share a key, ``audience`` keeps a token of one out of the others. A token
    must expire; ``leeway`` is how many seconds the issuer's clock may differ. Raises ``ValueError`` for a key or an
    algorithm that is not safe.

    A token is checked when a client comes in. Who must go before it leaves is closed with ``connection.close(4403)``.
    """
    names = (algorithms,) if isinstance(algorithms, str) else tuple(algorithms)
    return Tokens(_key(key, names), names, rooms, write, audience, issuer, leeway)


def _key(key: Any, algorithms: Sequence[str]) -> Any:
    """The key as PyJWT wants it, once it is certain that all ``algorithms`` may use it."""
    if not algorithms or any(name.lower() == "none" for name in algorithms):
        raise ValueError("name the algorithm that signs the tokens, HS256 for example: unsigned ones are not accepted")
    shared = [name for name in algorithms if name in HMAC_BYTES]
    if shared and len(shared) < len(algorithms):
        raise ValueError(f"{', '.join(algorithms)}: one key cannot be both a shared secret and a public key")
    if shared:
        secret = key.encode() if isinstance(key, str) else key
        least = max(HMAC_BYTES[name] for name in shared)
        if not isinstance(secret, bytes) or len(secret) < least:
            raise ValueError(f"the secret for {', '.join(shared)} is at least {least} bytes, e.g. secrets.token_hex()")
        key = secret
    try:
        prepared, *_ = [pyjwt.get_algorithm_by_name(name).prepare_key(key) for name in algorithms]
        return prepared
    except NotImplementedError as error:
        raise ValueError(f"{', '.join(algorithms)}: not known, or it needs pip install partyroom[jwt]") from error
    except (TypeError, pyjwt.InvalidKeyError) as error:
        raise ValueError(f"this is no key for {', '.join(algorithms)}: {error}") from error


@dataclass(frozen=True, slots=True)
class Tokens:
    """What ``jwt`` makes: call it with a request, as ``on_before_connect`` is; ``can_write`` is a document party's."""

    key: Any = field(repr=False)
    algorithms: tuple[str, ...]
    rooms: Rule | None
    write: Rule | None
    audience: str | None
    issuer: str | None
    leeway: float

    def __call__(self, request: Request) -> Request | Response:
        """The request with the token's claims as ``user``, or a refusal: 401 without a valid token, 403 elsewhere."""
        token = bearer(request)
        if token is None:
            return _refusal(401, "A token is needed: ?token=... or Authorization: Bearer ...")
        claims = self.verify(token)
        if isinstance(claims, str):
            return _refusal(401, claims, "invalid_token")
        if self.rooms is not None and not _covers(_said(self.rooms, claims), request.room):
            return _refusal(403, "This token does not open this room", "insufficient_scope")
        return request.replace(user=claims)

    def verify(self, token: str) -> dict[str, Any] | str:
        """The claims of a valid token, or what is wrong with it, in words that may be shown to its bearer."""
        try:
            return pyjwt.decode(
                token,
                self.key,
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.leeway,
                options={"require": ["exp"]},
            )
        except pyjwt.ExpiredSignatureError:
            return "The token has expired"
        except pyjwt.ImmatureSignatureError:
            return "The token is not valid yet"
        except pyjwt.MissingRequiredClaimError as error:
            return f"The token lacks the claim {error.claim}"
        except (pyjwt.InvalidAudienceError, pyjwt.InvalidIssuerError):
            return "The token was made for or by somebody else"
        except (pyjwt.PyJWTError, ValueError, RecursionError):  # what is no token at all may fail in its JSON
            return "The token is not valid"

    def can_write(self, connection: Connection) -> bool:
        """Whether this connection's token may write in its room."""
        return self.may_write(connection.request)

    def may_write(self, request: Request) -> bool:
        """Whether the token that this request came in with may write in the room it asked for."""
        if self.write is None:
            return True
        if not isinstance(request.user, Mapping):
            return False
        said = _said(self.write, request.user)
        return said if isinstance(said, bool) else _covers(said, request.room)

    def sign(self, claims: Claims, seconds: float) -> str:
        """A token that says ``claims`` for so many seconds; with a shared secret only (issuers keep private keys)."""
        if self.algorithms[0] not in HMAC_BYTES:
            raise ValueError(f"a public key signs nothing: tokens of {self.algorithms[0]} come from their issuer")
        now = int(time.time())
        filled = {"iat": now, "exp": now + int(seconds), "aud": self.audience, "iss": self.issuer, **claims}
        said = {name: value for name, value in filled.items() if value is not None}
        return pyjwt.encode(said, self.key, algorithm=self.algorithms[0])


def bearer(request: Request) -> str | None:
    """The token that a request brings: ``Authorization: Bearer``, or ``?token=``, as browsers' WebSockets must."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query.get("token") or None


def _said(rule: Rule, claims: Claims) -> Any:
    return claims.get(rule) if isinstance(rule, str) else rule(claims)


def _covers(named: Any, room: str) -> bool:
    patterns = [named] if isinstance(named, str) else named
    if not isinstance(patterns, (list, tuple, set, frozenset)):
        return False
    return any(isinstance(pattern, str) and _matches(pattern, room) for pattern in patterns)


def _matches(pattern: str, room: str) -> bool:
    return room == pattern or (pattern.endswith("*") and room.startswith(pattern[:-1]))


def _refusal(status: int, reason: str, error: str | None = None) -> Response:
    challenge = "Bearer" if error is None else f'Bearer error="{error}", error_description="{reason}"'
    return Response(reason + "\n", status, {"www-authenticate": challenge})
