"""States for ``test_crowding``: crafted structs, honest and hostile, and how many items the engine has to walk past."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest

from partyroom.client import items, mirror
from partyroom.protocols.lib0 import Encoder

Id = tuple[int, int]
VALUE = b"\x01\x7d\x01"


def item(
    left: Id | None = None,
    right: Id | None = None,
    *,
    parent: str | Id = "t",
    key: str | None = None,
    kind: int = 4,
    content: bytes = b"\x01x",
) -> bytes:
    """One struct."""
    out = Encoder()
    out.data.append(kind | (left is not None) << 7 | (right is not None) << 6 | (key is not None) << 5)
    for origin in filter(None, (left, right)):
        out.varuint(origin[0]).varuint(origin[1])
    if left is None and right is None:
        if isinstance(parent, str):
            out.varuint(1).string(parent)
        else:
            out.varuint(0).varuint(parent[0]).varuint(parent[1])
        if key is not None:
            out.string(key)
    out.data += content
    return bytes(out)


def state(clients: dict[int, list[bytes]], deleted: Iterable[Id] = ()) -> bytes:
    """A state of these structs, of which some ticks are deleted."""
    out = Encoder().varuint(len(clients))
    for client in sorted(clients, reverse=True):
        out.varuint(len(clients[client])).varuint(client).varuint(0)
        out.data += b"".join(clients[client])
    ticks = list(deleted)
    out.varuint(len({client for client, _ in ticks}))
    for one in {client for client, _ in ticks}:
        own = [clock for client, clock in ticks if client == one]
        out.varuint(one).varuint(len(own))
        for clock in own:
            out.varuint(clock).varuint(1)
    return bytes(out)


def strange(seed: int) -> bytes:
    """Some structs that refer to each other at random, as only a stranger's do."""
    dice = Random(seed)
    clients: dict[int, list[bytes]] = {client: [] for client in range(1, dice.randrange(2, 5))}
    clocks = dict.fromkeys(clients, 0)
    known: list[tuple[int, int, int]] = []
    types: list[Id] = []
    careless = dice.random() / 10

    def some(*, last: bool) -> Id:
        client, clock, length = dice.choice(known[-8:] if dice.random() < 0.5 else known)
        if dice.random() < careless:
            return client, clock + dice.randrange(length)
        return client, clock + (length - 1 if last else 0)

    for _ in range(dice.randrange(2, 40)):
        client, length = dice.choice(list(clients)), dice.randrange(1, 4)
        left = some(last=True) if known and dice.random() < 0.75 else None
        right = some(last=False) if known and dice.random() < 0.7 else None
        key = dice.choice("kl") if left is None and right is None and dice.random() < 0.3 else None
        parent = dice.choice(types) if types and dice.random() < 0.3 else dice.choice("tu")
        kind, content = dice.choices(
            [(4, bytes(Encoder().string("x" * length))), (1, bytes([length])), (7, b"\x01"), (8, VALUE)], [6, 2, 1, 1]
        )[0]
        if kind > 4:
            length = 1
        if kind == 7:
            types.append((client, clocks[client]))
        clients[client].append(item(left, right, parent=parent, key=key, kind=kind, content=content))
        known.append((client, clocks[client], length))
        clocks[client] += length
    there = {client: structs for client, structs in clients.items() if structs}
    some_client = dice.choice(list(there))
    return state(there, [(some_client, dice.randrange(clocks[some_client]))] if dice.random() < 0.4 else [])


def row(count: int) -> list[bytes]:
    """Structs one behind the other, with something between them: nothing becomes one."""
    return [item(None if n == 0 else (1, n - 1), kind=5, content=b"\x011") for n in range(count)]


def long(count: int) -> bytes:
    """A text that is one struct."""
    return item(content=bytes(Encoder().string("x" * count)))


