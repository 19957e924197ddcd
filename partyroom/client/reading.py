"""Reading: what items hold as plain Python values, copied, so that nobody changes the mirror by changing what he read.

Maps are ``dict``, arrays ``list``, texts ``str`` and XML its text as Yjs writes it (without formats). Values are JSON's
and ``bytes``. JavaScript has one kind of number, so a whole number is an ``int`` however it was written; ``undefined``
is ``None``, and a subdocument is its name.
"""

from __future__ import annotations

from typing import Any, Final

from ..protocols.lib0 import MAX_INTEGER, UNDEFINED
from ..protocols.structs import ANY, STRING, Subdocument
from .items import Branch, Item

__all__ = ["contents", "entries", "items", "plain", "value"]

_DEEPEST: Final = 100
"""Shared types nested deeper than this read as ``None``: a stranger decides how deep they lie, and readers recurse."""

_ELEMENT: Final = 3


def items(branch: Branch, depth: int = 0) -> list[Any]:
    """What a shared type holds as a list. Text in it counts one value for each character."""
    return [one for item in branch.items if not item.deleted for one in contents(item, depth)]


def entries(branch: Branch, depth: int = 0) -> dict[str, Any]:
    """What a shared type holds as a map."""
    held = ((key, branch.value(key)) for key in branch.entries)
    return {key: value(item, depth) for key, item in held if item is not None}


def contents(item: Item, depth: int = 0) -> list[Any]:
    """What an item of a list shows."""
    if item.size == 0:
        return []
    if item.kind == STRING:
        return list(item.content)
    if item.kind == ANY:
        return [_copy(one) for one in item.content]
    return [_one(item.content, depth)]


def value(item: Item, depth: int = 0) -> Any:
    """The value of an item of a key: as in Yjs, the last one where a stranger has put several."""
    if item.kind in (STRING, ANY):
        return _copy(item.content[-1]) if item.content else None
    return None if item.size == 0 else _one(item.content, depth)


def plain(branch: Branch, depth: int = 0) -> Any:
    """A shared type that lies in another, as what it is."""
    if depth > _DEEPEST:
        return None
    match branch.kind:
        case 0:  # Y.Array
            return items(branch, depth)
        case 1:  # Y.Map
            return entries(branch, depth)
        case 2 | 6:  # Y.Text, Y.XmlText
            return branch.items.text()
    inside = "".join(str(one) for one in items(branch, depth))
    if branch.kind != _ELEMENT:
        return inside
    attributes = "".join(f' {key}="{one}"' for key, one in sorted(entries(branch, depth).items()))
    name = branch.element.lower()
    return f"<{name}{attributes}>{inside}</{name}>"


def _one(content: Any, depth: int) -> Any:
    if isinstance(content, Branch):
        return plain(content, depth + 1)
    return _copy(content)


def _copy(content: Any) -> Any:
    if isinstance(content, float) and content.is_integer() and abs(content) <= MAX_INTEGER:
        return int(content)
    if isinstance(content, list):
        return [_copy(one) for one in content]
    if isinstance(content, dict):
        return {key: _copy(one) for key, one in content.items()}
    if content is UNDEFINED:
        return None
    return content.guid if isinstance(content, Subdocument) else content
