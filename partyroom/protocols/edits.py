"""Edits: changes to a document as one update, made from what ``protocols.content`` has read and without the engine.

An editor changes the content that it is given, so that each edit sees those before it, and writes down what a client
would send for them (``yjs/src/structs/Item.js``). Whoever edits meanwhile merges with it as with anybody's edit.

An index counts code points in text, where an embedded thing counts one, and values elsewhere.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from . import ranges
from .content import Content
from .shared import Chain, Item, Shared, utf16_units
from .structs import ANY, DELETED, FORMAT, STRING, TYPE, Struct
from .writing import write_struct, write_update

__all__ = ["NUMBERS", "Editor", "New"]

NUMBERS: Final = {"array": 0, "map": 1, "text": 2}
"""The shared types that can be made, with Yjs' numbers for them."""


class New(NamedTuple):
    """A shared type to be made: ``kind`` is a key of ``NUMBERS``, ``value`` what it holds (list, dict or text)."""

    kind: str
    value: Any


class Editor:
    """Edits by ``client``, whose next clock is ``clock``."""

    def __init__(self, content: Content, client: int, clock: int = 0) -> None:
        self.content = content
        self._client = client
        self._first = self._clock = clock
        self._structs: list[bytes] = []
        self._deleted: ranges.Ticks = {}

    def root(self, name: str) -> Shared:
        """A root, which is made where there is none of that name."""
        return self.content.roots.setdefault(name, Shared(name))

    def update(self) -> bytes:
        """All edits so far as one update."""
        return write_update(self._client, self._first, self._structs, self._deleted)

    def insert_text(self, shared: Shared, index: int, text: str) -> None:
        """Insert into a text; it takes the formats of what is before it. Raises ``IndexError``."""
        if text:
            self._insert(shared, self._find(shared.list, index), STRING, text)

    def insert(self, shared: Shared, index: int, values: list[Any]) -> None:
        """Insert JSON, ``bytes`` or ``New`` values into an array. Raises ``IndexError``."""
        left = self._find(shared.list, index)
        for value in values:
            left = self._value(shared, left, value)

    def set(self, shared: Shared, key: str, value: Any) -> None:
        """Give a key of a map another value."""
        chain = shared.chain(key)
        before = chain.last
        self._value(shared, before, value, key)
        if before is not None:
            self._delete(before)

    def delete_key(self, shared: Shared, key: str) -> None:
        """Take a key out of a map."""
        last = shared.chain(key).last
        if last is not None:
            self._delete(last)

    def delete(self, shared: Shared, index: int, count: int) -> None:
        """Delete ``count`` code points or values. Raises ``IndexError``, and then has deleted nothing."""
        if index + count > sum(_size(item) for item in shared.list):
            raise IndexError(index + count)
        left = self._find(shared.list, index)
        item = shared.list.first if left is None else left.right
        while item is not None and count > 0:
            size = _size(item)
            if size > count:
                _split(shared.list, item, count)
                size = count
            if size:
                self._delete(item)
            count -= size
            item = item.right

    # -- items -------------------------------------------------------------------------------------------------------

    def _find(self, chain: Chain, index: int) -> Item | None:
        """The item that ends where ``index`` is, cut there if need be; ``None`` at the beginning."""
        if index <= 0:
            if index < 0:
                raise IndexError(index)
            return None
        left = index
        for item in chain:
            size = _size(item)
            if size >= left:
                if size > left:
                    _split(chain, item, left)
                return item
            left -= size
        raise IndexError(index)

    def _value(self, shared: Shared, left: Item | None, value: Any, key: str | None = None) -> Item:
        """Insert one value behind ``left``; returns its item."""
        if isinstance(value, bytes):
            return self._insert(shared, left, 3, value, key)
        if not isinstance(value, New):
            return self._insert(shared, left, ANY, [value], key)
        made = Shared(number=NUMBERS[value.kind], id=(self._client, self._clock))
        item = self._insert(shared, left, TYPE, made, key)
        if value.kind == "text":
            self.insert_text(made, 0, value.value)
        elif value.kind == "array":
            self.insert(made, 0, value.value)
        else:
            for inner, content in value.value.items():
                self.set(made, inner, content)
        return item

    def _insert(self, shared: Shared, left: Item | None, kind: int, content: Any, key: str | None = None) -> Item:
        chain = shared.chain(key)
        right = left.right if left is not None else chain.first
        length = len(utf16_units(content)) if kind == STRING else 1
        item = Item(self._client, self._clock, length, kind, content)
        self._structs.append(write_struct(_struct(item, left, right, shared, key)))
        self._clock += length
        chain.insert(item, item, left)
        return item

    def _delete(self, item: Item) -> None:
        if not item.deleted:
            item.deleted = True
            ranges.add(self._deleted, {item.client: [(item.clock, item.clock + item.length)]})


def _struct(item: Item, left: Item | None, right: Item | None, shared: Shared, key: str | None) -> Struct:
    """An item, to be inserted between two others."""
    return Struct(
        item.clock,
        item.length,
        item.kind,
        None if left is None else (left.client, left.clock + left.length - 1),
        None if right is None else (right.client, right.clock),
        shared.name if shared.id is None else shared.id,
        key,
        item.content,
    )


def _size(item: Item) -> int:
    """How many places in a list an item takes."""
    if item.deleted or item.kind in (FORMAT, DELETED):
        return 0
    return len(item.content) if item.kind in (STRING, ANY) else 1


def _split(chain: Chain, item: Item, at: int) -> None:
    """Cut an item in two, with ``at`` places on the left."""
    content = item.content
    length = len(utf16_units(content[:at])) if item.kind == STRING else at
    right = Item(item.client, item.clock + length, item.length - length, item.kind, content[at:])
    item.content, item.length = content[:at], length
    chain.insert(right, right, item)
