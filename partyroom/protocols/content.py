"""Content: what a Yjs document holds, read from its bytes without the engine.

Reading an array, a map or XML of a stranger's document with pycrdt can hang for ever (``protocols.replica``), so here
the items are put in order by the rules of Yjs itself (YATA; ``yjs/src/structs/Item.js``, ``utils/encoding.js``)::

    content = read(doc.get_update())
    content.roots["body"].text()
    content.json()

All places where items are cut are in the update, so they are cut beforehand; then each item finds its neighbours by
their clocks alone. What an update lacks the predecessors of is left out, as Yjs leaves it out until they come.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from ..errors import CloseCode, ProtocolError
from . import guard
from .shared import Chain, Item, Kind, Run, Shared, Span
from .structs import ANY, COLLECTED, GAP, STRING, TYPE, Ranges, Struct, read_structs

__all__ = ["Content", "Item", "Kind", "Run", "Shared", "Span", "read"]

FREE_STEPS: Final = 5_000_000
STEPS_PER_STRUCT: Final = 20
"""How many concurrent neighbours may be looked at in all, to find the place of each item. Yjs looks at every one, which
is their number squared where somebody takes pains; engines pay for it as well, and stall, long before this."""


class Content:
    """What a document holds: its roots by name.

    ``pending`` says that the update has structs or deletions whose predecessors it lacks.
    """

    __slots__ = ("pending", "roots")

    def __init__(self, roots: dict[str, Shared], pending: bool) -> None:
        self.roots = roots
        self.pending = pending

    def root(self, name: str) -> Shared:
        """A root, empty where the document has none of that name."""
        return self.roots.get(name) or Shared(name)

    def json(self) -> dict[str, Any]:
        """All roots as JSON, each as it looks: see ``Shared.json``."""
        return {name: root.json() for name, root in self.roots.items()}


def read(update: bytes) -> Content:
    """The content of a document whose state is one update in the v1 encoding.

    Raises ``ProtocolError`` where the update is malformed, or so tangled that putting it in order would take for ever.
    """
    summary = guard.check(update)
    structs, deletions = read_structs(update)
    cuts: dict[int, set[int]] = {}
    for client, clock in summary.marks:
        cuts.setdefault(client, set()).add(clock)
    sections = {
        client: _Section(client, of_client, sorted(cuts.get(client, ()))) for client, of_client in structs.items()
    }
    order = _Order(sections, FREE_STEPS + STEPS_PER_STRUCT * summary.structs)
    order.integrate()
    pending = any(sections[client].state < end for client, (_, end) in summary.clients.items())
    for client, ranges in deletions.items():
        section = sections.get(client)
        if section is None or (ranges and ranges[-1][1] > section.state):
            pending = True
        if section is not None:
            section.delete(ranges)
    for section in sections.values():
        section.let_go()
    return Content(order.roots, pending)


class _Section:
    """The structs of one client, and how far they are in the document: up to the clock ``state``."""

    __slots__ = ("_cuts", "_structs", "at", "client", "ends", "items", "starts", "state")

    def __init__(self, client: int, structs: list[Struct], cuts: list[int]) -> None:
        self.client = client
        self._structs = structs
        self._cuts = cuts
        self.at = 0
        self.state = 0
        self.items: list[Item] = []
        self.starts: dict[int, Item] = {}
        self.ends: dict[int, Item] = {}

    def next(self) -> Struct | None:
        """The struct that comes next; ``None`` at the end, and where ticks before it are missing."""
        if self.at == len(self._structs):
            return None
        struct = self._structs[self.at]
        return struct if struct.clock == self.state and struct.kind != GAP else None

    def give_up(self) -> None:
        """Leave out what has not been integrated yet."""
        self.at = len(self._structs)

    def skip(self, struct: Struct) -> None:
        """Go past a struct without items."""
        self.at += 1
        self.state = struct.clock + struct.length

    def take(self, struct: Struct) -> list[Item]:
        """The items of the next struct, cut where they will have to be."""
        self.skip(struct)
        client, start, end = self.client, struct.clock, struct.clock + struct.length
        content = struct.content
        if struct.kind == TYPE:
            content = Shared(content.name, content.number, (client, start))
        cuts = self._cuts
        at = bisect_left(cuts, start + 1)
        if at == len(cuts) or cuts[at] >= end:
            items = [Item(client, start, struct.length, struct.kind, content)]
        else:
            bounds = [start, *cuts[at : bisect_left(cuts, end)], end]
            items = [
                Item(client, begin, end - begin, struct.kind, piece)
                for (begin, end), piece in zip(pairwise(bounds), _pieces(struct, bounds), strict=True)
            ]
        self.items += items
        for item in items:
            self.starts[item.clock] = item
            self.ends[item.clock + item.length - 1] = item
        return items

    def delete(self, ranges: Ranges) -> None:
        """Mark as deleted what lies in these ranges, at whose bounds items have been cut."""
        clocks = [item.clock for item in self.items]
        for start, end in ranges:
            for item in self.items[bisect_left(clocks, start) : bisect_left(clocks, end)]:
                item.deleted = True

    def let_go(self) -> None:
        """Forget what was needed to find the order: without circles, the content is freed when nobody needs it."""
        for item in self.items:
            item.origin = item.right_origin = item.chain = None


def _pieces(struct: Struct, bounds: list[int]) -> Iterator[Any]:
    """The content of a struct between these clocks. As in Yjs, either half of a character cut in two is U+FFFD."""
    content, start = struct.content, struct.clock
    if struct.kind == STRING and len(content) != struct.length:
        units = content.encode("utf-16-le")
        for begin, end in pairwise(bounds):
            yield units[2 * (begin - start) : 2 * (end - start)].decode("utf-16-le", "replace")
    else:
        for begin, end in pairwise(bounds):
            yield content[begin - start : end - start] if struct.kind in (STRING, ANY) else content


class _Order:
    """Puts items into the chains of shared types, each when all that it refers to is there."""

    def __init__(self, sections: dict[int, _Section], steps: int) -> None:
        self.roots: dict[str, Shared] = {}
        self._sections = sections
        self._steps = steps

    def integrate(self) -> None:
        """Integrate all that can be, as Yjs does it: the highest client first, and what it waits for in between."""
        for client in sorted(self._sections, reverse=True):
            waiting = [self._sections[client]]  # each for the one after it
            among = {client}
            while waiting:
                struct = waiting[-1].next()
                missing = None if struct is None else self._missing(struct)
                if struct is not None and missing is None:
                    self._integrate(waiting[-1], struct)
                    if len(waiting) > 1:
                        among.discard(waiting.pop().client)
                elif missing in self._sections and missing not in among:
                    waiting.append(self._sections[missing])
                    among.add(missing)
                else:
                    for section in waiting:
                        section.give_up()
                    break

    def _missing(self, struct: Struct) -> int | None:
        """A client of whom something has to be there before this struct; that its own is there the guard has seen."""
        for reference in (struct.origin, struct.right_origin, struct.parent):
            if isinstance(reference, tuple):
                client, clock = reference
                section = self._sections.get(client)
                if section is None or clock >= section.state:
                    return client
        return None

    def _integrate(self, section: _Section, struct: Struct) -> None:
        left = right = None
        if struct.origin is not None:
            left = self._sections[struct.origin[0]].ends.get(struct.origin[1])
        if struct.right_origin is not None:
            right = self._sections[struct.right_origin[0]].starts.get(struct.right_origin[1])
        collected = (struct.origin and not left) or (struct.right_origin and not right)
        chain = None if collected or struct.kind == COLLECTED else self._chain(struct, left, right)
        if chain is None or struct.length == 0:
            section.skip(struct)  # a neighbour or the parent has been collected, and so has this
            return
        items = section.take(struct)
        items[0].origin = left
        for before, item in pairwise(items):
            item.origin, before.right = before, item
        for item in items:
            item.right_origin, item.chain = right, chain
        chain.insert(items[0], items[-1], self._left_of(items[0], chain))

    def _chain(self, struct: Struct, left: Item | None, right: Item | None) -> Chain | None:
        """Where a struct belongs; ``None`` where what it calls its parent is no shared type (any more)."""
        beside = left or right
        if beside is not None:
            return beside.chain
        if isinstance(struct.parent, str):
            root = self.roots.get(struct.parent)
            if root is None:
                root = self.roots[struct.parent] = Shared(struct.parent)
            return root.chain(struct.key)
        client, clock = struct.parent or (0, 0)
        holder = self._sections[client].starts.get(clock)
        return holder.content.chain(struct.key) if holder is not None and holder.kind == TYPE else None

    def _left_of(self, item: Item, chain: Chain) -> Item | None:
        """The neighbour on the left, by the conflict rule of Yjs (``Item.integrate``).

        Of two items with one origin, the lower client's is on the left, unless one was written with the other in view;
        and what was written behind an item stays with it.
        """
        left = item.origin
        other = chain.first if left is None else left.right
        passed: set[Item] = set()
        undecided: set[Item] = set()
        while other is not None and other is not item.right_origin:
            self._steps -= 1
            if self._steps < 0:
                reason = "this document cannot be read: too much of it was written in one place at one time"
                raise ProtocolError(reason, CloseCode.POLICY_VIOLATION)
            passed.add(other)
            undecided.add(other)
            if other.origin is item.origin:
                if other.client < item.client:
                    left = other
                    undecided.clear()
                elif other.right_origin is item.right_origin:
                    break
            elif other.origin in passed:
                if other.origin not in undecided:
                    left = other
                    undecided.clear()
            else:
                break
            other = other.right
        return left
