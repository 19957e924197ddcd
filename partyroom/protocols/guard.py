"""The guard: walks over a Yjs update before the engine sees it, and refuses what the engine cannot take.

pycrdt's engine (yrs, in Rust) takes bytes at their word: it skips the UTF-8 check, recurses without a bound, reserves
what a count announces and lets 32-bit numbers wrap around. A crash there ends every room of the process. So the walk
checks everything that can be known from the bytes alone, and what passes is well-formed. It accepts what Yjs 13 and
yrs write (``yjs/src/utils/encoding.js``; the v1 encoding, which is the one on the wire), but for three contents that
the engine reads wrongly or not at all: the JSON content of Yjs 12 (2), XML hooks (type 5), and yrs' own moves (11) and
weak links (type 7), which Yjs cannot read either.

What depends on the document, such as a parent that is no shared type, is the engine's to refuse: ``protocols.replica``.

It is pure Python on the path of every edit. That is why ``_structs`` is one long function with its number reading
written out, and why a number of one byte, which most are, takes no call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, NamedTuple, Never

from ..errors import CloseCode, ProtocolError
from .lib0 import MAX_DEPTH, read_varuint

__all__ = ["MAX_CLOCK", "MAX_STRUCTS", "Astral", "Link", "Section", "Summary", "check", "links", "skim", "state_vector"]

MAX_CLOCK: Final = 2**31 - 1
"""The engine computes with clocks as signed 32-bit numbers; honest clients stay far below."""

MAX_STRUCTS: Final = 1_000_000
"""How many structs and deletions one update may hold: a second of work, and more than any document on record."""

MAX_VALUES: Final = 2_000_000
"""How many single values all lists, maps and embeds in one update may hold: a byte each here, 30 in the engine."""


class Astral(NamedTuple):
    """A text that holds surrogate pairs in UTF-16: whose, its first clock, and where the update holds it."""

    client: int
    clock: int
    start: int
    end: int


class Section(NamedTuple):
    """The structs of one client: how many, from which clock on, and the byte at which the first begins."""

    client: int
    clock: int
    structs: int
    at: int


class Summary(NamedTuple):
    """What an accepted update holds.

    ``clients`` gives the first clock and the one after the last of each client's structs, ``needs`` the clocks that a
    document must know of other clients before all of it can be applied, ``deletes`` the end of what is deleted of each
    client. ``gaps`` says that the structs of some client are not contiguous (Skip structs).

    ``marks`` are the places (client, clock) before which a text may have to be cut to apply the update, and ``astral``
    the texts in which such a cut may fall into a character: see ``protocols.surrogates``. ``parents`` are the shared
    types, other than roots, in which structs say that they are: see ``protocols.nesting``.

    ``sections`` is where the structs of each client are, and ``deletions_at`` the byte at which the deletions begin.
    """

    structs: int
    clients: dict[int, tuple[int, int]]
    needs: dict[int, int]
    deletes: dict[int, int]
    gaps: bool
    astral: list[Astral]
    marks: list[tuple[int, int]]
    parents: list[tuple[int, int]]
    sections: list[Section]
    deletions_at: int


class Link(NamedTuple):
    """What a struct of an item says about its place: ``inside`` the type ``who``:``when``, or beside that item.

    In a root type ``who`` is -1.
    """

    client: int
    clock: int
    length: int
    who: int
    when: int
    inside: bool


def check(update: bytes, max_structs: int = MAX_STRUCTS) -> Summary:
    """The summary of an update in the v1 encoding.

    Raises ``ProtocolError`` (close code 1008) with the reason and the byte where the update went wrong.
    """
    clients: dict[int, tuple[int, int]] = {}
    needs: dict[int, int] = {}
    deletes: dict[int, int] = {}
    astral: list[Astral] = []
    marks: list[tuple[int, int]] = []
    parents: list[tuple[int, int]] = []
    sections: list[Section] = []
    try:
        structs, gaps, at = _structs(update, max_structs, clients, needs, astral, marks, parents, sections)
        _deletes(update, at, deletes, marks, max_structs - structs)
    except IndexError:
        raise _refusal(len(update), "it ends in the middle") from None
    except ProtocolError as error:  # of lib0, or already ours
        error.code = CloseCode.POLICY_VIOLATION
        raise
    return Summary(structs, clients, needs, deletes, gaps, astral, marks, parents, sections, at)


def links(update: bytes) -> list[Link]:
    """The place of every item in an update that has passed ``check``."""
    found: list[Link] = []
    _structs(update, MAX_STRUCTS, {}, {}, [], [], [], [], found)
    return found


def skim(data: bytes, at: int) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """The byte after the struct that begins at ``at``, its length, and the clocks (by client) that it refers to.

    For an update that has passed ``check``.
    """
    info = data[at]
    at += 1
    references: list[tuple[int, int]] = []
    if info & 0b1100_0000:
        for flag in (0x80, 0x40):
            if info & flag:
                who, at = read_varuint(data, at)
                when, at = read_varuint(data, at)
                references.append((who, when))
    elif info not in _SPANS:
        named, at = data[at], at + 1
        if named:
            _, at = _string(data, at)
        else:
            who, at = read_varuint(data, at)
            when, at = read_varuint(data, at)
            references.append((who, when))
        if info & 0x20:
            _, at = _string(data, at)
    if info & 0b1_1111 == 4:
        length, at, _ = _text(data, at)
    else:
        length, at = (_SPANS.get(info) or _CONTENT[info & 0b1_1111])(data, at)
    return at, length, tuple(references)


def state_vector(data: bytes) -> dict[int, int]:
    """The clock that each client has reached, as a SyncStep1 asks; raises ``ProtocolError``."""
    count, at = read_varuint(data, 0)
    if count * 2 > len(data) - at:
        raise ProtocolError(f"a state vector of {len(data)} bytes announces {count} clients")
    clocks: dict[int, int] = {}
    for _ in range(count):
        client, at = read_varuint(data, at)
        clock, at = read_varuint(data, at)
        if clock > MAX_CLOCK or client in clocks:
            raise ProtocolError(f"a state vector gives client {client} the clock {clock}")
        clocks[client] = clock
    if at != len(data):
        raise ProtocolError(f"{len(data) - at} bytes follow the last client of a state vector")
    return clocks


def _structs(
    data: bytes,
    max_structs: int,
    clients: dict[int, tuple[int, int]],
    needs: dict[int, int],
    astral: list[Astral],
    marks: list[tuple[int, int]],
    parents: list[tuple[int, int]],
    where: list[Section],
    found: list[Link] | None = None,
) -> tuple[int, bool, int]:
    """Walks the structs of all clients: how many, whether there are gaps, and the byte after the last of them."""
    size = len(data)
    structs, values, gaps = 0, 0, False
    sections, at = read_varuint(data, 0)
    for _ in range(sections):
        count, at = read_varuint(data, at)
        client, at = read_varuint(data, at)
        clock, at = read_varuint(data, at)
        structs += count
        if not 0 < count < size - at or structs > max_structs:
            raise _refusal(at, f"{count} structs of client {client}")
        if client in clients:
            raise _refusal(at, f"client {client} comes twice")
        where.append(Section(client, clock, count, at))
        first = end = clock
        for _ in range(count):
            info = data[at]
            at += 1
            if info & 0b1100_0000:  # it names its left or right neighbour, and shares that one's parent
                for flag in (0x80, 0x40):
                    if info & flag:
                        who = data[at]
                        at += 1
                        if who > 127:
                            who, at = read_varuint(data, at - 1)
                        when = data[at]
                        at += 1
                        if when > 127:
                            when, at = read_varuint(data, at - 1)
                        marks.append((who, when + (flag >> 7)))
                        if who == client:
                            if when >= clock:
                                raise _refusal(at, f"struct {client}:{clock} refers to {when}, which is not before it")
                        elif when >= needs.get(who, 0):
                            needs[who] = when + 1
            elif info != 0 and info != 10:
                parent = data[at]
                at += 1
                if parent == 1:
                    who, when = -1, 0
                    _, at = _string(data, at)
                elif parent == 0:
                    who, at = read_varuint(data, at)
                    when, at = read_varuint(data, at)
                    parents.append((who, when))
                    if who == client:
                        if when >= clock:
                            raise _refusal(at, f"struct {client}:{clock} refers to {when}, which is not before it")
                    elif when >= needs.get(who, 0):
                        needs[who] = when + 1
                else:
                    raise _refusal(at, f"{parent} does not say how a parent is named")
                if info & 0x20:
                    _, at = _string(data, at)
            if info & 0b1_1111 == 4:
                start = at
                length, at, wide = _text(data, at)
                if wide:
                    astral.append(Astral(client, clock, start, at))
            elif info & 0b1_1111 == 8:
                length, at = _count(data, at)
                seen, at = _skip(data, at, length)
                values += seen
                if values > MAX_VALUES:
                    raise _refusal(at, f"more than {MAX_VALUES} values")
            else:
                read = _CONTENT.get(info & 0b1_1111) if info & 0b1111 not in (0, 10) else _SPANS.get(info)
                if read is None:
                    raise _refusal(at, f"no struct has the number {info}")
                length, at = read(data, at)
            if found is not None and info & 0b1111 not in (0, 10):
                found.append(Link(client, clock, length, who, when, not info & 0b1100_0000))
            if info == 10:
                gaps = True
                if clock == first:
                    first = end = clock + length
            else:
                end = clock + length
            clock += length
            if clock > MAX_CLOCK:
                raise _refusal(at, f"client {client} reaches the clock {clock}")
        if end == first:
            raise _refusal(at, f"nothing of client {client}")
        clients[client] = first, end
    return structs, gaps, at


def _deletes(data: bytes, at: int, deletes: dict[int, int], marks: list[tuple[int, int]], most: int) -> None:
    """Walks the delete set, which ends the update."""
    if data[at] == 0 and at + 1 == len(data):
        return
    sections, at = read_varuint(data, at)
    for _ in range(sections):
        client, at = read_varuint(data, at)
        count, at = read_varuint(data, at)
        most -= count
        if count * 2 > len(data) - at or client in deletes or most < 0:
            raise _refusal(at, f"{count} deletions of client {client}")
        last = 0
        for _ in range(count):
            clock = data[at]
            at += 1
            if clock > 127:
                clock, at = read_varuint(data, at - 1)
            length = data[at]
            at += 1
            if length > 127:
                length, at = read_varuint(data, at - 1)
            end = clock + length
            if end > last:
                if end > MAX_CLOCK:
                    raise _refusal(at, f"a deletion of {length} from clock {clock} on")
                last = end
            marks.append((client, clock))
            marks.append((client, end))
        deletes[client] = last
    if at != len(data):
        raise _refusal(at, f"{len(data) - at} bytes follow its end")


def _text(data: bytes, at: int) -> tuple[int, int, bool]:
    """A text: its length in UTF-16 units, the byte after it, and whether some characters take two of the units."""
    size = data[at]
    at += 1
    if size > 127:
        size, at = read_varuint(data, at - 1)
    end = at + size
    if end > len(data):
        raise _refusal(at, f"a text of {size} bytes where {len(data) - at} are left")
    encoded = data[at:end]
    if encoded.isascii():
        return size, end, False
    try:
        text = encoded.decode()
    except UnicodeDecodeError as error:
        raise _refusal(at, f"a text that is not UTF-8 ({error.reason})") from None
    length = len(text.encode("utf-16-le")) // 2
    return length, end, length > len(text)


def _string(data: bytes, at: int) -> tuple[int, int]:
    length, at, _ = _text(data, at)
    return length, at


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A bare length, of deleted content for one."""
    length, at = read_varuint(data, at)
    if length > MAX_CLOCK:
        raise _refusal(at, f"a length of {length}")
    return length, at


