"""Surrogates: characters that Yjs clients may cut in half, and how the document in the engine follows.

Yjs counts text in UTF-16 units, so an emoji is two clock ticks. A client may cut between them: naive bindings turn one
emoji into another by replacing its second half. Yjs then writes U+FFFD for each half, in every client
(``ContentString.splice``). The engine keeps Rust strings, which have no halves: it leaves the whole character on the
left and an empty text on the right, counts on with lengths that its texts do not have, and from then on what it
encodes lacks clock ticks. Newcomers, and the room after a restart from a snapshot, would wait for those forever.

So the ticks inside characters are remembered (of texts that hold many, the text itself in UTF-16). When an update cuts
at one of them, the character is replaced by two U+FFFD in the bytes, as Yjs does it, before the engine cuts
(``Replica`` builds the document anew from such bytes).
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from .guard import Summary
from .lib0 import read_varuint, varuint

__all__ = ["Surrogates", "may_hold_pairs"]

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASTRAL_BYTES = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_TWO_HALVES: Final = "\ufffd\ufffd".encode("utf-16-le")
_MANY: Final = 500
"""From how many characters of two ticks on a text itself is kept: 4 bytes each, and not a hundred."""


def may_hold_pairs(update: bytes) -> bool:
    """Whether an update may hold a character of two ticks; ``False`` is certain, ``True`` is worth a walk."""
    return _ASTRAL_BYTES.search(update) is not None


class _Long(NamedTuple):
    """A text with many such characters: its first clock, and its units in UTF-16."""

    clock: int
    units: bytes | bytearray

    def has_inside(self, clock: int) -> bool:
        """Whether a clock is the second tick of a character."""
        at = 2 * (clock - self.clock) + 1
        return 2 < at < len(self.units) and self.units[at] & 0xFC == 0xDC

    @property
    def end(self) -> int:
        """The clock after it."""
        return self.clock + len(self.units) // 2


class Surrogates:
    """The ticks inside the characters of one document, by client: those of whole characters, and those cut."""

    __slots__ = ("_long", "_torn", "_whole")

    def __init__(self) -> None:
        self._whole: dict[int, set[int]] = {}
        self._long: dict[int, list[_Long]] = {}
        self._torn: dict[int, set[int]] = {}

    def __bool__(self) -> bool:
        """Whether there is any character that could be cut."""
        return bool(self._whole or self._long)

    def learn(self, update: bytes, summary: Summary, known: Mapping[int, int] | None = None) -> None:
        """Remembers the characters that an update brings, in texts that go beyond the clocks that are ``known``."""
        for client, clock, start, end in summary.astral:
            text = _text(update, start, end)
            one = _Long(clock, text.encode("utf-16-le"))
            if known is not None and one.end <= known.get(client, 0):
                continue
            if one.end - clock - len(text) < _MANY:
                found = set(_ticks(text, clock)).difference(self._torn.get(client, ()))
                if found:
                    self._whole.setdefault(client, set()).update(found)
            else:
                long = self._long.setdefault(client, [])
                at = bisect_right(long, clock, key=_clock)
                if at == 0 or long[at - 1].end <= clock:
                    insort(long, one, key=_clock)

    def tear(self, marks: Iterable[tuple[int, int]]) -> bool:
        """Notes which characters are cut at these marks; ``True`` where some were whole before."""
        new = False
        for client, clock in marks:
            whole = self._whole.get(client)
            if whole is not None and clock in whole:
                whole.discard(clock)
            elif client not in self._long or not self._is_in_long(client, clock):
                continue
            self._torn.setdefault(client, set()).add(clock)
            new = True
        return new

    def _is_in_long(self, client: int, clock: int) -> bool:
        """Whether a clock is inside a whole character of a long text."""
        long = self._long[client]
        at = bisect_right(long, clock, key=_clock) - 1
        return at >= 0 and long[at].has_inside(clock) and clock not in self._torn.get(client, ())

    def mend(self, update: bytes, summary: Summary) -> bytes:
        """The update with U+FFFD for each half of the characters that have been cut."""
        pieces: list[bytes] = []
        done = 0
        for client, clock, start, end in summary.astral:  # in the order of the bytes
            torn = self._torn.get(client)
            if torn and (mended := _mended(_text(update, start, end), clock, torn)) is not None:
                pieces += [update[done:start], varuint(len(mended)), mended]
                done = end
        return b"".join([*pieces, update[done:]]) if pieces else update


def _mended(text: str, clock: int, torn: set[int]) -> bytes | None:
    """A text that begins at a clock with two halves for each character that is cut, in UTF-8; ``None`` if none is."""
    units = bytearray(text.encode("utf-16-le"))
    long = _Long(clock, units)
    cut = [tick for tick in (torn if len(torn) < len(text) else _ticks(text, clock)) if tick in torn]
    cut = [tick for tick in cut if long.has_inside(tick)]
    for tick in cut:
        at = 2 * (tick - clock) - 2
        units[at : at + 4] = _TWO_HALVES
    return units.decode("utf-16-le").encode() if cut else None


def _clock(text: _Long) -> int:
    return text.clock


def _text(update: bytes, start: int, end: int) -> str:
    _, at = read_varuint(update, start)
    return str(update[at:end], "utf-8")


def _ticks(text: str, clock: int) -> Iterator[int]:
    """The second ticks of characters, in a text that begins at ``clock``."""
    for before, match in enumerate(_ASTRAL.finditer(text)):
        yield clock + match.start() + before + 1
