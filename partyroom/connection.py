"""Connection: one client's presence in one room.

What a connection may cost is decided here and only here: a client that reads too slowly is aborted once its buffer is
full, one that sends too fast is closed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .errors import CloseCode, LimitError
from .frame import Frame
from .http import Request
from .limits import Limits
from .transport import Transport

if TYPE_CHECKING:
    from .connections import Connections

__all__ = ["Connection"]

log = logging.getLogger("partyroom.connection")

_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class Connection:
    """A client in a room: ``id`` (the ``_pk`` it sent, or one of ours), ``request``, ``tags``, ``state``.

    ``id`` is what the *client* claims and may be claimed twice: identity is the object itself, and trust belongs in
    ``request.user``.
    """

    __slots__ = (
        "__weakref__",
        "_bytes_left",
        "_frames_left",
        "_limits",
        "_refilled_at",
        "_state",
        "_transport",
        "close_code",
        "close_reason",
        "closed",
        "company",
        "id",
        "request",
        "tags",
        "write",
    )

    def __init__(self, id: str, request: Request, transport: Transport, limits: Limits) -> None:
        self.id = id
        self.request = request
        self.tags: tuple[str, ...] = (id,)
        self.closed = False
        """Whether this connection is closing or closed: what is sent to it now goes nowhere."""
        self.close_code: int = CloseCode.NO_STATUS
        self.close_reason = ""
        self.company: Connections | None = None
        """The connections of its room, once it is among them."""
        self.write: Callable[[Frame], int] = transport.write
        """Where what is sent goes: to the transport, which says how much is waiting, or nowhere once this is closed."""
        self._transport = transport
        self._limits = limits
        self._state: str = "null"
        self._refilled_at = monotonic()
        self._frames_left: float = (limits.frames_per_second or 0) * limits.rate_window
        self._bytes_left: float = (limits.bytes_per_second or 0) * limits.rate_window

    def __repr__(self) -> str:
        return f"<Connection {self.id!r}{' closed' if self.closed else ''}>"

    @property
    def uri(self) -> str:
        """The URL that the client has asked for, with its query."""
        query = urlencode(self.request.query.pairs())
        return f"{self.request.url}?{query}" if query else self.request.url

    # -- sending ---------------------------------------------------------------------------------------------------

    def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a text or binary message; it is queued at once and in order. Does nothing when the client has gone."""
        self.send_frame(Frame(message))

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text; raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
        self.send_frame(Frame(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))))

    def send_frame(self, frame: Frame) -> None:
        """Send a frame that is encoded once for many receivers."""
        company = self.company
        if company is not None and company.unsaid:
            company.hand_on()
        self.deliver(frame)

    def deliver(self, frame: Frame) -> None:
        """Hand a frame to the transport, unless the client is gone or too slow to be waited for."""
        if (waiting := self.write(frame)) > self._limits.buffer:
            self.cut(waiting)

    def cut(self, waiting: int) -> None:
        """So many bytes are waiting that the client cannot be waited for."""
        log.warning("%r of %s reads too slowly: cut with %d bytes waiting", self, self.request.path, waiting)
        self.abort("too slow: its buffer is full")

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Say goodbye, after all that was sent before; ``on_close`` follows when the socket has ended.

        Raises ``ValueError`` for a code that no endpoint may send (RFC 6455 section 7.4) and for a reason of more than
        123 bytes in UTF-8.
        """
        if code not in _SENDABLE_CODES and not 3000 <= code <= 4999:
            raise ValueError(f"close code {code} may not be sent: use 1000, 3000 to 4999, or a CloseCode")
        if len(reason.encode()) > 123:
            raise ValueError("a close reason is at most 123 bytes (RFC 6455 section 5.5)")
        if not self.closed:
            if self.company is not None:
                self.company.hand_on()  # what was said to all before this goes out before it
            self.end(code, reason)
            self._transport.close(code, reason)

    def abort(self, reason: str = "") -> None:
        """Cut the connection without a goodbye; the client sees 1006."""
        if self.close_code != CloseCode.ABNORMAL:
            self.end(CloseCode.ABNORMAL, reason)
            self._transport.abort()

    def end(self, code: int, reason: str) -> None:
        """Note that the socket has ended, and how; the room calls this."""
        self.closed = True
        self.write = _nowhere
        if self.company is not None:
            self.company.silence(self)
        self.close_code = code
        self.close_reason = reason

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """A small JSON value kept with the connection, also while its room hibernates; ``None`` at first.

        Reading gives a copy: assign to change it. Raises ``LimitError`` when it is over 2 KiB as JSON.
        """
        return json.loads(self._state)

    @state.setter
    def state(self, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode(errors="backslashreplace"))  # JSON may hold half a surrogate pair
        if size > self._limits.state:
            raise LimitError(f"connection state is {size} bytes as JSON, over the limit of {self._limits.state}")
        self._state = text

    def set_state(self, value: Any | Callable[[Any], Any]) -> Any:
        """Set ``state`` to a value, or to what a function makes of the present one; returns the new state."""
        self.state = value(self.state) if callable(value) else value
        return self.state

    # -- receiving -------------------------------------------------------------------------------------------------

    def spend(self, message: str | bytes) -> bool:
        """Count an incoming message against the rate limits; past them the connection is closed (1008) and it is False.

        A token bucket that looks at the clock only when it has run dry. Text counts its characters.
        """
        self._frames_left -= 1
        self._bytes_left -= len(message)
        if self._frames_left >= 0 and self._bytes_left >= 0:
            return True
        return self._refill()

    def _refill(self) -> bool:
        limits = self._limits
        now = monotonic()
        elapsed, self._refilled_at = now - self._refilled_at, now
        for name, rate in (("_frames_left", limits.frames_per_second), ("_bytes_left", limits.bytes_per_second)):
            if rate is None:
                setattr(self, name, float("inf"))
                continue
            left = min(getattr(self, name) + elapsed * rate, rate * limits.rate_window)
            setattr(self, name, left)
            if left < 0:
                what = "messages" if name == "_frames_left" else "bytes"
                self.close(CloseCode.POLICY_VIOLATION, f"too many {what} a second")
                return False
        return True


def _nowhere(frame: Frame) -> int:
    return 0
