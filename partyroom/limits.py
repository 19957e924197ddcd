"""Limits: every bound on what a visitor or a party may ask for, in one frozen value.

Sizes are bytes, times are seconds. ``None`` means unbounded. What happens at a bound is said at each field.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULTS", "KIB", "MIB", "Limits"]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a lobby (``Lobby(limits=...)``) or of one party (the class attribute ``limits``)."""

    message: int = 1 * MIB
    """One WebSocket message; a larger one closes its connection with 1009."""
    body: int = 32 * MIB
    """One HTTP request body; a larger one is answered 413."""
    buffer: int = 8 * MIB
    """Bytes waiting for one client that reads too slowly: with more than that waiting, the next frame aborts its
    connection (no frame is ever dropped from the middle of a stream). So a single frame may be larger than this."""
    frames_per_second: float | None = 5_000
    """Sustained incoming messages of one connection, with ``rate_window`` seconds' worth as a burst (twice that after a
    pause, since the clock is looked at only when the burst is used up); past it the connection is closed with 1008."""
    bytes_per_second: float | None = 16 * MIB
    """Sustained incoming bytes of one connection, likewise."""
    rate_window: float = 10.0
    """How many seconds of its rate a connection may use up at once."""
    connections: int | None = 20_000
    """Connections to the whole lobby; one more is answered 503."""
    connections_per_room: int | None = 5_000
    """Connections to one room; one more is answered 503."""
    rooms: int | None = 100_000
    """Rooms in memory; a visit that would start one more is answered 503."""
    room_id: int = 512
    """A room id in UTF-8; a longer one is answered 400."""
    connection_id: int = 256
    """A connection id (``_pk``) in characters; a longer one is answered 400."""
    tags: int = 9
    """Tags of one connection beside its id; more raise ``LimitError``."""
    tag: int = 256
    """One tag in characters; a longer one raises ``LimitError``."""
    state: int = 2 * KIB
    """A connection's state as JSON; a larger one raises ``LimitError``."""
    key: int = 2 * KIB
    """A storage key in UTF-8; a longer one raises ``LimitError``."""
    value: int | None = 128 * KIB
    """A storage value, encoded; a larger one raises ``LimitError``."""
    sql: int | None = 64 * MIB
    """A room's SQL database in bytes; a write for which there is no place raises ``LimitError``."""
    sql_time: float | None = 1.0
    """How long a SQL statement may take; a longer one is stopped and raises ``LimitError``."""
    idle: float = 10.0
    """How long a room without connections, alarms or work stays in memory."""
    doze: float = 10.0
    """How long a hibernating room in which nothing happens stays in memory while it has connections."""
    handshake: float = 10.0
    """How long a client may take for a request's head (then it is cut off), and ``on_before_connect`` for its answer
    (then it is 503)."""
    start: float | None = 30.0
    """How long ``on_start`` may take before the room counts as failed."""
    close: float = 10.0
    """How long ``lobby.close()`` waits for rooms to stop and peers to say goodbye before it aborts them."""


DEFAULTS = Limits()
