"""Codec: values of traits, as a room's document holds them, and back without loss.

What JSON can say is stored as it is, so that a program without widgets reads and writes it like anything else::

    state = partyroom.connect("lesson-3").map("widgets")
    state["speed"] = 2.5                # a slider
    state["range"] = [2, 8]             # a range slider: a tuple
    state["day"] = "2024-05-01"         # a DatePicker: dates and times are ISO 8601
    state["colour"] = "red"             # a Dropdown: the option's label

A document has one kind of number, and no tuples. So what would come back as something else, and where the trait does
not say what it is meant to be, is stored in an envelope, ``{"$": "tuple", "v": [1, 2]}``. Aware datetimes keep their
offset from UTC, but not the name of their zone.

Whatever is refused is named with its trait. What others have stored is checked, for anybody may have stored it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

import ipywidgets
import traitlets

from partyroom.client.storing import storable

__all__ = ["MOST_BYTES", "Form", "decode", "encode", "form_of"]

MOST_BYTES: Final = 8 * 2**20
"""The largest value, files included: it goes to everybody, and a document keeps it."""

DEEPEST: Final = 25
_ENVELOPE: Final = "$"
_LARGEST: Final = 2**53 - 1


class Form(NamedTuple):
    """How the values of a trait are stored. Two traits may share a key where their ``kind`` is the same."""

    kind: str
    """For people: ``number``, ``text``, ``list of number``."""
    encode: Callable[[Any, str], Any]
    """``encode(value, where)``; raises ``TypeError`` or ``ValueError`` that begins with ``where``."""
    decode: Callable[[Any, str], Any]
    """``decode(stored, where)``; the same. The trait itself has the last word on what it takes."""


def form_of(trait: traitlets.TraitType[Any, Any]) -> Form:
    """The form in which a trait's values are stored."""
    for kinds, form in _FORMS:
        if isinstance(trait, kinds):
            return form
    if isinstance(trait, (traitlets.List, traitlets.Tuple, ipywidgets.widgets.trait_types.TypedTuple)):
        return _list_form(trait)
    return _ANY


def encode(value: Any, where: str) -> Any:
    """``value`` as it is stored; ``where`` names it in errors.

    Raises ``TypeError`` for types that cannot be stored, and ``ValueError`` for values that cannot, such as a text with
    half a character in it or more than ``MOST_BYTES``.
    """
    return _checked(_encode(value, where, 0), where)


def decode(stored: Any, where: str) -> Any:
    """The value that was stored. Raises ``ValueError`` where somebody has stored an envelope that is none."""
    if isinstance(stored, list):
        return [decode(one, where) for one in stored]
    if not isinstance(stored, dict):
        return stored
    if _ENVELOPE not in stored:
        return {key: decode(one, where) for key, one in stored.items()}
    name, inside = stored[_ENVELOPE], stored.get("v")
    open_it = _OPEN.get(name) if isinstance(name, str) else None
    try:
        if open_it is None:
            raise TypeError
        return open_it(inside, where)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: somebody has stored what is no {name!r}") from None


# -- any value -------------------------------------------------------------------------------------------------------


def _encode(value: Any, where: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"{where}: nested more than {DEEPEST} deep (or in itself)")
    if value is None or (isinstance(value, (bool, str, bytes)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, list):
        return [_encode(one, where, depth + 1) for one in value]
    if isinstance(value, tuple):
        return _envelope("tuple", [_encode(one, where, depth + 1) for one in value])
    if isinstance(value, Mapping):
        return _encode_mapping(value, where, depth)
    for kind, pack in _PACK:
        if isinstance(value, kind) and not isinstance(value, Enum):
            return pack(value)
    raise TypeError(
        f"{where}: {type(value).__name__} cannot be shared; shared values are None, bool, numbers, str, bytes, dates "
        "and times, and lists, tuples and dicts of them"
    )


def _encode_mapping(value: Mapping[Any, Any], where: str, depth: int) -> Any:
    if all(isinstance(key, str) for key in value) and _ENVELOPE not in value:
        return {key: _encode(one, where, depth + 1) for key, one in value.items()}
    pairs = [[_encode(key, where, depth + 1), _encode(one, where, depth + 1)] for key, one in value.items()]
    return _envelope("dict", pairs)


def _envelope(name: str, inside: Any) -> dict[str, Any]:
    return {_ENVELOPE: name, "v": inside}


def _int(value: int) -> Any:
    return int(value) if abs(value) <= _LARGEST else _envelope("int", str(int(value)))


def _float(value: float) -> Any:
    """A float with a fraction is stored as it is; a whole one would be read as an ``int``."""
    value = float(value)
    return _envelope("float", repr(value)) if not math.isfinite(value) or value.is_integer() else value


_PACK: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (int, _int),
    (float, _float),
    (bytearray, lambda value: _envelope("bytearray", bytes(value))),
    (memoryview, lambda value: _envelope("memoryview", bytes(value))),
    (datetime.datetime, lambda value: _envelope("datetime", value.isoformat())),
    (datetime.date, lambda value: _envelope("date", value.isoformat())),
    (datetime.time, lambda value: _envelope("time", value.isoformat())),
    (datetime.timedelta, lambda value: _envelope("timedelta", [value.days, value.seconds, value.microseconds])),
)


