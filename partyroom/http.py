"""Request, Response, Headers: plain frozen values that every gateway fills and every party reads.

Paths are split on the raw path and each segment is percent-decoded once, so a room may be called ``a/b`` (``a%2Fb``);
empty segments are ignored, as partyserver's router does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Address", "Headers", "Query", "Request", "Response", "origin_allowed", "split_path"]

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


class Address(NamedTuple):
    """Where a room lives: the party's name in the lobby and the room's id."""

    party: str
    room: str

    def __str__(self) -> str:
        return f"{self.party}/{self.room}"


class Query(Mapping[str, str]):
    """Decoded query parameters in order; a name that is given twice reads as its first value."""

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Pairs = ()) -> None:
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._pairs = tuple((self._fold(name), value) for name, value in items)
        self._first: dict[str, str] = {}
        for name, value in self._pairs:
            self._first.setdefault(name, value)

    @staticmethod
    def _fold(name: str) -> str:
        return name

    def __getitem__(self, name: str) -> str:
        return self._first[self._fold(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._pairs)!r})"

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        folded = self._fold(name)
        return [value for key, value in self._pairs if key == folded]

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every name and value, in order."""
        return self._pairs


class Headers(Query):
    """HTTP headers: names in any case (kept in lower case), repeated names allowed."""

    __slots__ = ()

    @staticmethod
    def _fold(name: str) -> str:
        return name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a visitor asked, by HTTP or as the opening request of a WebSocket.

    ``path`` is the raw (still encoded) path. ``party`` and ``room`` are the room it addresses (empty where it addresses
    none) and ``subpath`` what follows them, decoded, without a leading slash. ``user`` is whatever the one who
    authenticated the request put there. ``remote`` is the peer's IP address. ``env`` and ``parties`` are the lobby's,
    so that a hook which runs before any room (``on_before_connect``, ``on_fetch``) has them too.
    """

    method: str = "GET"
    path: str = "/"
    query: Query = field(default_factory=Query)
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    scheme: str = "http"
    host: str = "localhost"
    party: str = ""
    room: str = ""
    subpath: str = ""
    user: Any = None
    remote: str | None = None
    env: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    parties: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def build(cls, url: str, method: str = "GET", *, headers: Pairs = (), body: bytes = b"", **more: Any) -> Request:
        """A request from an absolute or relative URL, for code that visits rooms in process and for tests."""
        parts = urlsplit(url)
        return cls(
            method=method,
            path=parts.path or "/",
            query=Query(parse_qsl(parts.query, keep_blank_values=True)),
            headers=Headers(headers),
            body=body,
            scheme=parts.scheme or "http",
            host=parts.netloc or "localhost",
            **more,
        )

    @property
    def hostname(self) -> str:
        """The host without its port, in lower case; an IPv6 address without brackets."""
        try:
            return urlsplit("//" + self.host).hostname or ""
        except ValueError:
            return self.host

    @property
    def url(self) -> str:
        """The absolute URL, without the query."""
        return f"{self.scheme}://{self.host}{self.path}"

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed: what ``on_before_connect`` returns to annotate a request."""
        return replace(self, **changes)

    def text(self) -> str:
        """The body as UTF-8 text; raises ``UnicodeDecodeError``."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON; raises ``ValueError`` (``json.JSONDecodeError`` or ``UnicodeDecodeError``)."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, init=False)
class Response:
    """What a party answers: ``Response("text")``, ``Response(b"bytes")`` or ``Response.json(value)``."""

    body: bytes
    status: int
    headers: Headers

    def __init__(self, body: str | bytes = b"", status: int = 200, headers: Pairs = ()) -> None:
        made = headers if isinstance(headers, Headers) else Headers(headers)
        if "content-type" not in made and body:
            kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/octet-stream"
            made = Headers((*made.pairs(), ("content-type", kind)))
        object.__setattr__(self, "body", body.encode() if isinstance(body, str) else bytes(body))
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "headers", made)

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Pairs = ()) -> Response:
        """``value`` as JSON; raises ``TypeError`` or ``ValueError`` for what JSON cannot say (NaN included)."""
        made = Headers(headers)
        if "content-type" not in made:
            made = Headers((*made.pairs(), ("content-type", "application/json")))
        body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half a surrogate pair, which UTF-8 cannot say, is escaped: \ud800 is what JSON.stringify makes of it.
        return cls(body.encode(errors="backslashreplace"), status, made)

    def text(self) -> str:
        """The body as UTF-8 text; raises ``UnicodeDecodeError``."""
        return self.body.decode()

    def with_headers(self, headers: Pairs) -> Response:
        """A copy in which ``headers`` replace those of the same name."""
        added = Headers(headers)
        kept = [(name, value) for name, value in self.headers.pairs() if name not in added]
        return Response(self.body, self.status, Headers((*kept, *added.pairs())))


def split_path(path: str, prefix: str = "parties") -> tuple[Address, str] | None:
    """The room that a raw path addresses and the decoded rest of it; ``None`` where it addresses none.

    ``/parties/:party/:room/*`` names both; ``/party/:room/*`` is PartyKit's short form for the party ``main``.
    """
    parts = [part for part in path.split("/") if part]
    names = prefix.split("/")
    if parts[: len(names)] == names:
        parts = parts[len(names) :]
    elif parts[:1] == ["party"]:
        parts = ["main", *parts[1:]]
    else:
        return None
    if len(parts) < 2:
        return None
    party, room, *rest = (unquote(part, errors="strict") for part in parts)
    return Address(party, room), "/".join(rest)


def origin_allowed(request: Request, allowed: Iterable[str]) -> bool:
    """Whether the page that a browser sent this request from may talk to us (RFC 6455 section 10.2).

    True without an ``Origin`` header (not a browser), for the same host, or for an origin in ``allowed``, where ``*``
    is any, and ``https://*.example.com`` any subdomain.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin.lower()).netloc
    except ValueError:  # no URL at all
        host = ""
    if host and host == request.host.lower():
        return True
    return any(_matches(origin.lower(), pattern.lower().rstrip("/")) for pattern in allowed)


def _matches(origin: str, pattern: str) -> bool:
    if pattern == "*" or origin == pattern:
        return True
    before, star, after = pattern.partition("*.")
    if not star or not origin.startswith(before) or not origin.endswith("." + after):
        return False
    return "/" not in origin[len(before) : -len(after) - 1]
