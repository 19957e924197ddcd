"""Surrogates: characters that Yjs clients may cut in half, and how the document in the engine follows.

Yjs counts text in UTF-16 units, so an emoji is two clock ticks. A client may cut between them: naive bindings turn one
emoji into another by replacing its second half. Yjs then writes U+FFFD for each half, in every client
(``ContentString.splice``). The engine keeps Rust strings, which have no halves: it leaves the whole character on the
left and an empty text on the right, counts on with lengths that its texts do not have, and from then on what it
encodes lacks clock ticks. Newcomers, and the room after a restart from a snapshot, would wait for those forever.

So the ticks inside characters are remembered. When an update cuts at one of them, the character is replaced by two
U+FFFD in the bytes, as Yjs does it, before the engine cuts (``Replica`` builds the document anew from such bytes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .guard import Summary
from .lib0 import read_varuint, varuint

__all__ = ["Surrogates", "may_hold_pairs"]

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASTRAL_BYTES = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_TWO_HALVES = "\ufffd\ufffd"


def may_hold_pairs(update: bytes) -> bool:
    """Whether an update may hold a character of two ticks; ``False`` is certain, ``True`` is worth a walk."""
    return _ASTRAL_BYTES.search(update) is not None


class Surrogates:
    """The ticks inside the characters of one document, by client: those of whole characters, and those cut."""

    __slots__ = ("_torn", "_whole")

    def __init__(self) -> None:
        self._whole: dict[int, set[int]] = {}
        self._torn: dict[int, set[int]] = {}

    def __bool__(self) -> bool:
        """Whether there is any character that could be cut."""
        return bool(self._whole)

    def learn(self, update: bytes, summary: Summary) -> None:
        """Remembers the characters that an update brings."""
        for client, clock, start, end in summary.astral:
            torn = self._torn.get(client, ())
            inside = {tick for _, tick in _ticks(_text(update, start, end), clock)}
            if found := inside.difference(torn):
                self._whole.setdefault(client, set()).update(found)

    def tear(self, marks: Iterable[tuple[int, int]]) -> bool:
        """Notes which characters are cut at these marks; ``True`` where some were whole before."""
        new = False
        for client, clock in marks:
            whole = self._whole.get(client)
            if whole is not None and clock in whole:
                whole.discard(clock)
                self._torn.setdefault(client, set()).add(clock)
                new = True
        return new

    def mend(self, update: bytes, summary: Summary) -> bytes:
        """The update with U+FFFD for each half of the characters that have been cut."""
        out = bytearray(update)
        for client, clock, start, end in sorted(summary.astral, key=lambda text: text.start, reverse=True):
            torn = self._torn.get(client)
            if torn:
                text = _text(update, start, end)
                cut = {at for at, tick in _ticks(text, clock) if tick in torn}
                if cut:
                    mended = "".join(_TWO_HALVES if at in cut else c for at, c in enumerate(text)).encode()
                    out[start:end] = varuint(len(mended)) + mended
        return bytes(out)


def _text(update: bytes, start: int, end: int) -> str:
    _, at = read_varuint(update, start)
    return str(update[at:end], "utf-8")


def _ticks(text: str, clock: int) -> Iterable[tuple[int, int]]:
    """Where each character of two ticks is in ``text``, and its second tick in a struct that begins at ``clock``."""
    for before, match in enumerate(_ASTRAL.finditer(text)):
        at = match.start()
        yield at, clock + at + before + 1
