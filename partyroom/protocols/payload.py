"""Payloads: walks over what a struct of an update holds, without building it; ``guard`` walks over all else.

A reader takes the bytes and where a payload begins. It returns the length in clocks, the byte after it, and how many
values it holds, where that can be more than one.

Raises ``ProtocolError``, or ``IndexError`` where the update ends in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, Never, TypeAlias

from ..errors import CloseCode, ProtocolError
from .lib0 import MAX_DEPTH, read_varuint

__all__ = ["CONTENTS", "MAX_CLOCK", "MAX_VALUES", "SPANS", "Reader", "refusal", "text"]

MAX_CLOCK: Final = 2**31 - 1
"""The engine computes with clocks as signed 32-bit numbers; honest clients stay far below."""

MAX_VALUES: Final = 2_000_000
"""How many single values all lists, maps and embeds in one update may hold: a byte each here, 30 in the engine."""

Reader: TypeAlias = Callable[[bytes, int], tuple[int, int, int]]


def refusal(at: int, reason: str) -> ProtocolError:
    """Why an update is refused, and at which byte."""
    return ProtocolError(f"this update cannot be applied: {reason} (byte {at})", CloseCode.POLICY_VIOLATION)


def text(data: bytes, at: int) -> tuple[int, int, bool]:
    """A text: its length in UTF-16 units, the byte after it, and whether some characters take two of the units."""
    size = data[at]
    at += 1
    if size > 127:
        size, at = read_varuint(data, at - 1)
    end = at + size
    if end > len(data):
        raise refusal(at, f"a text of {size} bytes where {len(data) - at} are left")
    encoded = data[at:end]
    if encoded.isascii():
        return size, end, False
    try:
        decoded = encoded.decode()
    except UnicodeDecodeError as error:
        raise refusal(at, f"a text that is not UTF-8 ({error.reason})") from None
    length = len(decoded.encode("utf-16-le")) // 2
    return length, end, length > len(decoded)


def _deleted(data: bytes, at: int) -> tuple[int, int, int]:
    """What has been deleted: a bare length."""
    length, at = read_varuint(data, at)
    if length > MAX_CLOCK:
        raise refusal(at, f"a length of {length}")
    return length, at, 0


def _span(data: bytes, at: int) -> tuple[int, int, int]:
    """The length of a gap or of what has been garbage-collected, which is never 0: the engine panics at that."""
    length, at, _ = _deleted(data, at)
    if length == 0:
        raise refusal(at, "a span of nothing")
    return length, at, 0


def _binary(data: bytes, at: int) -> tuple[int, int, int]:
    size, at = read_varuint(data, at)
    if at + size > len(data):
        raise refusal(at, f"{size} bytes where {len(data) - at} are left")
    return 1, at + size, 0


def _anys(data: bytes, at: int) -> tuple[int, int, int]:
    """A list of values, each of which takes a clock."""
    count, at = _count(data, at)
    seen, at = _skip(data, at, count)
    return count, at, seen


def _json(data: bytes, at: int) -> tuple[int, int, int]:
    """One value as JSON text. The engine refuses what is not JSON, but late; the check here costs little."""
    size, at = read_varuint(data, at)
    end = at + size
    if end > len(data):
        raise refusal(at, f"a text of {size} bytes where {len(data) - at} are left")
    if data.count(b",", at, end) > MAX_VALUES:
        raise refusal(at, f"more than {MAX_VALUES} values")
    try:
        value = json.loads(str(data[at:end], "utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise refusal(at, f"a value that is not JSON ({error})") from None
    if data.count(b"[", at, end) + data.count(b"{", at, end) > MAX_DEPTH:
        _measure(value, at)
    return 1, end, 0


def _format(data: bytes, at: int) -> tuple[int, int, int]:
    """Where a format begins or ends: its name and its value."""
    return _json(data, text(data, at)[1])


def _document(data: bytes, at: int) -> tuple[int, int, int]:
    """A subdocument: its name and its options."""
    return 1, _skip(data, text(data, at)[1], 1)[1], 0


def _type(data: bytes, at: int) -> tuple[int, int, int]:
    """A shared type; an XML element (3) carries its name."""
    kind = data[at]
    if kind == 3:
        return 1, text(data, at + 1)[1], 0
    if kind > 6 or kind == 5:
        raise refusal(at, f"no shared type has the number {kind}")
    return 1, at + 1, 0


def _count(data: bytes, at: int) -> tuple[int, int]:
    """A number of values that take at least a byte each, so that no lie makes the engine reserve memory."""
    count, at = read_varuint(data, at)
    if count > MAX_VALUES:
        raise refusal(at, f"more than {MAX_VALUES} values")
    if count > len(data) - at:
        raise refusal(at, f"{count} values where {len(data) - at} bytes are left")
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
            at = text(data, at)[1]
        kind = data[at]
        at += 1
        if kind == 119:
            at = text(data, at)[1]
        elif kind == 125:
            at = _skip_number(data, at)
        elif kind == 117 or kind == 118:
            outer.append((count, keyed))
            if len(outer) > MAX_DEPTH:
                raise refusal(at, f"values nested more than {MAX_DEPTH} deep")
            count, at = _count(data, at)
            seen += count
            if seen > MAX_VALUES:
                raise refusal(at, f"more than {MAX_VALUES} values")
            keyed = kind == 118
        elif kind == 116:
            at = _binary(data, at)[1]
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise refusal(at - 1, f"no type of value has the number {kind}")
    if at > len(data):
        raise refusal(at, "it ends in the middle")
    return seen, at


def _skip_number(data: bytes, at: int) -> int:
    """The byte after a signed number of at most 53 bits, whose first byte holds six of them."""
    last = at + 7
    while data[at] > 127 and at < last:
        at += 1
    if data[at] > (63 if at == last else 127):
        raise refusal(at, "a number of more than 53 bits")
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
    raise refusal(at, f"a value nested more than {MAX_DEPTH} deep")


def _not_json(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_FIXED: Final = {127: 0, 126: 0, 124: 4, 123: 8, 122: 8, 121: 0, 120: 0}
"""The bytes after the kind of a value: undefined, null, float32, float64, bigint, false, true."""

CONTENTS: Final[dict[int, Reader]] = {
    1: _deleted,
    3: _binary,
    5: _json,  # embed
    6: _format,
    7: _type,
    8: _anys,
    9: _document,
}
"""What follows the neighbours and the parent of an item, by its number; ``text`` (4) is read by itself."""

SPANS: Final[dict[int, Reader]] = {0: _span, 10: _span}
"""Garbage-collected structs, and gaps. They are numbers alone: no neighbours, no parent."""
