"""Changes: what is different between two states of a document, item by item, as JSON that says where and by whom.

::

    {"path": ["body"], "index": 12, "insert": "new", "by": ...}       in a text or a list; indices count as in Yjs,
    {"path": ["body"], "index": 15, "delete": "old", "by": ...}         and in the later state
    {"path": ["body"], "index": 15, "format": {"bold": true}, ...}    from there on
    {"path": ["settings"], "key": "title", "set": "x", "by": ...}     in a map
    {"path": ["settings"], "key": "colour", "unset": "red", ...}
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, Literal, TypeAlias

from .content import Content
from .plain import plain
from .ranges import Ticks, holds, without
from .revert import Piece, pieces_of
from .shared import Chain, Item, Shared
from .structs import ANY, DELETED, FORMAT, STRING, TYPE, Id

__all__ = ["Change", "Who", "compare"]

Change: TypeAlias = dict[str, Any]
"""One difference, as above."""
Who: TypeAlias = Callable[[int, int, int], Iterable[tuple[int, int, Any]]]
"""Cuts some clocks of a client, from one to another, into parts and says by whom each is: JSON, or ``None``."""
Path: TypeAlias = tuple[str | int, ...]

_FORMATS: Final = {"insert": "format", "delete": "unformat"}


def compare(
    woven: Content, then: tuple[Content, Ticks], now: tuple[Content, Ticks], inserter: Who, deleter: Who
) -> list[Change]:
    """What makes ``now`` of ``then``: two states, each with what is there in it.

    ``woven`` holds both, with the contents of what is deleted. Raises ``ProtocolError`` for what is nested too deeply.
    """
    comparison = _Comparison(woven, then, now, {"insert": inserter, "delete": deleter})
    comparison.run()
    return comparison.found


class _Comparison:
    """Walks over all that is in both states, from the outside to the inside."""

    def __init__(
        self, woven: Content, then: tuple[Content, Ticks], now: tuple[Content, Ticks], by: dict[str, Who]
    ) -> None:
        self.found: list[Change] = []
        self._then, self._now = then[1], now[1]
        self._new, self._gone = without(now[1], then[1]), without(then[1], now[1])
        self._types = {"insert": _types(now[0]), "delete": _types(then[0])}
        self._by = by
        self._run: list[Any] = []
        self._what, self._room = "", 0
        self._todo: deque[tuple[Path, Shared]] = deque(((name,), root) for name, root in woven.roots.items())

    def run(self) -> None:
        """Find everything."""
        while self._todo:
            path, shared = self._todo.popleft()
            self._list(path, shared.list)
            for key, entries in shared.keys.items():
                self._key(path, key, entries)
        self._end_run()

    def _list(self, path: Path, items: Chain) -> None:
        index = 0
        for item in items:
            if item.kind == DELETED:
                continue
            for piece in pieces_of(item, self._now):
                if not piece.here:
                    for gone in pieces_of(piece, self._gone):
                        if gone.here:
                            self._note(path, index, "delete", gone)
                    continue
                for part in pieces_of(piece, self._new):
                    if part.here:
                        self._note(path, index, "insert", part)
                    elif part.kind == TYPE:
                        self._todo.append(((*path, index), part.content))
                    index += 0 if part.kind == FORMAT else part.length

    def _key(self, path: Path, key: str, entries: Chain) -> None:
        then = now = None
        for item in entries:
            last = item.client, item.clock + item.length - 1
            then = item if holds(self._then, last) else then
            now = item if holds(self._now, last) else now
        if now is not None and now is not then:
            self._note_key(path, key, "set", "insert", now)
        elif now is not None and now.kind == TYPE:
            self._todo.append(((*path, key), now.content))
        elif now is None and then is not None:
            self._note_key(path, key, "unset", "delete", then)

    def _note(self, path: Path, index: int, what: Literal["insert", "delete"], piece: Piece) -> None:
        for start, end, by in self._by[what](piece.client, piece.clock, piece.clock + piece.length):
            for part in pieces_of(piece, {piece.client: [(start, end)]}):
                if part.here:
                    change: Change = {"path": list(path), "index": index}
                    if part.kind == FORMAT:
                        change[_FORMATS[what]] = {part.content.key: plain(part.content.value)}
                    else:
                        change[what] = self._value(part, what)
                    self._add(change | {"by": by}, what)
                    index += part.length if what == "insert" else 0

    def _note_key(self, path: Path, key: str, change: str, what: Literal["insert", "delete"], item: Item) -> None:
        ((_, _, by), *_) = self._by[what](item.client, item.clock, item.clock + 1)
        value = self._value(item, what)
        self._end_run()
        self.found.append(
            {"path": list(path), "key": key, change: value[-1] if isinstance(value, list) else value, "by": by}
        )

    def _value(self, piece: Piece | Item, what: str) -> Any:
        """Text as text, and everything else as a list of JSON values."""
        if piece.kind == STRING:
            return piece.content
        if piece.kind == ANY:
            return [plain(value) for value in piece.content]
        if piece.kind == TYPE:
            shared = self._types[what].get((piece.client, piece.clock))
            return [None if shared is None else shared.json()]
        return [plain(piece.content)]

    def _add(self, change: Change, what: str) -> None:
        """Note a change, as a part of the one before where it goes on with that."""
        value: Any = change.get(what)
        if value is not None and self._run and what == self._what and type(value) is type(self._run[0]):
            last = self.found[-1]
            ahead = self._room if what == "insert" else 0
            if (last["path"], last["index"] + ahead, last["by"]) == (change["path"], change["index"], change["by"]):
                self._run.append(value)
                self._room += _length(value)
                return
        self._end_run()
        self.found.append(change)
        if value is not None:
            self._run, self._what, self._room = [value], what, _length(value)

    def _end_run(self) -> None:
        """Put the parts of the last change together: once, for there may be a great many."""
        if len(self._run) > 1:
            texts = isinstance(self._run[0], str)
            self.found[-1][self._what] = "".join(self._run) if texts else [*chain.from_iterable(self._run)]
        self._run = []


def _length(value: Any) -> int:
    """How much room a text or list takes, in a text or list."""
    if isinstance(value, str):
        return len(value) + sum(character > "\uffff" for character in value)
    return len(value) if isinstance(value, list) else 0


def _types(content: Content) -> dict[Id, Shared]:
    """All shared types in a document but the roots, by the items that brought them."""
    found: dict[Id, Shared] = {}
    todo = list(content.roots.values())
    while todo:
        shared = todo.pop()
        for items in (shared.list, *shared.keys.values()):
            for item in items:
                if item.kind == TYPE:
                    found[item.client, item.clock] = item.content
                    todo.append(item.content)
    return found