def _span(data: bytes, at: int) -> tuple[int, int]:
    """The length of a gap or of what has been garbage-collected, which is never 0: the engine panics at that."""
    length, at = _length(data, at)
    if length == 0:
        raise _refusal(at, "a span of nothing")
    return length, at


def _binary(data: bytes, at: int) -> tuple[int, int]:
    size, at = read_varuint(data, at)
    if at + size > len(data):
        raise _refusal(at, f"{size} bytes where {len(data) - at} are left")
    return 1, at + size


def _anys(data: bytes, at: int) -> tuple[int, int]:
    count, at = _count(data, at)
    return count, _skip(data, at, count)[1]


def _json(data: bytes, at: int) -> tuple[int, int]:
    """One value as JSON text. The engine refuses what is not JSON, but late; the check here costs little."""
    size, at = read_varuint(data, at)
    end = at + size
    if end > len(data):
        raise _refusal(at, f"a text of {size} bytes where {len(data) - at} are left")
    if data.count(b",", at, end) > MAX_VALUES:
        raise _refusal(at, f"more than {MAX_VALUES} values")
    try:
        value = json.loads(str(data[at:end], "utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise _refusal(at, f"a value that is not JSON ({error})") from None
    if data.count(b"[", at, end) + data.count(b"{", at, end) > MAX_DEPTH:
        _measure(value, at)
    return 1, end


def _format(data: bytes, at: int) -> tuple[int, int]:
    _, at = _string(data, at)
    return _json(data, at)


def _document(data: bytes, at: int) -> tuple[int, int]:
    """A subdocument: its name and its options."""
    _, at = _string(data, at)
    return 1, _skip(data, at, 1)[1]


def _type(data: bytes, at: int) -> tuple[int, int]:
    """A shared type; an XML element (3) carries its name."""
    kind = data[at]
    if kind == 3:
        return 1, _string(data, at + 1)[1]
    if kind > 6 or kind == 5:
        raise _refusal(at, f"no shared type has the number {kind}")
    return 1, at + 1


def _count(data: bytes, at: int) -> tuple[int, int]:
    """A number of values that take at least a byte each, so that no lie makes the engine reserve memory."""
    count, at = read_varuint(data, at)
    if count > MAX_VALUES:
        raise _refusal(at, f"more than {MAX_VALUES} values")
    if count > len(data) - at:
        raise _refusal(at, f"{count} values where {len(data) - at} bytes are left")
    return count, at


def _skip(data: bytes, at: int, count: int) -> tuple[int, int]:
    """How many values there are in ``count`` lib0 values (``Decoder.any``), and the byte after them.

    Without recursion, and without building them.
    """
    outer: list[tuple[int, bool]] = []  # how much is still to come in each open array or object
    keyed, seen = False, count
    while count or outer:
        if count == 0:
            count, keyed = outer.pop()
            continue
        count -= 1
        if keyed:
            _, at = _string(data, at)
        kind = data[at]
        at += 1
        if kind == 119:
            _, at = _string(data, at)
        elif kind == 125:
            at = _skip_number(data, at)
        elif kind == 117 or kind == 118:
            outer.append((count, keyed))
            if len(outer) > MAX_DEPTH:
                raise _refusal(at, f"values nested more than {MAX_DEPTH} deep")
            count, at = _count(data, at)
            seen += count
            if seen > MAX_VALUES:
                raise _refusal(at, f"more than {MAX_VALUES} values")
            keyed = kind == 118
        elif kind == 116:
            _, at = _binary(data, at)
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise _refusal(at - 1, f"no type of value has the number {kind}")
    if at > len(data):
        raise _refusal(at, "it ends in the middle")
    return seen, at


def _skip_number(data: bytes, at: int) -> int:
    """The byte after a signed number of at most 53 bits, whose first byte holds six of them."""
    last = at + 7
    while data[at] > 127 and at < last:
        at += 1
    if data[at] > (63 if at == last else 127):
        raise _refusal(at, "a number of more than 53 bits")
    return at + 1


def _measure(value: object, at: int) -> None:
    """Refuses a decoded JSON value that nests too deeply, level by level."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise _refusal(at, f"a value nested more than {MAX_DEPTH} deep")


def _not_json(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _refusal(at: int, reason: str) -> ProtocolError:
    return ProtocolError(f"this update cannot be applied: {reason} (byte {at})", CloseCode.POLICY_VIOLATION)


_FIXED: Final = {127: 0, 126: 0, 124: 4, 123: 8, 122: 8, 121: 0, 120: 0}
"""The bytes after the kind of a value: undefined, null, float32, float64, bigint, false, true."""

_CONTENT: Final[dict[int, Callable[[bytes, int], tuple[int, int]]]] = {
    1: _length,  # deleted
    3: _binary,
    5: _json,  # embed
    6: _format,
    7: _type,
    8: _anys,
    9: _document,
}
"""What follows the neighbours and the parent of an item, by its number; text (4) is read in ``_structs``."""

_SPANS: Final = {0: _span, 10: _span}
"""Garbage-collected structs, and gaps. They are numbers alone: no neighbours, no parent."""
