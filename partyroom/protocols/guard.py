"""The guard: walks over a Yjs update before the engine sees it, and refuses what the engine cannot take.

pycrdt's engine (yrs, in Rust) takes bytes at their word: it skips the UTF-8 check, recurses without a bound, reserves
what a count announces and lets 32-bit numbers wrap around. A crash there ends every room of the process. So the walk
checks everything that can be known from the bytes alone, and what passes is well-formed. It accepts what Yjs 13 and
yrs write (``yjs/src/utils/encoding.js``; the v1 encoding, which is the one on the wire), but for three contents that
the engine reads wrongly or not at all: the JSON content of Yjs 12 (2), XML hooks (type 5), and yrs' own moves (11) and
weak links (type 7), which Yjs cannot read either.

What depends on the document, such as a parent that is no shared type, is the engine's to refuse: ``protocols.replica``.

It is pure Python on the path of every edit. That is why ``_section`` is one long loop with its number reading
written out: a number of one byte, which most are, takes no call. What structs hold is in ``payload``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import CloseCode, ProtocolError
from .lib0 import read_varuint
from .payload import CONTENTS, MAX_CLOCK, MAX_VALUES, SPANS, refusal, text

__all__ = ["MAX_CLOCK", "MAX_STRUCTS", "Astral", "Link", "Section", "Summary", "check", "links", "skim", "state_vector"]

MAX_STRUCTS: Final = 1_000_000
"""How many structs and deletions one update may hold: a second of work, and more than any document on record."""


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


@dataclass(slots=True)
class Summary:
    """What an accepted update holds: how many structs, how many values in lists and maps, and where they are.

    ``clients`` gives the first clock and the one after the last of each client's structs, ``needs`` the clocks that a
    document must know of other clients before all of it can be applied, ``deletes`` the end of what is deleted of each
    client. ``gaps`` says that the structs of some client are not contiguous (Skip structs).

    ``marks`` are the places (client, clock) before which a text may have to be cut to apply the update, and ``astral``
    the texts in which such a cut may fall into a character: see ``protocols.surrogates``. ``parents`` are the shared
    types, other than roots, in which structs say that they are: see ``protocols.nesting``.

    ``sections`` is where the structs of each client are, and ``deletions_at`` the byte at which the deletions begin.
    """

    structs: int
    values: int
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
    summary = Summary(0, 0, {}, {}, {}, False, [], [], [], [], 0)
    try:
        summary.deletions_at = _structs(update, summary, max_structs)
        _deletions(update, summary, max_structs - summary.structs)
    except IndexError:
        raise refusal(len(update), "it ends in the middle") from None
    except ProtocolError as error:  # of lib0, or already ours
        error.code = CloseCode.POLICY_VIOLATION
        raise
    return summary


def links(update: bytes) -> list[Link]:
    """The place of every item in an update that has passed ``check``."""
    found: list[Link] = []
    _structs(update, Summary(0, 0, {}, {}, {}, False, [], [], [], [], 0), MAX_STRUCTS, found)
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
    elif info not in SPANS:
        named, at = data[at], at + 1
        if named:
            at = text(data, at)[1]
        else:
            who, at = read_varuint(data, at)
            when, at = read_varuint(data, at)
            references.append((who, when))
        if info & 0x20:
            at = text(data, at)[1]
    if info & 0b1_1111 == 4:
        length, at, _ = text(data, at)
    else:
        length, at, _ = (SPANS.get(info) or CONTENTS[info & 0b1_1111])(data, at)
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


def _structs(data: bytes, summary: Summary, most: int, found: list[Link] | None = None) -> int:
    """Walk the structs of all clients; returns the byte after the last of them."""
    size = len(data)
    sections, at = read_varuint(data, 0)
    for _ in range(sections):
        count, at = read_varuint(data, at)
        client, at = read_varuint(data, at)
        clock, at = read_varuint(data, at)
        summary.structs += count
        if not 0 < count < size - at or summary.structs > most:
            raise refusal(at, f"{count} structs of client {client}")
        if client in summary.clients:
            raise refusal(at, f"client {client} comes twice")
        section = Section(client, clock, count, at)
        summary.sections.append(section)
        at = _section(data, summary, section, found)
    return at


def _section(data: bytes, summary: Summary, section: Section, found: list[Link] | None) -> int:
    """Walk the structs of one client; returns the byte after the last of them."""
    client, clock, count, at = section
    needs, marks = summary.needs, summary.marks
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
                            raise _not_before(at, client, clock, when)
                    elif when >= needs.get(who, 0):
                        needs[who] = when + 1
        elif info != 0 and info != 10:
            who, when, at = _parent(data, summary, client, clock, at)
            if info & 0x20:
                at = text(data, at)[1]
        if info & 0b1_1111 == 4:
            start = at
            length, at, wide = text(data, at)
            if wide:
                summary.astral.append(Astral(client, clock, start, at))
        else:
            read = CONTENTS.get(info & 0b1_1111) or SPANS.get(info)
            if read is None:
                raise refusal(at, f"no struct has the number {info}")
            length, at, values = read(data, at)
            if values:
                summary.values += values
                if summary.values > MAX_VALUES:
                    raise refusal(at, f"more than {MAX_VALUES} values")
        if found is not None and info not in SPANS:
            found.append(Link(client, clock, length, who, when, not info & 0b1100_0000))
        clock += length
        if clock > MAX_CLOCK:
            raise refusal(at, f"client {client} reaches the clock {clock}")
        if info != 10:
            end = clock
        else:
            summary.gaps = True
            if first == clock - length:
                first = end = clock
    if end == first:
        raise refusal(at, f"nothing of client {client}")
    summary.clients[client] = first, end
    return at


def _parent(data: bytes, summary: Summary, client: int, clock: int, at: int) -> tuple[int, int, int]:
    """Walk over the parent of an item that names no neighbour: see ``Link``; returns the byte after it, too."""
    named = data[at]
    if named == 1:
        return -1, 0, text(data, at + 1)[1]
    if named != 0:
        raise refusal(at + 1, f"{named} does not say how a parent is named")
    who, at = read_varuint(data, at + 1)
    when, at = read_varuint(data, at)
    summary.parents.append((who, when))
    if who == client:
        if when >= clock:
            raise _not_before(at, client, clock, when)
    elif when >= summary.needs.get(who, 0):
        summary.needs[who] = when + 1
    return who, when, at


def _deletions(data: bytes, summary: Summary, most: int) -> None:
    """Walk the delete set, which ends the update."""
    at, deletes, marks = summary.deletions_at, summary.deletes, summary.marks
    if data[at] == 0 and at + 1 == len(data):
        return
    sections, at = read_varuint(data, at)
    for _ in range(sections):
        client, at = read_varuint(data, at)
        count, at = read_varuint(data, at)
        most -= count
        if count * 2 > len(data) - at or client in deletes or most < 0:
            raise refusal(at, f"{count} deletions of client {client}")
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
                    raise refusal(at, f"a deletion of {length} from clock {clock} on")
                last = end
            marks.append((client, clock))
            marks.append((client, end))
        deletes[client] = last
    if at != len(data):
        raise refusal(at, f"{len(data) - at} bytes follow its end")


def _not_before(at: int, client: int, clock: int, when: int) -> ProtocolError:
    return refusal(at, f"struct {client}:{clock} refers to {when}, which is not before it")
