"""What every gateway keeps alike, whatever its framework: how long it waits, and which code answers which."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CloseCode, TooLarge
from ..limits import KIB

__all__ = [
    "BODY_TIMEOUT",
    "CLOSE_TIMEOUT",
    "DEAF_TIMEOUT",
    "HEARTBEAT",
    "MOST_PONGS",
    "End",
    "body_too_large",
    "echo",
    "first_protocol",
]

HEARTBEAT = 25.0
"""Seconds of silence after which a peer is pinged; it is cut after as many more."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a peer has to answer a close frame, and to read what is queued before it."""
DEAF_TIMEOUT = 1.0
"""The same, while the lobby closes."""
BODY_TIMEOUT = 60.0
"""Seconds that a request's body may take to arrive."""
MOST_PONGS = 64 * KIB
"""Bytes waiting for a peer past which its pings are not answered."""


@dataclass(slots=True)
class End:
    """How a WebSocket ended: by a close frame with ``code`` and ``reason``, or without one, perhaps by an ``error``."""

    code: int = CloseCode.ABNORMAL
    reason: str = ""
    error: BaseException | None = None


def echo(code: int) -> int:
    """The code to answer a close frame with: the peer's own, as far as it may be sent (RFC 6455 section 7.4.1)."""
    if code in (CloseCode.NO_STATUS, CloseCode.ABNORMAL):
        return CloseCode.NORMAL
    return code if code < 5000 else CloseCode.PROTOCOL_ERROR


def first_protocol(offered: str) -> str | None:
    """The subprotocol to choose of those in a header ``Sec-WebSocket-Protocol``.

    What a client offers first is what it prefers; a browser fails the connection if none is chosen.
    """
    return offered.split(",")[0].strip() or None


def body_too_large(most: int) -> TooLarge:
    """The refusal of a request whose body is over the limit."""
    return TooLarge(f"A request body has at most {most} bytes here")
