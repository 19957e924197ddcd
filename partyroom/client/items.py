"""Items: what a shared type holds, in the order that all clients give it, and how much of it lies before each item.

An ``Item`` is some ticks of one client that lie side by side. A ``Line`` keeps items in blocks of about a hundred, each
of which knows its size, so that finding an index costs a look at the blocks, and an edit changes one of them.

Clocks count text in UTF-16 units, because Yjs does. Sizes and offsets count code points, because Python does. Where
text has characters beyond the 16 bits (an emoji), the two differ, and ``Item.units`` and ``Item.points`` translate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..protocols.structs import ANY, COLLECTED, DELETED, FORMAT, STRING, TYPE, Id

__all__ = ["Branch", "Item", "Line"]

_FULL: Final = 128
"""The most items of a block; one that has more is cut into two."""
_LONG: Final = 4096
"""The most code points of a piece of text that still grows while somebody types."""


class Item:
    """``length`` ticks of ``client`` from ``clock`` on, and what they hold (``protocols.structs`` has the kinds).

    ``origin`` is the last tick on its left when it was written, ``right_origin`` the first on its right; ``right`` is
    the item that comes next now. ``line`` is ``None`` where it was garbage-collected: then it is in no place.
    """

    __slots__ = (
        "block",
        "client",
        "clock",
        "content",
        "deleted",
        "kind",
        "length",
        "line",
        "origin",
        "right",
        "right_origin",
    )

    def __init__(
        self, client: int, clock: int, length: int, kind: int, content: Any, origin: Id | None, right_origin: Id | None
    ) -> None:
        self.client = client
        self.clock = clock
        self.length = length
        self.kind = kind
        self.content = content
        self.origin = origin
        self.right_origin = right_origin
        self.deleted = kind in (DELETED, COLLECTED)
        self.right: Item | None = None
        self.line: Line | None = None
        self.block: _Block | None = None

    @property
    def end(self) -> int:
        """The clock after its last tick."""
        return self.clock + self.length

    @property
    def last(self) -> Id:
        """Its last tick."""
        return self.client, self.clock + self.length - 1

    @property
    def size(self) -> int:
        """How many code points or values it shows."""
        if self.deleted or self.kind == FORMAT:
            return 0
        return len(self.content) if self.kind == STRING else self.length

    def units(self, points: int) -> int:
        """How many ticks its first ``points`` code points or values take."""
        if self.kind != STRING or len(self.content) == self.length:
            return points
        return len(self.content[:points].encode("utf-16-le")) // 2

    def points(self, units: int) -> tuple[int, bool]:
        """How many code points are whole within its first ``units`` ticks, and whether another one is cut."""
        if self.kind != STRING or len(self.content) == self.length:
            return units, False
        before = self.content.encode("utf-16-le")[: 2 * units]
        whole = len(before.decode("utf-16-le", "ignore"))
        return whole, len(self.content[:whole].encode("utf-16-le")) < len(before)

    def split(self, offset: int) -> Item:
        """Keep the first ``offset`` ticks; the rest is a new item, not yet in a line.

        As in Yjs, either half of a character cut in two becomes U+FFFD.
        """
        content, rest = self.content, self.content
        if content is not None and self.kind == STRING and len(content) != self.length:
            units = content.encode("utf-16-le")
            content = units[: 2 * offset].decode("utf-16-le", "replace")
            rest = units[2 * offset :].decode("utf-16-le", "replace")
        elif content is not None and self.kind in (STRING, ANY):
            content, rest = content[:offset], content[offset:]
        before = (self.client, self.clock + offset - 1)
        clock, length = self.clock + offset, self.length - offset
        item = Item(self.client, clock, length, self.kind, rest, before, self.right_origin)
        item.deleted = self.deleted
        self.length, self.content = offset, content
        return item

    def takes(self, item: Item) -> bool:
        """Whether ``item``, which comes right after this one, continues it: somebody types on. If so it is taken in."""
        if (
            self.kind == item.kind
            and self.kind in (STRING, ANY)
            and not (self.deleted or item.deleted)
            and self.client == item.client
            and self.end == item.clock
            and item.origin == self.last
            and self.right_origin == item.right_origin
            and len(self.content) < _LONG
        ):
            self.content = self.content + item.content
            self.length += item.length
            return True
        return False


class _Block:
    """Some neighbours, how much they show together and, once somebody has asked, as what text."""

    __slots__ = ("_text", "items", "size")

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.size = sum(item.size for item in items)
        self._text: str | None = None
        for item in items:
            item.block = self

    def changed(self, by: int) -> None:
        """It shows so much more now, or less, or something else."""
        self.size += by
        self._text = None

    def text(self) -> str:
        """All that it shows, with U+FFFC for each value that is no text."""
        if self._text is None:
            shown = [item for item in self.items if not item.deleted]
            self._text = "".join([item.content if item.kind == STRING else "\ufffc" * item.size for item in shown])
        return self._text


class Line:
    """The items of a list or text in order, or all that was ever set under one ``key`` of a map."""

    __slots__ = ("_blocks", "_text", "branch", "first", "key")

    def __init__(self, branch: Branch, key: str | None = None) -> None:
        self.branch = branch
        self.key = key
        self.first: Item | None = None
        self._blocks: list[_Block] = []
        self._text: str | None = ""

    def __len__(self) -> int:
        """How many code points or values it shows."""
        return sum(block.size for block in self._blocks)

    def __iter__(self) -> Iterator[Item]:
        item = self.first
        while item is not None:
            yield item
            item = item.right

    @property
    def last(self) -> Item | None:
        """The last item, deleted or not; of the line of a key, the one with its value."""
        return self._blocks[-1].items[-1] if self._blocks else None

    def text(self) -> str:
        """All that it shows as text, with U+FFFC for each value that is no text."""
        if self._text is None:
            self._text = "".join([block.text() for block in self._blocks])
        return self._text

    def at(self, index: int) -> tuple[Item | None, int]:
        """The item that shows ``index``, and the offset in it; ``None`` at the end."""
        for block in self._blocks:
            if index < block.size:
                for item in block.items:
                    size = item.size
                    if index < size:
                        return item, index
                    index -= size
            index -= block.size
        return None, index

    def before(self, index: int) -> tuple[Item | None, int]:
        """The item that shows what comes before ``index``, and the offset after that; ``None`` at the beginning."""
        if index == 0:
            return None, 0
        item, offset = self.at(index - 1)
        return item, offset + 1

    def index(self, item: Item) -> int:
        """How much is shown before an item of this line."""
        index = 0
        for block in self._blocks:
            if block is item.block:
                break
            index += block.size
        assert item.block is not None
        for other in item.block.items:
            if other is item:
                break
            index += other.size
        return index

    # -- for the mirror alone ----------------------------------------------------------------------------------------

    def put(self, item: Item, left: Item | None) -> bool:
        """Put an item after ``left``, or first; ``False`` where ``left`` has taken it in."""
        self._text = None
        if left is not None and left.takes(item):
            assert left.block is not None
            left.block.changed(item.size)
            return False
        self._insert(item, left)
        return True

    def _insert(self, item: Item, left: Item | None) -> None:
        item.line = self
        if left is None:
            item.right, self.first = self.first, item
            if not self._blocks:
                self._blocks.append(_Block([]))
            block, at = self._blocks[0], 0
        else:
            assert left.block is not None
            item.right, left.right = left.right, item
            block = left.block
            at = block.items.index(left) + 1
        block.items.insert(at, item)
        block.changed(item.size)
        item.block = block
        if len(block.items) > _FULL:
            self._halve(block)

    def split(self, item: Item, offset: int) -> Item:
        """Cut an item of this line; returns the right part."""
        assert item.block is not None
        whole = item.size
        rest = item.split(offset)
        if item.size + rest.size != whole:  # a character that is cut becomes two
            self._text = None
        item.block.changed(item.size - whole)
        self._insert(rest, item)
        return rest

    def delete(self, item: Item) -> None:
        """Show it no more. A shared type is kept, for what is in it refers to it."""
        assert item.block is not None
        self._text = None
        item.block.changed(-item.size)
        item.deleted = True
        if item.kind != TYPE:
            item.content = None

    def _halve(self, block: _Block) -> None:
        at = self._blocks.index(block)
        middle = len(block.items) // 2
        self._blocks[at : at + 1] = [_Block(block.items[:middle]), _Block(block.items[middle:])]


class Branch:
    """A shared type: a root with a ``name``, or what an ``item`` brings, of Yjs' ``kind`` (``None`` for roots).

    It is a list (``items``) and a map (``entries``) at once; what it is used as decides.
    """

    __slots__ = ("element", "entries", "item", "items", "kind", "name")

    def __init__(self, name: str | None = None, item: Item | None = None, kind: int | None = None) -> None:
        self.name = name
        self.item = item
        self.kind = kind
        self.element = ""
        self.items = Line(self)
        self.entries: dict[str, Line] = {}

    def line(self, key: str | None) -> Line:
        """The line of a key, or of the list."""
        if key is None:
            return self.items
        line = self.entries.get(key)
        if line is None:
            line = self.entries[key] = Line(self, key)
        return line

    def value(self, key: str) -> Item | None:
        """The item with the value of a key."""
        line = self.entries.get(key)
        item = None if line is None else line.last
        return None if item is None or item.deleted else item

    @property
    def alive(self) -> bool:
        """Whether it is still in the document."""
        branch = self
        while branch.item is not None:
            if branch.item.deleted or branch.item.line is None:
                return False
            branch = branch.item.line.branch
        return True
