"""Moves: where an index is after an edit, as the relative position there would say."""

from __future__ import annotations

from partyroom.client import SpanEdit

__all__ = ["common", "moved"]


def moved(index: int, edit: SpanEdit, *, right: bool = False) -> int:
    """The index after an edit of what an index was before it; ``right`` is to cling to what is on the right of it.

    In the midst of what has been deleted, it is after what was put there instead.
    """
    if index < edit.index or (index == edit.index and not right):
        return index
    return edit.index + len(edit.inserted) + max(index - edit.index - len(edit.deleted), 0)


def common(old: str, new: str) -> tuple[int, int]:
    """How many characters two texts have in common at the beginning, and at the end without overlap."""
    shorter = min(len(old), len(new))
    if not shorter:
        return 0, 0
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    rest = shorter - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return head, tail
