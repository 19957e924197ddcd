"""Beats: who made the latest edits of a document, kept beside its log for as long as they may have to be taken back.

The log is for the document, and forgets by whom an update came and, when it is compacted, what was deleted. Here the
latest updates are written down again with their authors, every two seconds in which there are any, off the path of an
edit. All of them together are bounded (``KEPT``), and the oldest go first.

=======================  ==============================================================================
``document/beat/<n>``    ``n`` in 12 digits; compressed: times, authors, and the updates in their order
=======================  ==============================================================================

A beat is in the store some two seconds after its edits: a crash loses by whom the last of them were, not the edits.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..limits import MIB
from ..protocols.lib0 import Decoder, Encoder, varuint
from ..protocols.revert import Copy
from ..storage import Storage
from .authors import Author

__all__ = ["KEPT", "Beat", "Beats", "Taking"]

BEAT: Final = "document/beat/"
KEPT: Final = 1 * MIB
"""How many bytes of compressed beats are kept; the last one in any case."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What a beat is that takes edits back, or brings them again: of whom, which beats, and what it copied."""

    kind: Literal["undo", "redo"]
    who: str
    beats: tuple[int, ...]
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """Edits of about two seconds: when (seconds since the epoch), and each update with its author, in order."""

    number: int
    began: float
    ended: float
    edits: tuple[tuple[Author, bytes], ...]
    taking: Taking | None = None

    def to_bytes(self) -> bytes:
        """As it is stored."""
        authors = list(dict.fromkeys(author for author, _ in self.edits))
        numbers = {author: number for number, author in enumerate(authors)}
        head: dict[str, Any] = {"from": self.began, "to": self.ended, "by": [list(author) for author in authors]}
        if self.taking is not None:
            head |= {"kind": self.taking.kind, "who": self.taking.who, "of": list(self.taking.beats)}
            head["copies"] = [number for copy in self.taking.copies for number in copy]
        parts = [bytes(Encoder().any(head).varuint(len(self.edits)))]
        for author, update in self.edits:
            parts += (varuint(numbers[author]), varuint(len(update)), update)
        return zlib.compress(b"".join(parts), 1)

    @classmethod
    def from_bytes(cls, number: int, data: bytes) -> Beat:
        """What ``to_bytes`` made."""
        source = Decoder(zlib.decompress(data))
        head = source.any()
        authors = [Author(*author) for author in head["by"]]
        edits = tuple((authors[source.varuint()], source.buffer()) for _ in range(source.varuint()))
        taking = None
        if "kind" in head:
            numbers = iter(head["copies"])
            copies = tuple(Copy(*four) for four in zip(numbers, numbers, numbers, numbers, strict=True))
            taking = Taking(head["kind"], head["who"], tuple(head["of"]), copies)
        return cls(number, head["from"], head["to"], edits, taking)


class Beats:
    """The beats in a room's storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._sizes: deque[tuple[int, int]] | None = None
        self._next = 0

    async def open(self) -> bool:
        """Look at what is stored; whether there is anything."""
        if self._sizes is None:
            rows = await self._storage.list(BEAT)
            if self._sizes is None:  # nobody has been faster meanwhile
                self._sizes = deque((_number(key), len(row)) for key, row in rows.items())
                self._next = self._sizes[-1][0] + 1 if self._sizes else 0
        return bool(self._sizes)

    def keep(
        self, began: float, ended: float, edits: list[tuple[Author, bytes]], taking: Taking | None = None
    ) -> dict[str, bytes]:
        """The next beat's row, to be stored at once; what is too old to stay beside it is deleted. After ``open``."""
        assert self._sizes is not None
        beat = Beat(self._next, began, ended, tuple(edits), taking)
        row = beat.to_bytes()
        self._next += 1
        self._sizes.append((beat.number, len(row)))
        total = sum(size for _, size in self._sizes)
        gone = []
        while total > KEPT and len(self._sizes) > 1:
            number, size = self._sizes.popleft()
            total -= size
            gone.append(_key(number))
        if gone:
            self._storage.delete(gone)
        return {_key(beat.number): row}

    @property
    def next(self) -> int:
        """The number that the next beat will have."""
        return self._next

    async def since(self, number: int = 0) -> list[Beat]:
        """The beats that are kept, from a number on."""
        rows = await self._storage.list(BEAT, start=_key(number))
        return await asyncio.to_thread(_beats, rows)

    def forget(self) -> None:
        """They have been deleted."""
        self._sizes = deque()


def _beats(rows: dict[str, bytes]) -> list[Beat]:
    return [Beat.from_bytes(_number(key), row) for key, row in rows.items()]


def _key(number: int) -> str:
    return f"{BEAT}{number:012}"


def _number(key: str) -> int:
    return int(key.removeprefix(BEAT))
