"""Writing: an update by one client in the v1 encoding, for ``structs`` to read (``yjs/src/structs/Item.js``)."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from .lib0 import Encoder, varuint
from .plain import plain
from .ranges import Ticks, encode
from .structs import ANY, BINARY, DOCUMENT, EMBED, FORMAT, STRING, TYPE, Struct

__all__ = ["write_struct", "write_update"]


def write_update(client: int, clock: int, structs: Collection[bytes], deletions: Ticks) -> bytes:
    """An update: what ``client``, whose next clock is ``clock``, inserts, and what is deleted."""
    head = b"\x00"
    if structs:
        head = b"\x01" + varuint(len(structs)) + varuint(client) + varuint(clock)
    return head + b"".join(structs) + encode(deletions)


def write_struct(struct: Struct) -> bytes:
    """An item; a shared type in it is told by its ``number`` and ``name``. Raises ``ValueError`` for what is none."""
    left, right, parent = struct.origin, struct.right_origin, struct.parent
    named = struct.key is not None
    out = Encoder(bytes((struct.kind | (left is not None) << 7 | (right is not None) << 6 | named << 5,)))
    for tick in (left, right):
        if tick is not None:
            out.varuint(tick[0]).varuint(tick[1])
    if left is None and right is None:
        if isinstance(parent, str):
            out.varuint(1).string(parent)
        elif parent is not None:
            out.varuint(0).varuint(parent[0]).varuint(parent[1])
        if struct.key is not None:
            out.string(struct.key)
    _content(out, struct.kind, struct.content)
    return bytes(out)


def _content(out: Encoder, kind: int, content: Any) -> None:
    """What an item holds. JSON that Python has read may hold what JSON cannot say, such as 1e999."""
    if kind == STRING:
        out.string(content)
    elif kind == ANY:
        out.varuint(len(content))
        for value in content:
            out.any(value)
    elif kind == TYPE:
        out.varuint(content.number)
        if content.number == 3:
            out.string(content.name)
    elif kind == BINARY:
        out.buffer(content)
    elif kind == EMBED:
        out.string(json.dumps(plain(content)))
    elif kind == FORMAT:
        out.string(content.key).string(json.dumps(plain(content.value)))
    elif kind == DOCUMENT:
        out.string(content.guid).any(content.options)
    else:
        raise ValueError(f"no item of kind {kind} is ever written anew")
