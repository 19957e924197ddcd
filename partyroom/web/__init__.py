"""The home page and its bundle as plain responses, for any gateway: a fixed table of names, read once from ``dist/``.

The page may load from and talk to nobody but this server: its Content-Security-Policy says so (CSP level 3), and so do
its sources under ``src/``. ``python -m partyroom.web.build`` makes the bundle; until then the page says just that.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from partyroom.http import Request, Response

__all__ = ["DIST", "PREFIX", "Site", "answer"]

DIST: Final = Path(__file__).parent / "dist"
PREFIX: Final = "/.partyroom/web/"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_COMMON: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_HASHED: Final = re.compile(r"-[0-9A-Z]{8}\.\w+$")  # how build.mjs has esbuild name what never changes
_YEAR: Final = "public, max-age=31536000, immutable"
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")

_UNBUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>partyroom</title>
<style nonce="{nonce}">
:root { color-scheme: light dark }
body { max-width: 36rem; margin: 18vh auto 0; padding: 0 1.5rem; font: 1rem/1.6 system-ui, sans-serif }
code { font-family: ui-monospace, monospace }
</style>
<h1>The rooms are open.</h1>
<p>Only this page is not built yet. In the folder of the project, run</p>
<p><code>python -m partyroom.web.build</code></p>
<p>and start the server again. Clients can join rooms meanwhile.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    packed: bytes | None
    etag: str
    headers: dict[str, str]

    @classmethod
    def read(cls, file: Path) -> _Asset:
        body = file.read_bytes()
        packed = gzip.compress(body, mtime=0)
        headers = {
            **_COMMON,
            "content-type": _TYPES[file.suffix],
            "cache-control": _YEAR if _HASHED.search(file.name) else "no-cache",
            "vary": "accept-encoding",
        }
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return cls(body, packed if len(packed) < len(body) else None, etag, headers)

    def respond(self, request: Request) -> Response:
        # Weak: the packed and the plain form are the same asset in two encodings (RFC 9110 section 8.8.3.3).
        headers = {**self.headers, "etag": f"W/{self.etag}"}
        if _matches(request.headers.get("if-none-match", ""), self.etag):
            return Response(status=304, headers=headers)
        if self.packed is not None and _accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"})
        return Response(self.body, headers=headers)


class Site:
    """Answers for the home page and its files; whatever the path says, only names found at the start are served."""

    def __init__(self, dist: Path = DIST) -> None:
        """Reads ``dist`` once; where it is missing or has no ``index.html``, the page says how to build it."""
        index = dist / "index.html"
        self.built: Final = index.is_file()
        self._page = index.read_text("utf-8") if self.built else _UNBUILT
        self._assets: dict[str, _Asset] = {}
        if self.built:
            files = [file for file in sorted(dist.iterdir()) if file.suffix in _TYPES and file.is_file()]
            self._assets = {PREFIX + file.name: _Asset.read(file) for file in files}

    def answer(self, request: Request) -> Response | None:
        """What is at the request's path: a response, or ``None`` where the path or the method is not the page's."""
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path in ("", "/"):
            return self._home(request)
        asset = self._assets.get(request.path)
        return asset.respond(request) if asset else None

    def _home(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {
            **_COMMON,
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-store",  # each answer has its own nonce
            "content-security-policy": _policy(nonce, request.host),
        }
        status = 200 if self.built else 503
        return Response(self._page.replace("{nonce}", nonce), status, headers)


@cache
def _site() -> Site:
    return Site()


def answer(request: Request) -> Response | None:
    """:meth:`Site.answer` of the bundle beside this file, which is read at the first call."""
    return _site().answer(request)


def _policy(nonce: str, host: str) -> str:
    # Some browsers do not take 'self' for WebSockets, so the host is named where it is a plain host and port. The nonce
    # is for the style sheets that CodeMirror makes at run time.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self'",
            f"connect-src 'self'{sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
            "require-trusted-types-for 'script'",
        ]
    )


def _matches(condition: str, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity tag, compared weakly (RFC 9110 section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return etag in tags or "*" in tags


def _accepts_gzip(accepted: str) -> bool:
    """Whether ``Accept-Encoding`` allows gzip: named, and not with a weight of 0 (RFC 9110 section 12.5.3)."""
    for part in accepted.split(","):
        coding, *options = (piece.strip().lower() for piece in part.split(";"))
        if coding == "gzip":
            return not any(re.fullmatch(r"q\s*=\s*0(?:\.0*)?", option) for option in options)
    return False