CALM: dict[str, Callable[[int], bytes]] = {
    "two who write in turns": lambda n: state(
        {
            1: [item(None if at == 0 else (2, at - 1)) for at in range(n // 2)],
            2: [item((1, at)) for at in range(n // 2)],
        }
    ),
    "in front of a list": lambda n: state({1: [item(right=None if at == 0 else (1, at - 1)) for at in range(n)]}),
    "one behind the other": lambda n: state({1: row(n)}),
    "from the last to the first": lambda n: state({1: row(n)}, [(1, at) for at in reversed(range(n))]),
    "a key set in turns": lambda n: state(
        {
            who: [
                item((other, at - who % 2), kind=8, content=VALUE)
                if at or who == 2
                else item(parent="m", key="k", kind=8, content=VALUE)
                for at in range(n // 2)
            ]
            for who, other in ((1, 2), (2, 1))
        }
    ),
    "keys": lambda n: state({1: [item(parent="m", key=str(at), kind=8, content=VALUE) for at in range(n)]}),
    "roots": lambda n: state({1: [item(parent=str(at)) for at in range(n)]}),
    "formats": lambda n: state(
        {1: [item(None if at == 0 else (1, at - 1), kind=6, content=b"\x01b\x011") for at in range(n)]}
    ),
    "documents": lambda n: state(
        {1: [item(None if at == 0 else (1, at - 1), kind=9, content=b"\x01g\x76\x00") for at in range(n)]}
    ),
    "types in types": lambda n: state(
        {
            1: [
                item(parent="t" if at == 0 else (1, min(at, 500) - 1), key=str(at), kind=7, content=b"\x01")
                for at in range(n)
            ]
        },
        [(1, at) for at in range(0, n, 2)],
    ),
}
"""What the engine reads at once: states of about so many structs."""

CROWDED: dict[str, Callable[[int], bytes]] = {
    "two in front of a list": lambda n: state(
        {who: [item(right=None if at == 0 else (who, at - 1)) for at in range(n // 2)] for who in (1, 2)}
    ),
    "many behind one": lambda n: state({1: [item()], 2: [item((1, 0)) for _ in range(n)]}),
    "in front of a key": lambda n: state(
        {
            1: [
                item(right=(1, at - 1), kind=8, content=VALUE)
                if at
                else item(parent="m", key="k", kind=8, content=VALUE)
                for at in range(n)
            ]
        }
    ),
    "one text": lambda n: state({1: [item(None if at == 0 else (1, at - 1)) for at in range(n)]}),
    "a text cut from the left": lambda n: state({1: [long(n)], 2: [item((1, at)) for at in range(n - 1)]}),
    "a text cut from the right": lambda n: state(
        {1: [long(n)], 2: [item((2, at - 1), (1, at)) if at else item(parent="z") for at in range(n)]}
    ),
    "a text cut by deletions": lambda n: state({1: [long(n)]}, [(1, at) for at in range(0, n, 2)]),
    "behind what is gone, in front of a key": lambda n: state(
        {
            1: [b"\x00\x01"] * (n // 2) + [item(parent="m", key="k", kind=8, content=VALUE)],
            2: [item((1, at), (1, n // 2), kind=8, content=VALUE) for at in range(n // 2)],
        }
    ),
    "clients": lambda n: state({who + 1: [item((who, 0) if who else None)] for who in range(2 * n)}),
}
"""What it does not."""


class Walk:
    """Counts the items past which ``Mirror``, which puts them into their places as Yjs does, walks to find one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def past(self, state: bytes) -> int:
        walk, plain = [0], vars(items.Item)["right"]

        class Counted(items.Item):
            __slots__ = ()

            @property
            def right(self) -> Any:
                walk[0] += counting[0]
                return plain.__get__(self)

            @right.setter
            def right(self, to: Any) -> None:
                plain.__set__(self, to)

        class Counting(mirror.Mirror):
            def _place(self, item: Any, left: Any, right: Any, line: Any) -> Any:
                counting[0] = 1
                walk[0] -= left is not None  # to look at what is right behind it is no walk
                placed = super()._place(item, left, right, line)
                counting[0] = 0
                return placed

        counting = [0]
        with self._monkeypatch.context() as patch:
            for module in (items, mirror):
                patch.setattr(module, "Item", Counted)
            Counting(state)
        return walk[0]
