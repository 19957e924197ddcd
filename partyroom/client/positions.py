"""Positions: places in a text or list that stay where they are while others edit.

A ``Position`` names the character that it sits beside, not an index: it is Yjs' relative position
(``yjs/src/utils/RelativePosition.js``), in its bytes and in the JSON that editors put into their cursors' awareness
states. pycrdt has the like of it (``StickyIndex``), which adds bytes to clocks and so names another character wherever
text is not ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ProtocolError
from ..protocols.lib0 import MAX_INTEGER, Decoder, Encoder
from ..protocols.structs import FORMAT, Id
from .items import Branch
from .mirror import Mirror

__all__ = ["Position", "create", "resolve"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place beside the tick ``item``, or at an end of the root ``tname`` or of the shared type that ``type`` brought.

    With ``assoc`` 0 it clings to the character on its right, or to the end of the text; with -1 to the character on its
    left, or to the beginning. An id is a client and a clock.
    """

    item: Id | None = None
    tname: str | None = None
    type: Id | None = None
    assoc: int = 0

    def encode(self) -> bytes:
        """The bytes that Yjs' ``encodeRelativePosition`` gives, and its ``decodeRelativePosition`` takes."""
        out = Encoder()
        if self.item is not None:
            out.varuint(0).varuint(self.item[0]).varuint(self.item[1])
        elif self.tname is not None:
            out.varuint(1).string(self.tname)
        elif self.type is not None:
            out.varuint(2).varuint(self.type[0]).varuint(self.type[1])
        else:
            raise ValueError("a position that is nowhere: it needs an item, a tname or a type")
        return bytes(out.varint(self.assoc))

    @classmethod
    def decode(cls, data: bytes) -> Position:
        """The position in these bytes; raises ``ProtocolError``."""
        source = Decoder(data)
        match source.varuint():
            case 0:
                found = cls(item=(source.varuint(), source.varuint()))
            case 1:
                found = cls(tname=source.string())
            case 2:
                found = cls(type=(source.varuint(), source.varuint()))
            case kind:
                raise ProtocolError(f"no relative position begins with {kind}")
        return cls(found.item, found.tname, found.type, source.varint() if source.left else 0)

    def to_json(self) -> dict[str, Any]:
        """What Yjs' ``relativePositionToJSON`` gives, as editors put it into awareness states."""
        json: dict[str, Any] = {}
        if self.type is not None:
            json["type"] = {"client": self.type[0], "clock": self.type[1]}
        if self.tname is not None:
            json["tname"] = self.tname
        if self.item is not None:
            json["item"] = {"client": self.item[0], "clock": self.item[1]}
        return {**json, "assoc": self.assoc}

    @classmethod
    def from_json(cls, json: Any) -> Position:
        """The position in such JSON, in which fields may be missing or null; raises ``ProtocolError``."""
        if not isinstance(json, dict):
            raise ProtocolError(f"a relative position is an object, not {type(json).__name__}")
        tname, assoc = json.get("tname"), json.get("assoc")
        item, parent = _id(json, "item"), _id(json, "type")
        if not isinstance(tname, str | None) or (item is None and parent is None and tname is None):
            raise ProtocolError("a relative position needs an item, a tname or a type")
        if assoc is not None and type(assoc) is not int:
            raise ProtocolError("the assoc of a relative position is a whole number")
        return cls(item, tname, parent, assoc or 0)


def create(branch: Branch, index: int, assoc: int = 0) -> Position:
    """The position at an index of a shared type, counted in code points or values; raises ``IndexError``."""
    if not 0 <= index <= len(branch.items):
        raise IndexError(f"no place {index} in a text or list of {len(branch.items)}")
    holder = None if branch.item is None else (branch.item.client, branch.item.clock)
    if assoc < 0:
        found, offset = branch.items.before(index)
        tick = None if found is None else found.units(offset) - 1
    else:
        found, offset = branch.items.at(index)
        tick = None if found is None else found.units(offset)
    item = None if found is None or tick is None else (found.client, found.clock + tick)
    return Position(item, branch.name, holder, assoc)


def resolve(mirror: Mirror, position: Position) -> tuple[Branch, int] | None:
    """The shared type and the index in it where a position is now.

    Where its character has been deleted, it is where that was. ``None`` where its character is not known (yet), or was
    deleted together with the shared type that it was in. A position that Yjs has put inside a character that takes two
    of its units is moved to the near side of it. Undone deletions are not followed, as in Yjs for all but the
    client that undid them.
    """
    if position.item is None:
        branch = _type(mirror, position)
        return None if branch is None else (branch, len(branch.items) if position.assoc >= 0 else 0)
    item = mirror.find(position.item)
    if item is None or item.line is None or not item.line.branch.alive:
        return None
    index = item.line.index(item)
    if not item.deleted and item.kind != FORMAT:
        points, cut = item.points(position.item[1] - item.clock + (position.assoc < 0))
        index += points + (cut and position.assoc < 0)
    return item.line.branch, index


def _type(mirror: Mirror, position: Position) -> Branch | None:
    if position.tname is not None:
        return mirror.root(position.tname)
    item = None if position.type is None else mirror.find(position.type)
    branch = None if item is None else item.content
    return branch if isinstance(branch, Branch) and branch.alive else None


def _id(json: dict[str, Any], field: str) -> Id | None:
    match json.get(field):
        case None:
            return None
        case {"client": int(client), "clock": int(clock)} if 0 <= client <= MAX_INTEGER and 0 <= clock <= MAX_INTEGER:
            return client, clock
    raise ProtocolError(f"the {field} of a relative position has a client and a clock")
