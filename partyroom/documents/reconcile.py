"""Reconcile: two states of one document brought together, to go back from one to the other or to tell what changed.

All of it is computed from bytes, in any thread; the live document is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any, Final

from ..errors import Refused
from ..protocols import guard
from ..protocols.changes import Change, compare
from ..protocols.content import read
from ..protocols.ranges import alive, common, inserted, union, without
from ..protocols.revert import Reverted, characters, halved, revert
from ..protocols.shared import Kind, Shared
from ..protocols.structs import read_structs
from . import weave
from .authors import Author
from .bylines import Bylines

__all__ = ["changes", "new_clients", "restoring", "unified"]

MOST_COMPARED: Final = 4_000_000
"""Lines of one text times lines of another that are compared each with each."""


def restoring(then: bytes, now: bytes, writer: tuple[int, int]) -> Reverted | None:
    """The update that makes ``now`` hold what ``then`` held, by a client with its next clock; ``None`` if it does.

    What is in both is not touched. Raises ``Refused`` (409) where ``now`` did not grow out of ``then``.
    """
    structs, deletions = read_structs(then)
    structs_now, deletions_now = read_structs(now)
    if without(inserted(structs), inserted(structs_now)):
        raise Refused(409, "this version is of a history that has been replaced")
    before, after = alive(structs, deletions), alive(structs_now, deletions_now)
    whole = characters(structs)
    halves = common(halved(structs_now, whole), before)
    remove = union(without(after, before), common(halves, after))
    revive = union(without(before, after), halves)
    if not remove and not revive:
        return None
    woven = read(weave.weave([then, now]))
    return revert(woven, remove, revive, client=writer[0], clock=writer[1], whole=whole)


def changes(then: bytes, now: bytes, owners: Mapping[int, Author], by: Bylines) -> list[Change]:
    """What makes ``now`` of ``then``, with who did it and when: ``protocols.changes``.

    ``owners`` says whose clients are, and ``by`` who deleted what, and from when to when everybody edited.
    """
    woven = read(weave.weave([then, now]))
    states = [(read(state), alive(*read_structs(state))) for state in (then, now)]

    def inserter(client: int, start: int, end: int) -> Iterator[tuple[int, int, Any]]:
        yield start, end, _signed(owners.get(client), by)

    def deleter(client: int, start: int, end: int) -> Iterator[tuple[int, int, Any]]:
        for first, after, author in by.deleters(client, start, end):
            yield first, after, _signed(author, by)

    return compare(woven, states[0], states[1], inserter, deleter)


def unified(then: bytes, now: bytes, names: tuple[str, str]) -> list[str]:
    """The lines of a unified diff of all roots, texts as text and everything else as JSON."""
    before, after = read(then), read(now)
    lines: list[str] = []
    for name in {**before.roots, **after.roots}:
        kind = after.root(name).kind or before.root(name).kind
        old, new = (_lines(content.root(name), kind) for content in (before, after))
        titles = [f"{_line(name)}@{state}" for state in names]
        if len(old) * len(new) > MOST_COMPARED:
            lines += _unlike(old, new, titles)
        else:
            lines += unified_diff(old, new, titles[0], titles[1])
    return lines


def _lines(root: Shared, kind: Kind | None) -> list[str]:
    value = root.json(kind)
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, indent=1, ensure_ascii=False)
    return [line + "\n" for line in text.split("\n")] if text else []


def _unlike(old: list[str], new: list[str], titles: list[str]) -> list[str]:
    """The same for long texts, which are compared no further than to where they begin and end to be different."""
    start = next(
        (at for at, both in enumerate(zip(old, new, strict=False)) if both[0] != both[1]), min(len(old), len(new))
    )
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if not gone and not come:
        return []
    head = [f"--- {titles[0]}\n", f"+++ {titles[1]}\n", f"@@ -{start + 1},{len(gone)} +{start + 1},{len(come)} @@\n"]
    return [*head, *(f"-{line}" for line in gone), *(f"+{line}" for line in come)]


def _line(name: str) -> str:
    """A root's name, which anybody chooses, in one line."""
    return name if name.isprintable() else ascii(name)


def new_clients(then: bytes, now: bytes) -> list[int]:
    """The clients that have written between two states."""
    before, after = guard.check(then).clients, guard.check(now).clients
    return [client for client, (_, end) in after.items() if end > before.get(client, (0, 0))[1]]


def _signed(author: Author | None, by: Bylines) -> dict[str, Any] | None:
    """An author as JSON says it, with the time in which they edited."""
    if author is None:
        return None
    byline = by.of_author(author.who)
    span = {} if byline is None else {"from": byline.first, "to": byline.last}
    return {"who": author.who, "name": author.name, **span}
