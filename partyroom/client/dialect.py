"""Dialect: how servers of one family put what ``protocols.yjs`` says; ``hocuspocus`` is the one that differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Dialect", "YjsDialect"]


class Dialect(Protocol):
    """How servers of one family put the messages of ``protocols.yjs`` (binary) and an application's own (text)."""

    impatient: bool
    """Whether servers of this family drop a connection over which a client says nothing for a minute."""

    def opened(self, token: str) -> Iterable[bytes]:
        """A connection has opened; what is said before everything else."""
        ...

    def write(self, message: str | bytes) -> Iterable[str | bytes]:
        """A message of ours in their words."""
        ...

    def read(self, message: str | bytes) -> Iterable[str | bytes]:
        """Their message in our words. Raises ``ProtocolError``; ``Refused`` where the server will not have us;
        ``ConnectionClosed`` where it is done with this connection."""
        ...

    def answers(self) -> Iterable[bytes]:
        """What the server would say to what was just written, and has said before."""
        ...

    def closing(self) -> Iterable[bytes]:
        """The connection is about to close; what is said after everything else."""
        ...


class YjsDialect:
    """The words are the same."""

    impatient = False

    def opened(self, token: str) -> Iterable[bytes]:
        """Nothing: a token is in the query."""
        return ()

    def write(self, message: str | bytes) -> Iterable[str | bytes]:
        """The message as it is."""
        return (message,)

    def read(self, message: str | bytes) -> Iterable[str | bytes]:
        """The message as it is."""
        return (message,)

    def answers(self) -> Iterable[bytes]:
        """Nothing: the server answers for itself."""
        return ()

    def closing(self) -> Iterable[bytes]:
        """Nothing: the WebSocket's own goodbye is enough."""
        return ()
