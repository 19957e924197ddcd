"""Difference: what makes one text of another, in edits that somebody might have made.

By lines, and within those that have changed by words. Not by characters: what two who rewrite one word have in common
by chance, a letter here and there, would be kept for the one, deleted for the other, and missing in what comes of both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, takewhile
from typing import Final, TypeAlias

__all__ = ["Edit", "differences"]

Edit: TypeAlias = tuple[int, int, str]
"""``(start, stop, text)``: what is between two places in the old text becomes ``text``."""

WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")
MOST_ALIKE: Final = 1_000_000
"""Pairs of equal lines, or words, in both texts that are looked at: about a second."""


def differences(old: str, new: str) -> list[Edit]:
    """What makes ``new`` of ``old``, from front to back; all places are those in ``old``.

    Where too much is alike to be compared in time, all that lies between the first and the last difference at once.
    """
    found: list[Edit] = []
    for start, before, after in _compared(old.splitlines(keepends=True), new.splitlines(keepends=True)):
        for offset, old_words, new_words in _compared(WORDS.findall(before), WORDS.findall(after)):
            found.append((start + offset, start + offset + len(old_words), new_words))
    return found


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Where the one has something else than the other: at which character, and what each has there."""
    front = _alike(old, new)
    back = _alike(old[front:][::-1], new[front:][::-1])
    middle, others = old[front : len(old) - back], new[front : len(new) - back]
    at = [*accumulate(map(len, middle), initial=sum(map(len, old[:front])))]
    counted = Counter(middle)
    if sum(counted[piece] for piece in others) > MOST_ALIKE:
        yield at[0], "".join(middle), "".join(others)
        return
    for tag, first, last, begin, end in SequenceMatcher(None, middle, others, autojunk=False).get_opcodes():
        if tag != "equal":
            yield at[first], "".join(middle[first:last]), "".join(others[begin:end])


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """How many pieces are the same at the beginning of both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
