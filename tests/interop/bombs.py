"""Updates that are small to send and large to apply, each by what it is made of; and what is honest but rare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from partyroom.protocols.lib0 import varuint

__all__ = ["BOMBS"]

ROOT: Final = b"\x01\x01t"
"""How a struct names the root "t" as its parent."""


def section(client: int, clock: int, structs: list[bytes]) -> bytes:
    """The structs of one client."""
    return varuint(len(structs)) + varuint(client) + varuint(clock) + b"".join(structs)


def update(*sections: bytes, deletions: bytes = b"\0") -> bytes:
    """Sections as an update."""
    return varuint(len(sections)) + b"".join(sections) + deletions


def letter(left: tuple[int, int] | None = None, right: tuple[int, int] | None = None, text: bytes = b"x") -> bytes:
    """One letter between two others."""
    neighbours = b"".join(varuint(who) + varuint(when) for who, when in filter(None, (left, right)))
    info = 4 | (0x80 if left else 0) | (0x40 if right else 0)
    return bytes((info,)) + (neighbours or ROOT) + varuint(len(text)) + text


def prepended(client: int, count: int, *, after: tuple[int, int] | None = None) -> bytes:
    """Letters of which each stands in front of the one before, as somebody wrote them offline."""
    return section(client, 0, [letter(after, (client, n - 1) if n else None) for n in range(count)])


def two_on_trains(count: int) -> Iterator[bytes]:
    """Honest: two people prepended to one list offline. The second takes the engine their number squared."""
    yield update(prepended(1, count))
    yield update(prepended(2, count))


def two_on_trains_and_a_third(count: int) -> Iterator[bytes]:
    """...and a third makes every order slow: client 3 wants client 1 first, and so does the encoding of the whole."""
    yield update(prepended(2, count))
    yield update(prepended(1, count))
    yield update(section(3, 0, [letter((1, count - 1))]))


def all_after_one(count: int) -> Iterator[bytes]:
    """Honest clients never see so many unknown items between two: each keystroke passes all of them."""
    yield update(prepended(2, count))
    for client in range(10, 110):
        yield update(section(2**31 + client, 0, [letter()]))


def cut_to_pieces(count: int) -> Iterator[bytes]:
    """Items that are cut in half by the next one, each at a cost that grows with their number."""
    yield update(section(7, 0, [letter((7, 2 * (n // 2)) if n else None, text=b"xy") for n in range(count)]))


def waiting_for_a_slow_typist(count: int) -> Iterator[bytes]:
    """Updates that lack a letter that client 5 may type some day; client 5 types, but another."""
    yield update(section(5, 0, [letter()]))
    for client in range(1000, 1000 + count):
        yield update(section(client, 0, [letter((5, 2**20)), *(letter((client, n)) for n in range(299))]))
    for clock in range(1, 50):
        yield update(section(5, clock, [letter((5, clock - 1))]))


def waiting_step_by_step(count: int) -> Iterator[bytes]:
    """Updates of which each letter of client 5 frees a single one."""
    yield update(section(5, 0, [letter()]))
    for client in range(1000, 1000 + count):
        yield update(section(client, 0, [letter((5, n + 1)) for n in range(100)]))
    for clock in range(1, 100):
        yield update(section(5, clock, [letter((5, clock - 1))]))


def deletions(count: int) -> Iterator[bytes]:
    """A single client's many deletions."""
    yield update(section(5, 0, [letter(text=b"x" * 100)]))
    yield update(deletions=b"\x01\x05" + varuint(count) + b"".join(varuint(2 * n) + b"\x01" for n in range(count)))


def emoji(count: int) -> Iterator[bytes]:
    """A text of characters that take two clock ticks, and cuts in the middle of some."""
    yield update(section(5, 0, [letter(text="😀".encode() * count)]))
    for client in range(10, 15):
        yield update(section(client, 0, [letter((5, 2 * client))]))


def clients(count: int) -> Iterator[bytes]:
    """Everybody wrote one letter."""
    yield update(*(section(client, 0, [letter()]) for client in range(1, count + 1)))
    yield update(section(2**31, 0, [letter()]))


def collected(count: int) -> Iterator[bytes]:
    """The remains of much that was deleted."""
    yield update(section(5, 0, [b"\0\1"] * count))


def values(count: int) -> Iterator[bytes]:
    """A list of values that take a byte each on the way."""
    yield update(section(5, 0, [b"\x08" + ROOT + varuint(count) + b"\x7e" * count]))


def nested(count: int) -> Iterator[bytes]:
    """Maps in maps, one level an update."""
    yield update(section(5, 0, [b"\x07" + ROOT + b"\x01"]))
    for depth in range(1, count):
        inside = b"\x27\x00" + varuint(5) + varuint(depth - 1) + b"\x01k\x01"
        yield update(section(5, depth, [inside]))


def keys(count: int) -> Iterator[bytes]:
    """Honest: many who set one key of a map at the same time."""
    for client in range(1, 4):
        one = b"\x28" + ROOT + b"\x01k\x01\x7e"
        again = [b"\xa8" + varuint(client) + varuint(n) + b"\x01\x7e" for n in range(count)]
        yield update(section(client, 0, [one, *again]))


Bomb = Callable[[int], Iterator[bytes]]

BOMBS: Final[dict[str, tuple[Bomb, int, int]]] = {
    made.__name__: (made, few, many)
    for made, few, many in (
        (two_on_trains, 8_000, 50_000),
        (two_on_trains_and_a_third, 3_000, 30_000),
        (all_after_one, 10_000, 200_000),
        (cut_to_pieces, 10_000, 400_000),
        (waiting_for_a_slow_typist, 50, 990),
        (waiting_step_by_step, 20, 990),
        (deletions, 20_000, 900_000),
        (emoji, 20_000, 4_000_000),
        (clients, 5_000, 99_000),
        (collected, 20_000, 900_000),
        (values, 100_000, 1_900_000),
        (nested, 300, 1_500),
        (keys, 3_000, 100_000),
    )
}
"""What makes each, and how much of it: for a sample, and to prove it."""