def _text(inside: Any) -> str:
    if not isinstance(inside, str) or len(inside) > 4000:
        raise TypeError
    return inside


def _bytes(inside: Any) -> bytes:
    if not isinstance(inside, bytes):
        raise TypeError
    return inside


def _list(inside: Any) -> list[Any]:
    if not isinstance(inside, list):
        raise TypeError
    return inside


_OPEN: Final[dict[str, Callable[[Any, str], Any]]] = {
    "int": lambda inside, where: int(_text(inside)),
    "float": lambda inside, where: float(_text(inside)),
    "bytearray": lambda inside, where: bytearray(_bytes(inside)),
    "memoryview": lambda inside, where: memoryview(_bytes(inside)),
    "tuple": lambda inside, where: tuple(decode(one, where) for one in _list(inside)),
    "dict": lambda inside, where: {decode(key, where): decode(one, where) for key, one in _list(inside)},
    "datetime": lambda inside, where: datetime.datetime.fromisoformat(_text(inside)),
    "date": lambda inside, where: datetime.date.fromisoformat(_text(inside)),
    "time": lambda inside, where: datetime.time.fromisoformat(_text(inside)),
    "timedelta": lambda inside, where: datetime.timedelta(*_list(inside)),
}


def _checked(stored: Any, where: str) -> Any:
    """What a document can hold, and not too much of it."""
    if (size := _size(stored)) > MOST_BYTES:
        raise ValueError(f"{where}: {size / 2**20:.1f} MiB; at most {MOST_BYTES // 2**20} MiB can be shared")
    return storable(stored, where)


def _size(stored: Any) -> int:
    """About how many bytes it takes."""
    if isinstance(stored, (str, bytes)):
        return len(stored)
    if isinstance(stored, list):
        return sum(map(_size, stored)) + 8
    if isinstance(stored, dict):
        return sum(len(key) + _size(one) for key, one in stored.items()) + 8
    return 8


# -- what a trait says its values are --------------------------------------------------------------------------------


def _encode_number(value: Any, where: str) -> Any:
    """A number is stored as one: its trait makes a ``float`` of it again."""
    plain = isinstance(value, float) and math.isfinite(value) and (value or math.copysign(1, value) > 0)
    return float(value) if plain else encode(value, where)


def _decode_number(stored: Any, where: str) -> Any:
    value = decode(stored, where)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _iso(kind: str, of: type[Any], read: Callable[[str], Any]) -> Form:
    """Dates and times, as ISO 8601 without an envelope. Their traits take anything, so this is where it is checked."""

    def encode_iso(value: Any, where: str) -> Any:
        return value.isoformat() if type(value) is of else encode(value, where)

    def decode_iso(stored: Any, where: str) -> Any:
        try:
            value = read(stored) if isinstance(stored, str) else decode(stored, where)
            if value is None or isinstance(value, of):
                return value
        except ValueError:
            pass
        raise ValueError(f"{where}: {str(stored)[:40]!r} is no {kind} as ISO 8601 has it")

    return Form(kind, encode_iso, decode_iso)


def _list_form(trait: traitlets.Container[Any]) -> Form:
    """Lists and tuples are stored as lists; their items in the form of the trait that they all have, if they have."""
    inside: list[Any] = list(getattr(trait, "_traits", None) or [getattr(trait, "_trait", None)])
    forms = {form_of(one) for one in inside if one is not None}
    item = forms.pop() if len(forms) == 1 else _ANY
    as_tuple = not isinstance(trait, traitlets.List)

    def encode_list(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple)):
            return encode(value, where)
        return _checked([item.encode(one, where) for one in value], where)

    def decode_list(stored: Any, where: str) -> Any:
        if not isinstance(stored, list):
            return decode(stored, where)
        items = [item.decode(one, where) for one in stored]
        return tuple(items) if as_tuple else items

    return Form("list" if item is _ANY else f"list of {item.kind}", encode_list, decode_list)


_ANY: Final = Form("value", encode, decode)
_types = ipywidgets.widgets.trait_types
_FORMS: Final[tuple[tuple[Any, Form], ...]] = (
    (traitlets.Bool, Form("yes or no", encode, decode)),
    (traitlets.Int, Form("whole number", encode, decode)),
    (traitlets.Float, Form("number", _encode_number, _decode_number)),
    ((traitlets.Unicode, traitlets.Enum), Form("text", encode, decode)),
    (traitlets.Bytes, Form("bytes", encode, decode)),
    (traitlets.Dict, Form("mapping", encode, decode)),
    (_types.Datetime, _iso("date and time", datetime.datetime, datetime.datetime.fromisoformat)),
    (_types.Date, _iso("date", datetime.date, datetime.date.fromisoformat)),
    (_types.Time, _iso("time", datetime.time, datetime.time.fromisoformat)),
)
