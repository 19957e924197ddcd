"""Awareness: who is here and what they show (name, colour, cursor), and whose word counts for whom.

The messages are those of ``y-protocols/awareness.js``: an update lists client ids, each with a clock and a state in
JSON, and a newer clock replaces an older one; the state ``null`` says that the client has left. Among peers anybody
may say anything about anybody. This is a server's table, which knows the connection that each update came by, so:

1.  **The owner writes.** The connection that announces an id owns it as long as it lives. Only the owner changes or
    removes the state. When its connection ends, everybody is told that its ids have left (``null``, clock + 1).
2.  **Echoes are nothing.** Providers of the y-websocket family send back every state that they receive, and after
    30 seconds without news they declare others gone. Both come from connections that do not own the id, so neither
    counts.
3.  **A reconnect succeeds.** The first awareness message of a connection, where it holds exactly one id, is its
    *introduction*: providers send their own state when they open, before they have seen anybody else's. An
    introduction takes its id over from the connection that owns it, for the old socket may be dead without anyone
    knowing yet; from then on the old one's writes count for nothing, and its end erases nothing.
4.  **An impostor does not.** Where the owner is known (``identity``: its user, or the connection id that it brings
    along), only an introduction by the same identity takes over. A y-websocket client without login has no identity:
    there any introduction succeeds, but an owner that was not dead after all gets its id back with its next word,
    for a real reconnect's old socket never says anything newer than the new one.
5.  **Who comes back is seen at once.** A client that lost its connection returns with the clock it had, and the others
    ignore a clock that they know, so an introduction is passed on with a clock that is newer than any before. Its
    client hears of that and goes on from there; what it says meanwhile keeps its place after the introduction.
6.  **A late echo does not raise the dead.** The clocks of those who left are remembered for a while.

Nobody leaves for being idle: connections end presence, and clocks do not measure time. States are kept as the bytes
that came, so that nothing is lost in passing them on. Malformed updates raise ``ProtocolError`` and change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Never

from ..errors import CloseCode, ProtocolError
from ..limits import KIB
from .lib0 import MAX_DEPTH, Decoder, Encoder

__all__ = ["Awareness", "Change"]

_NULL: Final = b"null"
_MAX_CLOCK: Final = 2**31
"""Clients written in Rust keep clocks in 32 bits; the rest is room for the clocks that we add ourselves."""
_MAX_LEAD: Final = 2**16
"""How far an anonymous introduction's clock may be ahead of the one it takes over: minutes of moving a cursor without
a break. Without a bound an impostor could leave the owner no newer clock to answer with."""
_REMEMBERED: Final = 4096
"""Of how many ids that have left the clock is remembered."""


class Change(NamedTuple):
    """What one call changed: the awareness ``update`` that tells everybody, and the client ids in it."""

    update: bytes
    added: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class _Peer:
    """One connection: the ids that it owns, the first of them being its own and the others passed on for somebody."""

    identity: Hashable | None
    own: int | None = None
    ids: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Entry:
    """A client that is here; ``former`` is the connection that an anonymous introduction took it from.

    ``clock`` is the one that the others know, ``said`` the one that its owner said last, which may be behind (rule 5).
    """

    clock: int
    said: int
    state: bytes
    owner: _Peer
    former: _Peer | None = None


class _Said(NamedTuple):
    """One line of an awareness update."""

    client: int
    clock: int
    state: bytes


class Awareness:
    """One room's presence. ``key`` names a connection: any hashable value that is its alone while it lives.

    ``max_state`` bounds one state in bytes, ``max_ids`` what one connection may own and ``max_clients`` the table;
    ids past the bounds are not taken in.
    """

    def __init__(self, *, max_state: int = 64 * KIB, max_ids: int = 32, max_clients: int = 20_000) -> None:
        self._max_state = max_state
        self._max_ids = max_ids
        self._max_clients = max_clients
        self._entries: dict[int, _Entry] = {}
        self._left: dict[int, int] = {}
        self._peers: dict[Hashable, _Peer] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, client: object) -> bool:
        return client in self._entries

    def states(self) -> dict[int, Any]:
        """Everybody's state, decoded, by client id."""
        return {client: json.loads(entry.state) for client, entry in self._entries.items()}

    def state(self, client: int) -> Any:
        """One client's state, decoded; ``None`` where it is not here."""
        entry = self._entries.get(client)
        return None if entry is None else json.loads(entry.state)

    def clients(self, key: Hashable) -> frozenset[int]:
        """The client ids that a connection owns."""
        peer = self._peers.get(key)
        return frozenset(peer.ids) if peer else frozenset()

    def everybody(self) -> bytes | None:
        """The update that a newcomer needs; ``None`` where nobody is here."""
        if not self._entries:
            return None
        return _encode(_Said(client, entry.clock, entry.state) for client, entry in self._entries.items())

    def apply(self, key: Hashable, update: bytes, identity: Hashable | None = None) -> Change | None:
        """Takes in an update that came by the connection ``key``; ``None`` where nothing in it counts.

        ``identity`` is what stays the same when this client connects again (its user, or the ``_pk`` it chose), as
        far as that is known; it is read the first time a connection is heard.
        """
        said = self._read(update)
        peer = self._peers.get(key)
        introduction = peer is None and len(said) == 1
        if peer is None:
            peer = self._peers[key] = _Peer(identity)
        heeded: list[_Said] = []
        change: tuple[list[int], list[int], list[int]] = [], [], []
        for line in said:
            entry = self._entries.get(line.client)
            if entry is None:
                taken = self._enter(peer, line, introduction)
            else:
                taken = self._speak(peer, entry, line, introduction)
            if taken is not None:
                heeded.append(taken)
                change[2 if taken.state == _NULL else 0 if entry is None else 1].append(taken.client)
        if not heeded:
            return None
        verbatim = heeded == said
        return Change(update if verbatim else _encode(heeded), *map(tuple, change))

    def remove(self, key: Hashable) -> Change | None:
        """Forgets a connection that has ended; the change tells everybody which clients left with it."""
        peer = self._peers.pop(key, None)
        if peer is None or not peer.ids:
            return None
        gone = [_Said(client, self._entries[client].clock + 1, _NULL) for client in peer.ids]
        for line in gone:
            self._leave(line)
        return Change(_encode(gone), removed=tuple(line.client for line in gone))

    def set(self, key: Hashable, client: int, state: dict[str, Any] | None) -> Change | None:
        """Shows a state (``None``: leaves) for a client of our own, under a ``key`` that is no connection's."""
        entry = self._entries.get(client)
        clock = entry.clock if entry else self._left.get(client, 0)
        encoded = json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        return self.apply(key, _encode([_Said(client, clock + 1, encoded)]), identity=key)

    def _enter(self, peer: _Peer, line: _Said, introduction: bool) -> _Said | None:
        """Somebody who is not here is announced."""
        client, clock, state = line
        if state == _NULL or len(peer.ids) >= self._max_ids or len(self._entries) >= self._max_clients:
            return None
        left = self._left.get(client, -1)
        if introduction:
            line = line._replace(clock=max(clock, left) + 1)
        elif clock <= left:
            return None
        self._left.pop(client, None)
        self._entries[client] = _Entry(line.clock, clock, state, peer)
        if peer.own is None:
            peer.own = client
        peer.ids.add(client)
        return line

    def _speak(self, peer: _Peer, entry: _Entry, line: _Said, introduction: bool) -> _Said | None:
        """Something is said about somebody who is here."""
        client, clock, state = line
        if entry.owner is not peer:
            if state == _NULL:
                return None
            if introduction and _may_succeed(peer, entry, line):
                self._hand_over(client, entry, peer, former=entry.owner)
                line = line._replace(clock=max(clock, entry.clock) + 1)
                entry.clock, entry.said, entry.state = line.clock, clock, state
                return line
            elif entry.former is peer and clock > entry.clock:
                self._hand_over(client, entry, peer, former=None)
            else:
                return None
        if clock <= entry.clock:
            news = clock >= entry.said if state == _NULL else clock > entry.said
            if not news or (clock == entry.clock and state == entry.state):  # our own clock, coming back to us
                return None
            line = line._replace(clock=entry.clock + 1)
        if state == _NULL:
            self._leave(line)
            return line
        entry.clock, entry.said, entry.state = line.clock, clock, state
        return line

    def _hand_over(self, client: int, entry: _Entry, to: _Peer, former: _Peer | None) -> None:
        entry.owner.ids.discard(client)
        entry.owner, entry.former = to, former
        to.ids.add(client)
        if to.own is None:
            to.own = client

    def _leave(self, line: _Said) -> None:
        entry = self._entries.pop(line.client)
        entry.owner.ids.discard(line.client)
        self._left.pop(line.client, None)
        self._left[line.client] = line.clock
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]

    def _read(self, update: bytes) -> list[_Said]:
        decoder = Decoder(update)
        count = decoder.varuint()
        if count * 4 > decoder.left:  # an id, a clock, and a text of at least "{}" with its length
            raise ProtocolError(f"an awareness update of {len(update)} bytes announces {count} clients")
        said = []
        for _ in range(count):
            line = _Said(decoder.varuint(), decoder.varuint(), decoder.buffer())
            if line.clock > _MAX_CLOCK:
                raise ProtocolError(f"the awareness clock {line.clock} is out of range")
            known = self._entries.get(line.client)
            if line.state != _NULL and (known is None or line.state != known.state):
                line = line._replace(state=self._check(line.state))
            said.append(line)
        if decoder.left:
            raise ProtocolError(f"{decoder.left} bytes follow the last client of an awareness update")
        return said

    def _check(self, state: bytes) -> bytes:
        if len(state) > self._max_state:
            reason = f"an awareness state of {len(state)} bytes is over the limit of {self._max_state}"
            raise ProtocolError(reason, CloseCode.TOO_LARGE)
        try:
            value = json.loads(str(state, "utf-8"), parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"an awareness state that is not JSON: {error}") from None
        if value is None:
            return _NULL  # with blanks around it
        if not isinstance(value, dict):
            raise ProtocolError("an awareness state is an object or null")
        if state.count(b"{") + state.count(b"[") > MAX_DEPTH and not _shallow(value):
            raise ProtocolError(f"an awareness state nested more than {MAX_DEPTH} deep")
        return state


def _may_succeed(peer: _Peer, entry: _Entry, line: _Said) -> bool:
    """Whether an introduction takes over an id that another connection owns (rules 3 and 4 above)."""
    owner = entry.owner
    if owner.identity is None:
        return line.clock - entry.clock <= _MAX_LEAD
    return owner.identity == peer.identity or owner.own != line.client


def _encode(said: Iterable[_Said]) -> bytes:
    lines = list(said)
    encoder = Encoder().varuint(len(lines))
    for client, clock, state in lines:
        encoder.varuint(client).varuint(clock).buffer(state)
    return bytes(encoder)


def _not_json(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _shallow(value: Any) -> bool:
    """Whether ``value`` nests at most ``MAX_DEPTH`` deep, found level by level without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False
