"""Mirror: what a document holds, kept in step with the engine's document by the updates of its transactions.

Everything that a client *reads* comes from here and not from the engine, for four reasons, all met with pycrdt 0.14:
reading an array in which a stranger has planted text with an emoji never returns (``protocols.replica``); whole numbers
come back as floats; the clocks of its positions are wrong beyond ASCII; and the observers of its shared types, which
would tell what changed, have the first trouble too.

Items find their places by the rules of Yjs (YATA; ``yjs/src/structs/Item.js``). An update costs what is in it, not what
is in the document. All updates come from the engine, which has every predecessor and keeps back what lacks one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import PartyroomError
from ..protocols.lib0 import Encoder
from ..protocols.structs import COLLECTED, GAP, STRING, TYPE, Id, Struct, read_structs
from .items import Branch, Item, Line
from .reading import contents, value

__all__ = ["KeyTouch", "Mirror", "NewTouch", "OutOfStep", "SpanTouch", "Touch"]


class OutOfStep(PartyroomError):
    """An update refers to what the mirror does not have: it is to be built anew from the whole document."""


@dataclass(frozen=True, slots=True)
class KeyTouch:
    """A key was set or deleted; ``old`` is its value before, where it ``had`` one."""

    branch: Branch
    key: str
    had: bool
    old: Any


@dataclass(frozen=True, slots=True)
class SpanTouch:
    """Something came or went at ``index`` of a list or text: pieces of text, or values."""

    branch: Branch
    index: int
    inserted: Any
    deleted: Any


@dataclass(frozen=True, slots=True)
class NewTouch:
    """A shared type was made: what is put into it at the same time is told with it."""

    branch: Branch


Touch: TypeAlias = KeyTouch | SpanTouch | NewTouch


class _Section:
    """All items of one client, by clock."""

    __slots__ = ("end", "items", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.items: list[Item] = []
        self.end = 0

    def add(self, item: Item) -> None:
        self.starts.append(item.clock)
        self.items.append(item)
        self.end = item.end

    def insert(self, item: Item) -> None:
        at = bisect_left(self.starts, item.clock)
        self.starts.insert(at, item.clock)
        self.items.insert(at, item)


class Mirror:
    """A document's shared types: ``root(name)`` and, by the item that brings them, ``find``.

    ``touches`` is ``None``, or a list to which everything that changes is added.
    """

    def __init__(self, update: bytes = b"\x00\x00") -> None:
        self.touches: list[Touch] | None = None
        self._roots: dict[str, Branch] = {}
        self._sections: dict[int, _Section] = {}
        self._keys_touched: set[tuple[Branch, str]] = set()
        self.apply(update)

    def root(self, name: str) -> Branch:
        """A root, empty where the document has none of that name."""
        branch = self._roots.get(name)
        if branch is None:
            branch = self._roots[name] = Branch(name)
        return branch

    def clock(self, client: int) -> int:
        """The clock after the last tick of a client."""
        section = self._sections.get(client)
        return 0 if section is None else section.end

    def state_vector(self) -> bytes:
        """The clocks of all clients, as a Yjs state vector."""
        out = Encoder().varuint(len(self._sections))
        for client, section in self._sections.items():
            out.varuint(client).varuint(section.end)
        return bytes(out)

    def find(self, at: Id) -> Item | None:
        """The item with this tick; ``None`` for one that the document does not have (yet)."""
        section = self._sections.get(at[0])
        if section is None or not 0 <= at[1] < section.end:
            return None
        return section.items[bisect_right(section.starts, at[1]) - 1]

    def apply(self, update: bytes) -> None:
        """Take in an update that the engine's document has taken in; what is known already changes nothing.

        Raises ``OutOfStep``.
        """
        structs, deletions = read_structs(update)
        self._integrate_all(structs)
        doomed = [item for client, ranges in deletions.items() for item in self._within(client, ranges)]
        if self.touches is not None:
            # What a shared type held is told with it, as long as that is still there: outer types go first.
            doomed.sort(key=lambda item: (item.kind != TYPE, _depth(item)))
        for item in doomed:
            self._delete(item)

    def take_touches(self) -> list[Touch]:
        """What has changed since the last call."""
        touches, self.touches = self.touches or [], []
        self._keys_touched.clear()
        return touches

    # -- items into their places -------------------------------------------------------------------------------------

    def _integrate_all(self, structs: dict[int, list[Struct]]) -> None:
        """Each client's structs in order, and whatever another client's refer to first."""
        queues = {client: list(reversed(of_client)) for client, of_client in structs.items()}
        for first in queues:
            waiting, stuck = [first], 0
            while waiting:
                client = waiting[-1]
                queue = queues[client]
                if not queue:
                    waiting.pop()
                    continue
                missing = self._missing(client, queue[-1])
                if missing is None:
                    self._take(client, queue.pop())
                    stuck = 0
                elif missing in waiting:  # it waits for some of these, which may be there by now
                    del waiting[waiting.index(missing) + 1 :]
                    stuck += 1
                elif queues.get(missing):
                    waiting.append(missing)
                else:
                    stuck = len(queues) + 1
                if stuck > len(queues):
                    raise OutOfStep(f"client {client} refers to what client {missing} has not sent")

    def _missing(self, client: int, struct: Struct) -> int | None:
        """The client of which something must come before this struct."""
        if struct.clock > self.clock(client):
            return client
        for needed in (struct.origin, struct.right_origin, struct.parent):
            if isinstance(needed, tuple) and needed[1] >= self.clock(needed[0]):
                return needed[0]
        return None

    def _take(self, client: int, struct: Struct) -> None:
        section = self._sections.get(client)
        if section is None:
            section = self._sections[client] = _Section()
        known = section.end - struct.clock
        if struct.kind == GAP or known >= struct.length:
            return
        item = Item(
            client, struct.clock, struct.length, struct.kind, struct.content, struct.origin, struct.right_origin
        )
        if known > 0:
            item = item.split(known)
        if self._integrate(item, struct):
            section.add(item)
        else:
            section.end = item.end

    def _integrate(self, item: Item, struct: Struct) -> bool:
        """Put an item in its place; ``False`` where its left neighbour has taken it in."""
        left = None if item.origin is None else self._ending(item.origin)
        right = None if item.right_origin is None else self._starting(item.right_origin)
        line = self._line(struct, left, right)
        if line is None:
            item.kind, item.content, item.deleted = COLLECTED, None, True
            return True
        if item.kind == TYPE:
            branch = Branch(item=item, kind=item.content.number)
            branch.element = item.content.name
            item.content = branch
            if self.touches is not None:
                self.touches.append(NewTouch(branch))
        left = self._place(item, left, right, line)
        if line.key is not None:
            return self._set(item, left, line)
        size = item.size
        new = line.put(item, left)
        if self.touches is not None and size:
            index = line.index(item) if new else line.index(left) + left.size - size  # type: ignore[arg-type,union-attr]
            self._touch_span(line, index, item, inserted=True)
        return new

    def _line(self, struct: Struct, left: Item | None, right: Item | None) -> Line | None:
        """Where an item belongs; ``None`` where that has been deleted and collected."""
        if (left is not None and left.line is None) or (right is not None and right.line is None):
            return None
        if struct.kind == COLLECTED:
            return None
        neighbour = left or right
        if neighbour is not None:
            return neighbour.line
        if isinstance(struct.parent, str):
            return self.root(struct.parent).line(struct.key)
        parent = None if struct.parent is None else self.find(struct.parent)
        if parent is None or not isinstance(parent.content, Branch):
            return None
        return parent.content.line(struct.key)

    def _place(self, item: Item, left: Item | None, right: Item | None, line: Line) -> Item | None:
        """The item after which this one goes, among those that others have put into the same place."""
        other = line.first if left is None else left.right
        if other is right:
            return left
        conflicting: set[Item] = set()
        before: set[Item] = set()
        while other is not None and other is not right:
            before.add(other)
            conflicting.add(other)
            if item.origin == other.origin:
                if other.client < item.client:
                    left = other
                    conflicting.clear()
                elif item.right_origin == other.right_origin:
                    break
            else:
                origin = None if other.origin is None else self.find(other.origin)
                if origin is None or origin not in before:
                    break
                if origin not in conflicting:
                    left = other
                    conflicting.clear()
            other = other.right
        return left

    def _set(self, item: Item, left: Item | None, line: Line) -> bool:
        """Put an item into the line of a key, where the last one counts."""
        self._touch_key(line)
        previous = line.last
        counts = left is previous
        if counts and previous is not None and not previous.deleted:
            line.delete(previous)
        line.put(item, left)
        if not counts and not item.deleted:
            line.delete(item)
        return True

    # -- cutting and deleting ----------------------------------------------------------------------------------------

    def _ending(self, at: Id) -> Item | None:
        """The item that ends with this tick, cut if need be."""
        item = self.find(at)
        if item is not None and item.end > at[1] + 1:
            self._cut(item, at[1] + 1 - item.clock)
        return item

    def _starting(self, at: Id) -> Item | None:
        """The item that begins with this tick, cut if need be."""
        item = self.find(at)
        return item if item is None or item.clock == at[1] else self._cut(item, at[1] - item.clock)

    def _cut(self, item: Item, offset: int) -> Item:
        rest = item.split(offset) if item.line is None else item.line.split(item, offset)
        self._sections[item.client].insert(rest)
        return rest

    def _within(self, client: int, ranges: Iterable[tuple[int, int]]) -> list[Item]:
        """The items in these ranges that are not deleted yet, cut at the ends of the ranges."""
        found: list[Item] = []
        section = self._sections.get(client)
        if section is None:
            return found
        for start, end in ranges:
            at = max(bisect_right(section.starts, start) - 1, 0)
            while at < len(section.items) and section.items[at].clock < end:
                item = section.items[at]
                at += 1
                if item.deleted or item.end <= start:
                    continue
                if item.clock < start:
                    item = self._cut(item, start - item.clock)
                    at += 1
                if item.end > end:
                    self._cut(item, end - item.clock)
                found.append(item)
        return found

    def _delete(self, item: Item) -> None:
        line = item.line
        if line is None or item.deleted:
            return
        if line.key is not None:
            if item is line.last:
                self._touch_key(line)
        elif self.touches is not None and item.size:
            self._touch_span(line, line.index(item), item, inserted=False)
        line.delete(item)

    # -- noting what changes -----------------------------------------------------------------------------------------

    def _touch_key(self, line: Line) -> None:
        if self.touches is None or line.key is None or (line.branch, line.key) in self._keys_touched:
            return
        self._keys_touched.add((line.branch, line.key))
        item = line.branch.value(line.key)
        self.touches.append(KeyTouch(line.branch, line.key, item is not None, None if item is None else value(item)))

    def _touch_span(self, line: Line, index: int, item: Item, *, inserted: bool) -> None:
        assert self.touches is not None
        what = item.content if item.kind == STRING else contents(item)
        self.touches.append(SpanTouch(line.branch, index, what if inserted else None, None if inserted else what))


def _depth(item: Item) -> int:
    """How many shared types an item lies in, beside the root."""
    depth = 0
    while item.line is not None and item.line.branch.item is not None:
        item = item.line.branch.item
        depth += 1
    return depth
