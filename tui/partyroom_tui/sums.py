"""Sums: a long list of whole numbers in which sums up to an index, and the index of a sum, are found quickly.

A text in lines needs three of these: how many code points, how many rows of the screen and how many bytes lie above a
line. An edit changes a few numbers in the middle, so the numbers are kept in blocks, each with its sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["Sums"]

BLOCK: Final = 512
"""Numbers of a block as it is made; one that has grown to twice as many is cut."""


class Sums:
    """Numbers that are not negative, in blocks."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.total = 0
        """The sum of all."""
        self._blocks: list[list[int]] = []
        self._sums: list[int] = []
        self._count = 0
        self.splice(0, 0, list(numbers))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        at, offset = self._block(index)
        return self._blocks[at][offset]

    def splice(self, start: int, stop: int, numbers: Sequence[int]) -> None:
        """Put ``numbers`` where those from ``start`` to ``stop`` are."""
        first, offset = self._block(start)
        last, end = first, offset + stop - start
        while last < len(self._blocks) and end > len(self._blocks[last]):
            end -= len(self._blocks[last])
            last += 1
        head = self._blocks[first][:offset] if first < len(self._blocks) else []
        tail = self._blocks[last][end:] if last < len(self._blocks) else []
        new = [*head, *numbers, *tail]
        size = BLOCK if len(new) > 2 * BLOCK else max(len(new), 1)
        blocks = [new[at : at + size] for at in range(0, len(new), size)]
        self._blocks[first : last + 1] = blocks
        gone = sum(self._sums[first : last + 1])
        self._sums[first : last + 1] = sums = [sum(block) for block in blocks]
        self.total += sum(sums) - gone
        self._count += len(numbers) - (stop - start)

    def before(self, index: int) -> int:
        """The sum of the first ``index`` numbers."""
        at, offset = self._block(index)
        return sum(self._sums[:at]) + (sum(self._blocks[at][:offset]) if offset else 0)

    def find(self, amount: int) -> tuple[int, int]:
        """The index of the number within which the sum reaches beyond ``amount``, and how far ``amount`` is into it.

        An amount that is the total or more is in no number: the last one's index, and how far it is from its start.
        """
        index = 0
        for at, total in enumerate(self._sums):
            if amount < total or at == len(self._sums) - 1:
                break
            amount -= total
            index += len(self._blocks[at])
        for number in self._blocks[at]:
            if amount < number or index == self._count - 1:
                break
            amount -= number
            index += 1
        return index, amount

    def _block(self, index: int) -> tuple[int, int]:
        """The block of an index and the offset in it; of the index after the last, the end of the last block."""
        last = len(self._blocks) - 1
        for at, block in enumerate(self._blocks):
            if index < len(block) or (at == last and index == len(block)):
                return at, index
            index -= len(block)
        return 0, 0
