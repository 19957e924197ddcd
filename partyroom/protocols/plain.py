"""Plain: values of a document as JSON, and as JavaScript would turn them into text.

A Yjs document holds more than JSON can say. As in ``JSON.stringify``, NaN and the infinities become ``null``, and so
does ``undefined``, except in an object, which then lacks the key. Beyond it, a BigInt becomes a whole number, bytes
become ``{"$bytes": base64}`` and a subdocument ``{"$document": guid}``.
"""

from __future__ import annotations

from base64 import b64encode
from math import isfinite
from typing import Any

from .lib0 import MAX_INTEGER, UNDEFINED
from .structs import Subdocument

__all__ = ["plain", "spoken"]


def plain(value: Any) -> Any:
    """``value``, which came from ``Decoder.any`` or from JSON, as JSON says it."""
    match value:
        case str() | bool() | None:
            return value
        case float():
            return _number(value)
        case int():
            return value
        case Subdocument():
            return {"$document": value.guid}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case dict():
            return {key: plain(inner) for key, inner in value.items() if inner is not UNDEFINED}
        case bytes():
            return {"$bytes": b64encode(value).decode()}
    return None


def _number(value: float) -> float | int | None:
    """lib0 writes whole numbers of more than 31 bits as floats, and JSON has one kind of number."""
    if not isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= MAX_INTEGER else value


def spoken(value: Any) -> str:
    """``value`` as JavaScript's ``String(value)``, which is how Yjs writes what is no text into XML."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _spoken_number(value)
        case list() | tuple() if not isinstance(value, Subdocument):
            return ",".join("" if inner is None or inner is UNDEFINED else spoken(inner) for inner in value)
        case bytes():
            return ",".join(map(str, value))
    return "undefined" if value is UNDEFINED else "[object Object]"


def _spoken_number(value: float) -> str:
    """A number by the rules of ECMA-262, section Number::toString."""
    if value != value:
        return "NaN"
    if not isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    if power < -6:
        return f"{mantissa}e{power}"
    if power < 0:  # Python has an exponent from 1e-5 on, JavaScript from 1e-7 on
        digits = mantissa.lstrip("-").replace(".", "")
        return f"{'-' if value < 0 else ''}0.{'0' * (-power - 1)}{digits}"
    return f"{mantissa}e+{power}"
