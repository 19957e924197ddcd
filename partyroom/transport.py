"""Transport: what a gateway offers a connection for one WebSocket. The only seam between the core and a framework."""

from __future__ import annotations

from typing import Protocol

from .frame import Frame

__all__ = ["Transport"]


class Transport(Protocol):
    """One accepted WebSocket, seen from the sending side.

    Every method is synchronous, returns at once and never raises because the peer has gone: a gateway that finds its
    peer dead ends its read loop, calls ``room.leave`` and ignores later writes.
    """

    def write(self, frame: Frame) -> int:
        """Queue ``frame``; it leaves in the order of the calls, at the latest when this loop tick ends.

        Returns how many bytes were waiting already: written before, and not taken yet by the operating system.
        """
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after all that is queued; the transport ends when the peer answers or time runs out."""
        ...

    def abort(self) -> None:
        """Cut the connection now, dropping what is queued; the peer sees an abnormal closure (1006)."""
        ...
