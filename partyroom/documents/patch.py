"""Patch: a small JSON patch for documents, close to RFC 6902.

A patch is a list of operations, applied in order, all or none of them::

    [{"op": "test",    "path": "/settings/title", "value": "Draft"},
     {"op": "replace", "path": "/settings/title", "value": "Final"},
     {"op": "add",     "path": "/todo/-", "value": {"what": "milk"}, "type": "map"},
     {"op": "remove",  "path": "/todo/0", "count": 2},
     {"op": "add",     "path": "/body/0", "value": "Hello\\n"}]

``path`` is a JSON pointer (RFC 6901) whose first part is the name of a root. The operations, and what goes beyond RFC
6902 in them:

===========  =======================================================================================================
``add``      sets a key of a map, or inserts a value into an array or a string into a text; ``-`` is the end
``remove``   deletes a key, or ``count`` values or characters (one where it is not said)
``replace``  as ``remove`` and ``add``; of a root or a shared type, all that it holds
``test``     what is there equals ``value``; at a place in a text, the characters from there on
===========  =======================================================================================================

Places in texts count code points, with one for each thing that is embedded. A ``value`` is stored as one JSON value,
which clients can only replace as a whole; with ``"type": "map" | "array" | "text"`` it becomes a shared type that holds
it. An empty root does not tell what it is: ``"root": "map" | "array" | "text"`` does. XML cannot be edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import Refused
from ..protocols.edits import NUMBERS, Editor, New
from ..protocols.plain import plain
from ..protocols.shared import Kind, Shared
from ..protocols.structs import STRING

__all__ = ["MOST_OPERATIONS", "apply"]

MOST_OPERATIONS: Final = 1_000
"""Operations of one patch: each may have to look through a whole text."""

_MEMBERS: Final = {"op", "path", "value", "count", "type", "root"}
_HOLDS: Final[dict[str, type]] = {"map": dict, "array": list, "text": str}
_MISSING: Final = object()


def apply(editor: Editor, patch: Any) -> None:
    """Carry out a patch in an editor, whose content is of no use any more where this raises.

    Raises ``Refused``: 400 for what is no patch, 409 for what this document does not allow.
    """
    if not isinstance(patch, list) or len(patch) > MOST_OPERATIONS:
        raise Refused(400, f"A patch is a list of at most {MOST_OPERATIONS} operations")
    for number, said in enumerate(patch):
        try:
            _carry_out(editor, _read(said))
        except Refused as refused:
            raise Refused(refused.status, f"Operation {number}: {refused.reason}") from None
        except IndexError:
            raise Refused(409, f"Operation {number}: {said['path']} is beyond the end") from None


@dataclass(frozen=True, slots=True)
class _Operation:
    op: str
    path: str
    parts: list[str]
    value: Any
    count: int
    type: str | None
    root: Kind | None


class _Place(NamedTuple):
    """Where an operation works: in ``shared``, which is a ``kind``, at ``part``; ``None`` means all of it."""

    shared: Shared
    kind: Kind
    part: str | None


def _read(said: Any) -> _Operation:
    if not isinstance(said, dict) or not said.keys() <= _MEMBERS:
        raise Refused(400, f"an operation is an object with no other members than {', '.join(sorted(_MEMBERS))}")
    op, path, value = said.get("op"), said.get("path"), said.get("value", _MISSING)
    count, made, root = said.get("count", 1), said.get("type"), said.get("root")
    if op not in ("add", "remove", "replace", "test"):
        raise Refused(400, f'"op" is add, remove, replace or test, not {op!a}')
    if not isinstance(path, str) or not path.startswith("/"):
        raise Refused(400, '"path" is a JSON pointer that begins with a slash and the name of a root')
    if op != "remove" and value is _MISSING:
        raise Refused(400, f'"{op}" needs a "value"')
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise Refused(400, '"count" is a whole number from 1 on')
    if made not in (None, *NUMBERS) or root not in (None, *NUMBERS):
        raise Refused(400, f'"type" and "root" are one of {", ".join(NUMBERS)}')
    if made is not None and not _holds(made, value):
        raise Refused(400, f'"value" is not what a {made} holds')
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return _Operation(op, path, parts, value, count, made, root)


def _carry_out(editor: Editor, operation: _Operation) -> None:
    if operation.op == "test":
        if not _same(_looked_up(editor, operation), operation.value):
            raise Refused(409, f"{operation.path} is not what the test expects")
        return
    place = _place(editor, operation)
    if place.part is None:
        _whole(editor, place, operation)
    elif place.kind == "map":
        _in_map(editor, place, place.part, operation)
    else:
        _in_list(editor, place, place.part, operation)


def _place(editor: Editor, operation: _Operation) -> _Place:
    """Follow a path through shared types, as far as the last but one of its parts."""
    name, *parts = operation.parts
    shared = editor.root(name)
    kind = _kind(shared, operation.root, f"/{name}")
    way = ""
    for at, part in enumerate(parts):
        way += f"/{part}"
        inner = _held(shared, kind, part) if kind != "text" else None
        if not isinstance(inner, Shared):
            if at + 1 < len(parts):
                raise Refused(409, f"/{name}{way} is not there, or is no shared type: replace it as a whole")
            return _Place(shared, kind, part)
        if at + 1 == len(parts):
            if operation.op == "replace" and operation.type is None and _holds(inner.kind, operation.value):
                return _Place(inner, _kind(inner, None, way), None)
            return _Place(shared, kind, part)
        shared, kind = inner, _kind(inner, None, f"/{name}{way}")
    return _Place(shared, kind, None)


def _kind(shared: Shared, said: Kind | None, where: str) -> Kind:
    kind = shared.kind or said
    if kind is None:
        raise Refused(409, f'{where} is empty and does not tell what it is: say "root": "text", "array" or "map"')
    if said is not None and kind != said:
        raise Refused(409, f"{where} is of type {kind}, not {said}")
    if kind == "xml":
        raise Refused(409, f"{where} is XML, which a patch cannot edit")
    if kind == "array" and any(item.kind == STRING and not item.deleted for item in shared.list):
        raise Refused(409, f"{where} has text among its values, and no place in it is certain")
    return kind


def _held(shared: Shared, kind: Kind, part: str) -> Any:
    """What a map or an array holds under a key or an index; ``_MISSING`` where that is not there."""
    if kind == "map":
        return shared.entries().get(part, _MISSING)
    values = shared.items()
    return values[int(part)] if _is_index(part) and int(part) < len(values) else _MISSING


def _holds(kind: str | None, value: Any) -> bool:
    """Whether ``value`` can be the whole content of such a shared type."""
    return kind in _HOLDS and isinstance(value, _HOLDS[kind])


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 16 and (part == "0" or part[0] != "0")


def _index(part: str, end: int) -> int:
    if part == "-":
        return end
    if not _is_index(part):
        raise Refused(400, f"{part!a} is no place in a list: that is a whole number, or - for its end")
    return int(part)


def _value(operation: _Operation) -> Any:
    return operation.value if operation.type is None else New(operation.type, operation.value)


def _whole(editor: Editor, place: _Place, operation: _Operation) -> None:
    """Replace all that a shared type holds."""
    shared, value = place.shared, operation.value
    if operation.op != "replace":
        raise Refused(400, f"a root can be replaced and tested; to {operation.op} something, name a place in it")
    if not _holds(place.kind, value):
        raise Refused(409, f"{operation.path} is of type {place.kind}, and the value does not fit")
    if place.kind == "map":
        for key in shared.entries():
            if key not in value:
                editor.delete_key(shared, key)
        for key, inner in value.items():
            editor.set(shared, key, inner)
    elif place.kind == "array":
        editor.delete(shared, 0, len(shared.items()))
        editor.insert(shared, 0, value)
    else:
        _retype(editor, shared, value)


def _retype(editor: Editor, shared: Shared, text: str) -> None:
    """Make a text say something else, leaving alone what is equal at its ends, and with it the cursors there."""
    before = _characters(shared)
    start = 0
    while start < min(len(before), len(text)) and before[start] == text[start]:
        start += 1
    end = 0
    while end < min(len(before), len(text)) - start and before[-1 - end] == text[-1 - end]:
        end += 1
    editor.delete(shared, start, len(before) - end - start)
    editor.insert_text(shared, start, text[start : len(text) - end])


def _characters(shared: Shared) -> str:
    """A text with U+FFFC, as Unicode has it, for each thing that is embedded."""
    return "".join(span.insert if isinstance(span.insert, str) else "\ufffc" for span in shared.spans())


def _in_map(editor: Editor, place: _Place, key: str, operation: _Operation) -> None:
    if operation.op != "add" and key not in place.shared.entries():
        raise Refused(409, f"{operation.path} is not there")
    if operation.op == "remove":
        editor.delete_key(place.shared, key)
    else:
        editor.set(place.shared, key, _value(operation))


def _in_list(editor: Editor, place: _Place, part: str, operation: _Operation) -> None:
    shared = place.shared
    text = place.kind == "text"
    index = _index(part, len(_characters(shared) if text else shared.items()) if part == "-" else 0)
    if text and operation.op != "remove" and not isinstance(operation.value, str):
        raise Refused(409, f"{operation.path} is a place in a text, and the value is no string")
    if operation.op != "add":
        editor.delete(shared, index, operation.count)
    if operation.op == "remove":
        return
    if text:
        editor.insert_text(shared, index, operation.value)
    else:
        editor.insert(shared, index, [_value(operation)])


def _looked_up(editor: Editor, operation: _Operation) -> Any:
    """What is at a path, as JSON; ``_MISSING`` where nothing is."""
    name, *parts = operation.parts
    shared = editor.content.root(name)
    held: Any = shared
    kind = shared.kind or operation.root
    for at, part in enumerate(parts):
        if isinstance(held, Shared):
            kind = held.kind or operation.root
            if kind == "text":
                return _stretch(held, part, operation) if at + 1 == len(parts) else _MISSING
            held = _held(held, kind, part) if kind in ("map", "array") else _MISSING
        elif isinstance(held, dict):
            held = held.get(part, _MISSING)
        elif isinstance(held, list) and _is_index(part) and int(part) < len(held):
            held = held[int(part)]
        else:
            held = _MISSING
    if isinstance(held, Shared):
        return held.json(kind if held is shared else None)
    return _MISSING if held is _MISSING else plain(held)


def _stretch(shared: Shared, part: str, operation: _Operation) -> Any:
    """The characters of a text from a place on, as many as the test names."""
    characters = _characters(shared)
    start = _index(part, len(characters))
    expected = operation.value
    return characters[start : start + len(expected)] if isinstance(expected, str) else _MISSING


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: ``true`` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
