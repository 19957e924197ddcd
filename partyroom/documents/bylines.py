"""Bylines: who edited a document between two of its versions, from when to when, and what they deleted.

What somebody inserted is told by the client ids in the document itself; of a deletion Yjs keeps no author.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..protocols.lib0 import Decoder, Encoder
from ..protocols.ranges import Ticks, add, decode, encode, pieces, union, without
from ..protocols.structs import read_structs
from .authors import Author
from .beats import Beat

__all__ = ["Byline", "Bylines"]


@dataclass(slots=True)
class Byline:
    """One author's part: first and last time (seconds since the epoch, to two seconds), and what they deleted."""

    author: Author
    first: float
    last: float
    deleted: Ticks = field(default_factory=dict)


class Bylines:
    """All authors between two versions, in the order in which they began."""

    def __init__(self, bylines: Iterable[Byline] = ()) -> None:
        self._by = {byline.author.who: byline for byline in bylines}

    @classmethod
    def of(cls, beats: Iterable[Beat], known: Ticks) -> Bylines:
        """Those of some beats; ``known`` was deleted before, and becomes what was deleted after.

        A deletion is its first author's: a client that comes back sends along all that it knows to be deleted.
        """
        found = cls()
        for beat in beats:
            for author, update in beat.edits:
                byline = found._line(author, beat.began)
                byline.last = max(byline.last, beat.ended)
                if update[-1]:  # else its delete set is empty
                    news = without(read_structs(update)[1], known)
                    add(known, news)
                    add(byline.deleted, news)
        return found

    @property
    def authors(self) -> tuple[Author, ...]:
        """Who they are."""
        return tuple(byline.author for byline in self._by.values())

    def of_author(self, who: str) -> Byline | None:
        """One author's part."""
        return self._by.get(who)

    def deleters(self, client: int, start: int, end: int) -> Iterator[tuple[int, int, Author | None]]:
        """Who deleted the clocks of a client from ``start`` to ``end``, in parts and in order."""
        for byline in self._by.values():
            parts = pieces(byline.deleted, client, start, end)
            if any(here for _, _, here in parts):
                for first, after, here in parts:
                    if here:
                        yield first, after, byline.author
                    else:
                        yield from self._others(byline).deleters(client, first, after)
                return
        yield start, end, None

    def _others(self, than: Byline) -> Bylines:
        return Bylines(byline for byline in self._by.values() if byline is not than)

    def then(self, later: Bylines) -> Bylines:
        """These and later ones together, when the version between them goes."""
        joined = Bylines(Byline(one.author, one.first, one.last, union(one.deleted)) for one in self._by.values())
        for one in later._by.values():
            byline = joined._line(one.author, one.first)
            byline.last = max(byline.last, one.last)
            add(byline.deleted, one.deleted)
        return joined

    def to_bytes(self) -> bytes:
        """As it is stored."""
        encoder = Encoder().varuint(len(self._by))
        for byline in self._by.values():
            encoder.any([*byline.author, byline.first, byline.last]).buffer(encode(byline.deleted))
        return bytes(encoder)

    @classmethod
    def from_bytes(cls, data: bytes) -> Bylines:
        """What ``to_bytes`` made."""
        source = Decoder(data)
        found = cls()
        for _ in range(source.varuint()):
            who, name, first, last = source.any()
            found._by[who] = Byline(Author(who, name), first, last, decode(source.buffer()))
        return found

    def _line(self, author: Author, began: float) -> Byline:
        byline = self._by.get(author.who)
        if byline is None:
            byline = self._by[author.who] = Byline(author, began, began)
        return byline
