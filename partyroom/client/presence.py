"""Presence: a client's side of awareness, without I/O: what it shows of itself, and what it has heard of the others.

The messages are those of ``y-protocols/awareness.js`` (``protocols.awareness`` describes them, and is the server side).
A client believes its server: others are here until the server says that they have left, or until there is no server.
Nobody is dropped for being silent, for a room knows who is connected and a client does not. Clients with y-protocols'
own awareness see that otherwise, so whoever is shown is to be announced every 15 seconds.

Of its own clock it keeps these rules: it begins at 1 (a clock of 0 is no news to Yjs), every word raises it, and where
the server has raised it (as ours does for one who comes back), the next word is above that. When it hears that it has
left though it has not, it says so.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final, NamedTuple

from ..errors import ProtocolError
from ..protocols.lib0 import Decoder, Encoder

__all__ = ["Change", "Presence"]

log = logging.getLogger("partyroom.client")

_NULL: Final = "null"


class Change(NamedTuple):
    """Which others came, show something else, or left: their client ids."""

    added: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.removed)


class Presence:
    """What the client with the id ``client`` shows (``state``; ``None`` is not to be here), and ``others``."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.state: dict[str, Any] | None = None
        self.others: dict[int, dict[str, Any]] = {}
        """What the others show, by client id."""
        self._clock = 0
        self._clocks: dict[int, int] = {}

    def show(self, state: dict[str, Any] | None) -> bytes:
        """Show a state, or with ``None`` leave; returns the update that tells it.

        Raises ``TypeError`` or ``ValueError`` for a state that JSON cannot say; it is not shown then.
        """
        encoded = _encode(state)
        self.state = None if state is None else json.loads(encoded)
        return self._say(encoded)

    def announce(self) -> bytes | None:
        """The update that tells a server, or tells it again; ``None`` where there is nothing to show."""
        return None if self.state is None else self._say(_encode(self.state))

    def hear(self, update: bytes) -> tuple[Change, bytes | None]:
        """Take in an awareness update; returns what it changed, and what must be said to it, if anything.

        A state that is no JSON object is left out, for a server may pass on what others send. Raises
        ``ProtocolError`` for an update that is malformed, which changes nothing.
        """
        answer: bytes | None = None
        change: tuple[list[int], list[int], list[int]] = [], [], []
        for client, clock, text in _read(update):
            if client == self.client:
                self._clock = max(self._clock, clock)
                if text == _NULL and self.state is not None:
                    answer = self.announce()
            elif (kind := self._take(client, clock, text)) is not None:
                change[kind].append(client)
        return Change(*map(tuple, change)), answer

    def renamed(self, client: int) -> bytes:
        """Be the client with another id from now on; returns the update by which the old one leaves."""
        goodbye = self._say(_NULL)
        self.client, self._clock = client, 0
        self.others.pop(client, None)
        return goodbye

    def alone(self) -> Change:
        """There is no connection any more: nobody else is here."""
        gone = tuple(self.others)
        self.others = {}
        self._clocks = {}
        return Change(removed=gone)

    def _take(self, client: int, clock: int, text: str) -> int | None:
        """What somebody else says: 0 for one who came, 1 for one who shows something else, 2 for one who left."""
        known = self._clocks.get(client, 0)
        here = client in self.others
        if clock < known or (clock == known and not (text == _NULL and here)):
            return None
        if text == _NULL:
            self._clocks[client] = clock
            return 2 if self.others.pop(client, None) is not None else None
        state = _decode(client, text)
        if state is None:
            return None
        self._clocks[client] = clock
        if here and self.others[client] == state:
            return None
        self.others[client] = state
        return 1 if here else 0

    def _say(self, text: str) -> bytes:
        self._clock += 1
        return bytes(Encoder(b"\x01").varuint(self.client).varuint(self._clock).string(text))


def _encode(state: dict[str, Any] | None) -> str:
    return json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _decode(client: int, text: str) -> dict[str, Any] | None:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        state = None
    if isinstance(state, dict):
        return state
    log.debug("client %d shows what is no JSON object", client)
    return None


def _read(update: bytes) -> list[tuple[int, int, str]]:
    decoder = Decoder(update)
    count = decoder.varuint()
    if count * 4 > decoder.left:  # an id, a clock, and a text of at least "{}" with its length
        raise ProtocolError(f"an awareness update of {len(update)} bytes announces {count} clients")
    return [(decoder.varuint(), decoder.varuint(), decoder.string()) for _ in range(count)]
