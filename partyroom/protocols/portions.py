"""Portions: an update taken apart into updates that can be applied one after the other, each on its own.

The engine applies an update in one go, for as long as that takes, and keeps for itself what lacks a predecessor: all of
it is then read and written anew with every update that comes. So what is large is handed to it in portions, between
which others get their turn, and what has to wait waits here, at no cost, until what it lacks is there.

The order is that of Yjs (``utils/encoding.js``, ``integrateStructs``): the highest client first, and in between
whatever its structs refer to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from itertools import chain, count
from typing import Final, NamedTuple

from .guard import Section, Summary, skim
from .lib0 import Encoder, read_varuint
from .structs import COLLECTED, GAP

__all__ = ["Portion", "Portions"]


MOST_STRUCTS: Final = 10_000
"""Of one portion, counting those that cost the engine nothing, for they have been collected."""
MOST_SEEN: Final = 20_000
"""Deletions that are looked at for one portion."""


class Portion(NamedTuple):
    """An update that can be applied now: so many items or deletions, and the clock up to which each client of the items
    is known then. Nothing is in it where ``size`` is 0 and ``ends`` is empty, but that it was a long way to there."""

    update: bytes
    size: int
    ends: dict[int, int]


class Portions:
    """One update, or several of which each builds on those before it; ``guard.check`` gave their summaries."""

    def __init__(self, *updates: tuple[bytes, Summary]) -> None:
        self._sections: dict[int, _Section] = {}
        for update, summary in updates:
            for section in summary.sections:
                self._sections.setdefault(section.client, _Section(section.client)).add(update, section)
        self._deletions = chain.from_iterable(_deletions(update, summary.deletions_at) for update, summary in updates)
        self._next_deletion = next(self._deletions, None)
        self._held: dict[int, list[tuple[int, int]]] = {}
        """Deletions of what is not known yet, by client: heaps."""
        self._order = [-client for client in self._sections]
        heapify(self._order)
        self._stack: list[_Section] = []
        self._free = set(self._sections)
        """Whose next struct may be taken, as far as is known, and that nobody in the stack waits with."""
        self._blocked: dict[int, list[tuple[int, int, _Section]]] = {}
        """By the client that has to come further, past the first of the numbers, before a section can go on: heaps."""
        self._numbers = count()

    @property
    def done(self) -> bool:
        """Whether everything has been taken."""
        return not (self._sections or self._held) and self._next_deletion is None

    def take(self, known: Mapping[int, int], most: int) -> Portion | None:
        """The next items, at most so many, or deletions; ``None`` where nothing more can be applied for now.

        ``known`` is how far the document knows each client; it has to include what was taken before.
        """
        ends: dict[int, int] = {}
        runs: dict[int, _Run] = {}
        size = structs = 0
        while size < most and structs < MOST_STRUCTS and (section := self._current()) is not None:
            client = section.client
            state = ends.get(client) or known.get(client, 0)
            if not section.skip_to(state):
                self._leave(section)
            elif (missing := section.missing(state, known, ends)) is not None:
                self._seek(*missing)
            else:
                run = runs.get(client)
                if run is None:
                    run = runs[client] = _Run(section.clock)
                elif section.clock < state:
                    break  # another update's part of this client, which overlaps: a portion names each client once
                struct = section.take()
                run.structs += struct
                run.count += 1
                ends[client] = section.clock
                structs += 1
                size += struct[0] != COLLECTED
                self._wake(client, ends[client])
                if len(self._stack) > 1:
                    self._let_go(self._stack.pop())
        if runs:
            return Portion(_encoded(runs), size, ends)
        return self._take_deletions(known, most)

    def wakes(self, clients: Iterable[int], known: Mapping[int, int]) -> bool:
        """Whether there may be something to take, now that these clients have come further."""
        woken = bool(self._order)  # nothing has been taken yet
        for client in clients:
            clock = known.get(client, 0)
            woken |= client in self._blocked and self._wake(client, clock)
            woken |= client in self._held and self._held[client][0][0] < clock
        return woken

    # -- whose turn it is --------------------------------------------------------------------------------------------

    def _current(self) -> _Section | None:
        """The section that the next struct is taken from."""
        while not self._stack:
            if not self._order:
                return None
            client = -heappop(self._order)
            if client in self._free:
                self._free.discard(client)
                self._stack.append(self._sections[client])
        return self._stack[-1]

    def _seek(self, client: int, clock: int) -> None:
        """The last section needs a client's clock first: from a section of this update, or else all have to wait."""
        if client in self._free:
            self._free.discard(client)
            self._stack.append(self._sections[client])
        else:
            blocked = self._blocked.setdefault(client, [])
            for section in self._stack:
                heappush(blocked, (clock, next(self._numbers), section))
            self._stack = []

    def _leave(self, section: _Section) -> None:
        """There is no more of the last section."""
        self._stack.pop()
        del self._sections[section.client]

    def _let_go(self, section: _Section) -> None:
        """It was needed for one struct; the rest comes when it is its turn."""
        self._make_free(section.client)

    def _make_free(self, client: int) -> None:
        self._free.add(client)
        heappush(self._order, -client)

    def _wake(self, client: int, end: int) -> bool:
        """Whether a section can go on, now that a client is known up to ``end``."""
        blocked = self._blocked.get(client)
        if blocked is None or blocked[0][0] >= end:
            return False
        while blocked and blocked[0][0] < end:
            self._make_free(heappop(blocked)[2].client)
        if not blocked:
            del self._blocked[client]
        return True

    # -- deletions ---------------------------------------------------------------------------------------------------

    def _take_deletions(self, known: Mapping[int, int], most: int) -> Portion | None:
        """The deletions of what is known, at most so many, as an update; one without any where there may be more."""
        taken: dict[int, list[tuple[int, int]]] = {}
        size = seen = 0
        for client in list(self._held):
            held, state = self._held[client], known.get(client, 0)
            while held and held[0][0] < state and size < most:
                self._take_deletion(taken, client, *heappop(held), state)
                size += 1
            if not held:
                del self._held[client]
        while self._next_deletion is not None and size < most and seen < MOST_SEEN:
            client, start, end = self._next_deletion
            size += self._take_deletion(taken, client, start, end, known.get(client, 0))
            seen += 1
            self._next_deletion = next(self._deletions, None)
        if not taken and not seen:
            return None
        out = Encoder().varuint(0).varuint(len(taken))
        for client, spans in taken.items():
            out.varuint(client).varuint(len(spans))
            for start, end in spans:
                out.varuint(start).varuint(end - start)
        return Portion(bytes(out), size, {})

    def _take_deletion(
        self, taken: dict[int, list[tuple[int, int]]], client: int, start: int, end: int, state: int
    ) -> bool:
        """Take what is known of a deletion and hold the rest; whether there was anything to take."""
        if end > state:
            heappush(self._held.setdefault(client, []), (max(start, state), end))
        if start < state:
            taken.setdefault(client, []).append((start, min(end, state)))
        return start < state


