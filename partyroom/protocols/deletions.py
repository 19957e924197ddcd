"""Whether what one update deletes is deleted in another: every SyncStep2 holds all deletions that its sender knows of.

A Yjs client that has nothing new answers a SyncStep1 with no structs and its whole delete set
(``yjs/src/utils/encoding.js``), which is news only where the delete set is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from .guard import Summary

__all__ = ["covers"]


def covers(known: Summary, asked: Summary) -> bool:
    """Whether all that ``asked`` deletes is deleted in ``known``; both summarise updates without structs."""
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for client, start, end in sorted(_spans(known)):
        if client in ends and start <= ends[client][-1]:
            ends[client][-1] = max(end, ends[client][-1])
        else:
            starts.setdefault(client, []).append(start)
            ends.setdefault(client, []).append(end)
    for client, start, end in _spans(asked):
        at = bisect_right(starts.get(client, []), start) - 1
        if at < 0 or ends[client][at] < end:
            return False
    return True


def _spans(deletions: Summary) -> Iterator[tuple[int, int, int]]:
    """Client, beginning and end of each deletion: the marks of an update in which nothing else leaves marks."""
    marks = iter(deletions.marks)
    for (client, start), (_, end) in zip(marks, marks, strict=True):
        yield client, start, end
