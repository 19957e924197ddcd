"""Storing: which Python values a document can hold, checked before anything changes.

Values are JSON's (``None``, ``bool``, ``int``, ``float``, ``str``, lists and dicts with ``str`` keys) and ``bytes``.
Tuples are stored as lists. Refused is what other clients could not read as what it was:

- whole numbers beyond 2^53 - 1 either way, which JavaScript would round (store a ``str``);
- NaN and the infinities, which JSON has not (store ``None``);
- half of a surrogate pair in a text, which UTF-8 has not;
- what nests more than 100 deep, and so what contains itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from ..protocols.lib0 import MAX_INTEGER

__all__ = ["storable", "text"]

DEEPEST: Final = 100


def storable(value: Any, path: str) -> Any:
    """A plain copy of ``value``; ``path`` is where it would be stored, for the error.

    Raises ``TypeError`` for types that cannot be stored, and ``ValueError`` for values that cannot.
    """
    return _storable(value, path, 0)


def text(value: object, path: str) -> str:
    """``value`` as a text; raises ``TypeError``, and ``ValueError`` for half of a surrogate pair."""
    if not isinstance(value, str):
        raise TypeError(f"{path}: a text takes str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{path}: character {error.start} is half of a surrogate pair, which is no text") from None
    return str(value)


def _storable(value: Any, path: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"{path.partition('[')[0]}: a value nested more than {DEEPEST} deep (or in itself)")
    match value:
        case None | bool():
            return value
        case str():
            return text(value, path)
        case int():
            if abs(value) > MAX_INTEGER:
                raise ValueError(f"{path}: {value} is beyond 2^53 - 1, which JavaScript would round; store a str")
            return int(value)
        case float():
            if not isfinite(value):
                raise ValueError(f"{path}: {value} is not JSON; store None")
            return float(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case list() | tuple():
            return [_storable(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(value)]
        case Mapping():
            return {_key(key, path): _storable(one, f"{path}[{key!r}]", depth + 1) for key, one in value.items()}
    raise TypeError(f"{path}: {type(value).__name__} cannot be stored; values are JSON and bytes")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path}: the key {key!r} is a {type(key).__name__}; keys are str")
    return text(key, path)