class _Run:
    """Structs of one client that follow each other from ``clock`` on."""

    __slots__ = ("clock", "count", "structs")

    def __init__(self, clock: int) -> None:
        self.clock = clock
        self.count = 0
        self.structs = bytearray()


class _Section:
    """What is left of one client's structs: the next one begins at the byte ``at`` of ``data`` and has ``clock``."""

    __slots__ = ("_further", "_left", "_next", "at", "client", "clock", "data")

    def __init__(self, client: int) -> None:
        self.client = client
        self.data = b""
        self.at = self.clock = 0
        self._left = 0
        self._next: tuple[int, int, tuple[tuple[int, int], ...]] | None = None
        self._further: list[tuple[bytes, Section]] = []

    def add(self, data: bytes, section: Section) -> None:
        """Continue with another update's structs."""
        self._further.append((data, section))

    def skip_to(self, state: int) -> bool:
        """Pass over what is known up to ``state``; whether there is anything after that."""
        while True:
            if self._left == 0:
                if not self._further:
                    return False
                self.data, (_, self.clock, self._left, self.at) = self._further.pop(0)
            end, length, _ = self._head()
            if self.clock + length > state:
                return True
            self._pass(end, length)

    def missing(self, state: int, known: Mapping[int, int], ends: Mapping[int, int]) -> tuple[int, int] | None:
        """The client and the clock that have to be known before the next struct."""
        if self.clock > state:
            return self.client, self.clock - 1
        _, length, references = self._head()
        if self.data[self.at] == GAP:
            return self.client, self.clock + length - 1
        for who, when in references:
            if when >= (ends.get(who) or known.get(who, 0)):
                return who, when
        return None

    def take(self) -> bytes:
        """Take the next struct."""
        start = self.at
        end, length, _ = self._head()
        self._pass(end, length)
        return self.data[start:end]

    def _head(self) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        head = self._next
        if head is None:
            head = self._next = skim(self.data, self.at)
        return head

    def _pass(self, end: int, length: int) -> None:
        self.at = end
        self.clock += length
        self._left -= 1
        self._next = None


def _encoded(runs: Mapping[int, _Run]) -> bytes:
    out = Encoder().varuint(len(runs))
    for client, run in runs.items():
        out.varuint(run.count).varuint(client).varuint(run.clock)
        out.data += run.structs
    return bytes(out.varuint(0))


def _deletions(update: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Client, beginning and end of each deletion."""
    sections, at = read_varuint(update, at)
    for _ in range(sections):
        client, at = read_varuint(update, at)
        count, at = read_varuint(update, at)
        for _ in range(count):
            start, at = read_varuint(update, at)
            length, at = read_varuint(update, at)
            if length:
                yield client, start, start + length
