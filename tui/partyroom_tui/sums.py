"""Sums: a long list of whole numbers in which sums up to an index, and the index of a sum, are found quickly.

A text in lines needs three of these: how many code points, how many rows of the screen and how many bytes lie above a
line. An edit changes a few numbers in the middle, so they are kept in blocks, and the sums within a block, and of the
blocks, are added up again when they are next asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

__all__ = ["Sums"]

BLOCK: Final = 512
"""Numbers of a block as it is made; one that has grown to twice as many is cut."""


class _Block:
    """Some neighbours, and for each the sum of those before it."""

    __slots__ = ("_before", "numbers", "total")

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.total = sum(numbers)
        self._before: list[int] | None = None

    @property
    def before(self) -> list[int]:
        if self._before is None:
            self._before = list(accumulate(self.numbers, initial=0))
        return self._before


class Sums:
    """Numbers that are not negative."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._blocks: list[_Block] = []
        self._firsts = [0]
        self._totals = [0]
        self.splice(0, 0, list(numbers))

    def __len__(self) -> int:
        return self._firsts[-1]

    @property
    def total(self) -> int:
        """The sum of all."""
        return self._totals[-1]

    def splice(self, start: int, stop: int, numbers: Sequence[int]) -> None:
        """Put ``numbers`` where those from ``start`` to ``stop`` are."""
        first, last = self._block(start), self._block(stop)
        head = self._blocks[first].numbers[: start - self._firsts[first]] if self._blocks else []
        tail = self._blocks[last].numbers[stop - self._firsts[last] :] if self._blocks else []
        new = [*head, *numbers, *tail]
        size = BLOCK if len(new) > 2 * BLOCK else len(new) or 1
        self._blocks[first : last + 1] = [_Block(new[at : at + size]) for at in range(0, len(new), size)]
        self._firsts = list(accumulate((len(block.numbers) for block in self._blocks), initial=0))
        self._totals = list(accumulate((block.total for block in self._blocks), initial=0))

    def before(self, index: int) -> int:
        """The sum of the first ``index`` numbers."""
        if not self._blocks:
            return 0
        at = self._block(index)
        return self._totals[at] + self._blocks[at].before[index - self._firsts[at]]

    def find(self, amount: int) -> tuple[int, int]:
        """The index of the number within which the sum reaches beyond ``amount``, and how far ``amount`` is into it.

        An amount that is the total or more is in no number: the last one's index, and how far it is from its start.
        """
        at = min(bisect_right(self._totals, amount) - 1, len(self._blocks) - 1)
        block, left = self._blocks[at], amount - self._totals[at]
        offset = min(bisect_right(block.before, left) - 1, len(block.numbers) - 1)
        return self._firsts[at] + offset, left - block.before[offset]

    def _block(self, index: int) -> int:
        """The block of an index; of the one after the last, the last block."""
        return max(min(bisect_right(self._firsts, index) - 1, len(self._blocks) - 1), 0)
