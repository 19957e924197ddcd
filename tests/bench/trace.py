"""A long document as people make one: two authors who type, correct, jump about and paste, keystroke by keystroke.

From a seed, since no recorded trace is at hand. It resembles those on record in what matters to an engine: most edits
go on where the last one was, about a tenth of what is typed is taken back at once, a few characters at a time, and the
text ends in thousands of pieces of a few characters to a few dozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from pycrdt import Doc, Text

__all__ = ["ROOT", "long_document", "trace"]

ROOT = "body"
LETTERS = "etaoin shrdlu cmfwyp vbgkqj"
PASTE = "The quick brown fox jumps over the lazy dog, and the dog does not mind it. "


class Author:
    """One person with a copy of the document, a cursor and a habit of going on where they were."""

    def __init__(self, number: int, dice: Random) -> None:
        self.doc: Doc[Any] = Doc(client_id=1_000 + number)
        self._dice = dice
        self._text = self.doc.get(ROOT, type=Text)
        self._cursor = 0

    def burst(self) -> Iterator[None]:
        """One after the other, the edits of some seconds."""
        dice = self._dice
        if dice.random() < 0.06:  # to another place
            self._cursor = dice.randrange(len(self._text) + 1)
        self._cursor = min(self._cursor, len(self._text))
        what = dice.random()
        if what < 0.02:
            self._insert(PASTE * dice.randint(1, 5))
            yield
        elif what < 0.08:
            self._delete(dice.randint(5, 60))
            yield
        else:
            for _ in range(dice.randint(3, 60)):
                for _ in range(dice.randint(2, 8) if dice.random() < 0.025 else 0):
                    self._delete(1)
                    yield
                self._insert(dice.choice(LETTERS))
                yield

    def _insert(self, text: str) -> None:
        self._text.insert(self._cursor, text)
        self._cursor += len(text)

    def _delete(self, count: int) -> None:
        start = max(0, self._cursor - count)
        if start < self._cursor:
            del self._text[start : self._cursor]
        self._cursor = start


def trace(seed: int, edits: int) -> Iterator[bytes]:
    """The updates of so many edits, in the order in which a server gets them."""
    dice = Random(seed)
    authors = [Author(number, dice) for number in range(2)]
    made: list[bytes] = []
    watching = [author.doc.observe(lambda event: made.append(event.update)) for author in authors]
    count = 0
    while count < edits:
        author = dice.choices(authors, (3, 1))[0]
        for _ in author.burst():
            count += len(made)
            yield from made
            made.clear()
        for other in authors:
            if other is not author:
                other.doc.apply_update(author.doc.get_update(other.doc.get_state()))
        made.clear()
    for author, subscription in zip(authors, watching, strict=True):
        author.doc.unobserve(subscription)


def long_document(seed: int, edits: int) -> bytes:
    """The state of a document after so many edits."""
    doc: Doc[Any] = Doc()
    for update in trace(seed, edits):
        doc.apply_update(update)
    return doc.get_update()
