"""Wire: one WebSocket that lives once, and Dial: how a client gets one.

This is the seam between what a client means (stay connected, in order, at most once) and what carries it; the real one
is in ``network.py``, tests have their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ..limits import MIB
from .mail import Outgoing

__all__ = ["Dial", "Target", "Wire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to open. The URL has its query and the headers may have a token: neither is shown anywhere."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocols: Sequence[str] = ()
    max_message: int = 32 * MIB


class Wire(Protocol):
    """An open WebSocket. One task receives and one sends; ``close`` comes after both."""

    protocol: str | None
    """The subprotocol that the server chose."""

    def heard(self) -> bool:
        """Whether anything at all has come since this was asked last: part of a message, or an answer to a ping."""
        ...

    @property
    def ending(self) -> bool:
        """Whether it takes no more: what is sent now would not leave this machine."""
        ...

    async def receive(self) -> str | bytes:
        """The next message. Raises ``ConnectionClosed``."""
        ...

    async def send(self, message: Outgoing) -> None:
        """Hand a message to the network at once, then wait until the network has room for more.

        Raises ``ConnectionClosed`` if the connection breaks meanwhile: whether the message arrived is not known then.
        """
        ...

    async def ping(self) -> None:
        """Ask the peer for a sign of life. Raises ``ConnectionClosed``."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and wait for the peer's; whoever calls it sets a deadline and aborts after it."""
        ...

    def abort(self) -> None:
        """Let go at once. Aborting what has ended is no error."""
        ...


Dial: TypeAlias = Callable[[Target], Awaitable[Wire]]
"""Opens a WebSocket. Raises ``HandshakeRefused`` where trying again cannot help and ``Unreachable`` where it may."""
