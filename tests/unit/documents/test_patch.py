"""Patch: operations near RFC 6902 on the roots of a document, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment

from partyroom import Refused
from partyroom.documents.patch import MOST_OPERATIONS, apply
from partyroom.protocols.content import read
from partyroom.protocols.edits import Editor
from tests.unit.protocols.test_content import item, text, update


@pytest.fixture
def doc() -> Doc[Any]:
    doc: Doc[Any] = Doc(client_id=99)
    doc.get("body", type=Text).insert(0, "hello 👋🏽 world")
    doc.get("list", type=Array).extend([1, True, {"a": [1, None]}, Map({"done": False, "tags": Array(["x"])})])
    doc.get("map", type=Map).update({"title": "Draft", "a/b": 1, "m~n": 2, "note": Text("text"), "": 0})
    doc.get("xml", type=XmlFragment).children.append(XmlElement("p"))
    return doc


def patched(doc: Doc[Any], *operations: Any) -> dict[str, Any]:
    """What the document holds after a patch, by the engine's own account of the update."""
    editor = Editor(read(doc.get_update()), 7)
    apply(editor, list(operations))
    doc.apply_update(editor.update())
    return read(doc.get_update()).json()


def op(name: str, path: str, value: Any = ..., **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **({} if value is ... else {"value": value}), **more}


@pytest.mark.parametrize(
    ("operation", "root", "result"),
    [
        (op("add", "/body/0", "> "), "body", "> hello 👋🏽 world"),
        (op("add", "/body/-", "!"), "body", "hello 👋🏽 world!"),
        (op("remove", "/body/6", count=3), "body", "hello world"),
        (op("replace", "/body/6", "🌍", count=2), "body", "hello 🌍 world"),
        (op("replace", "/body", "hello 👋🏽 you"), "body", "hello 👋🏽 you"),
        (op("add", "/new/key", 1, root="map"), "new", {"key": 1}),
        (op("add", "/new/-", "text", root="text"), "new", "text"),
        (op("add", "/new/-", "value", root="array"), "new", ["value"]),
    ],
)
def test_an_operation_does_what_it_says(doc: Doc[Any], operation: dict[str, Any], root: str, result: Any) -> None:
    assert patched(doc, operation)[root] == result


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        (op("add", "/map/title", "Final"), {"title": "Final"}),
        (op("replace", "/map/title", None), {"title": None}),
        (op("add", "/map/a~1b", [2]), {"a/b": [2]}),
        (op("add", "/map/m~0n", {}), {"m~n": {}}),
        (op("add", "/map/", 5), {"": 5}),
        (op("add", "/map/sub", {"x": 1}, type="map"), {"sub": {"x": 1}}),
        (op("add", "/map/note/4", "!"), {"note": "text!"}),
        (op("replace", "/map/note", "other"), {"note": "other"}),
        (op("replace", "/map/note", 5), {"note": 5}),
    ],
)
def test_an_operation_in_a_map_changes_one_key(doc: Doc[Any], operation: Any, changed: dict[str, Any]) -> None:
    before = read(doc.get_update()).json()["map"]
    assert patched(doc, operation)["map"] == before | changed


def test_a_text_that_is_emptied_does_not_tell_any_more_what_it_was(doc: Doc[Any]) -> None:
    assert patched(doc, op("replace", "/body", ""))["body"] is None
    with pytest.raises(Refused, match='say "root"'):
        patched(doc, op("add", "/body/0", "x"))
    assert patched(doc, op("add", "/body/0", "x", root="text"))["body"] == "x"


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (op("add", "/list/0", "new"), ["new", 1, True, {"a": [1, None]}, {"done": False, "tags": ["x"]}]),
        (op("add", "/list/-", "new"), [1, True, {"a": [1, None]}, {"done": False, "tags": ["x"]}, "new"]),
        (op("remove", "/list/1", count=2), [1, {"done": False, "tags": ["x"]}]),
        (op("replace", "/list/0", 2), [2, True, {"a": [1, None]}, {"done": False, "tags": ["x"]}]),
        (op("replace", "/list", [5]), [5]),
        (op("add", "/list/3/done", True), [1, True, {"a": [1, None]}, {"done": True, "tags": ["x"]}]),
        (op("add", "/list/3/tags/1", "y"), [1, True, {"a": [1, None]}, {"done": False, "tags": ["x", "y"]}]),
        (op("replace", "/list/3", {"only": 1}), [1, True, {"a": [1, None]}, {"only": 1}]),
        (op("remove", "/list/3/tags"), [1, True, {"a": [1, None]}, {"done": False}]),
    ],
)
def test_an_operation_in_an_array(doc: Doc[Any], operation: dict[str, Any], result: Any) -> None:
    assert patched(doc, operation)["list"] == result


def test_a_key_that_is_removed_is_gone(doc: Doc[Any]) -> None:
    assert patched(doc, op("remove", "/map/title"), op("remove", "/map/note"))["map"] == {"a/b": 1, "m~n": 2, "": 0}


def test_a_shared_type_that_is_made_can_be_edited_by_others(doc: Doc[Any]) -> None:
    patched(doc, op("add", "/map/body", "made", type="text"), op("add", "/map/body/0", "un"))
    held = doc.get("map", type=Map)["body"]
    assert isinstance(held, Text)
    held += "!"
    assert str(held) == "unmade!"


def test_what_is_equal_at_the_ends_of_a_replaced_text_is_left_alone(doc: Doc[Any]) -> None:
    editor = Editor(read(doc.get_update()), 7)
    apply(editor, [op("replace", "/body", "hello 👋🏽 my world")])
    assert len(editor.update()) < 30


def test_operations_see_those_before_them(doc: Doc[Any]) -> None:
    operations = [
        op("add", "/body/0", "one "),
        op("test", "/body/0", "one hello"),
        op("remove", "/body/4", count=5),
        op("test", "/body", "one  👋🏽 world"),
        op("add", "/list/0", []),
        op("test", "/list/1", 1),
    ]
    assert patched(doc, *operations)["body"] == "one  👋🏽 world"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/body", "hello 👋🏽 world"),
        ("/body/6", "👋🏽"),
        ("/body/6", ""),
        ("/map/title", "Draft"),
        ("/map/a~1b", 1.0),
        ("/list/2/a/0", 1),
        ("/list/2/a/1", None),
        ("/list/3", {"tags": ["x"], "done": False}),
        ("/list/3/tags/0", "x"),
        ("/xml", "<p></p>"),
        ("/nothing", None),
    ],
)
def test_what_is_so_passes_its_test(doc: Doc[Any], path: str, value: Any) -> None:
    patched(doc, op("test", path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/body", "hello"),
        ("/body/6", "x"),
        ("/body/100", "x"),
        ("/body/0", 5),
        ("/body/0/0", "h"),
        ("/map/a~1b", True),
        ("/map/nothing", None),
        ("/list/0", True),
        ("/list/1", 1),
        ("/list/2/a", [1]),
        ("/list/2/a/2", None),
        ("/list/2/b", None),
        ("/list/9", None),
        ("/list/01", True),
        ("/list/3", {"done": False}),
        ("/xml/0", "<p></p>"),
    ],
)
def test_what_is_not_so_fails_its_test(doc: Doc[Any], path: str, value: Any) -> None:
    with pytest.raises(Refused, match="not what the test expects") as refused:
        patched(doc, op("test", path, value))
    assert refused.value.status == 409


@pytest.mark.parametrize(
    "operation",
    [
        5,
        {},
        {"op": "move", "path": "/map/a"},
        {"op": "add", "path": "/map/a"},
        {"op": "add", "path": "map/a", "value": 1},
        {"op": "add", "path": 5, "value": 1},
        op("add", "/map/a", 1, from_="/x"),
        op("remove", "/body/0", count=0),
        op("remove", "/body/0", count=True),
        op("remove", "/body/x"),
        op("remove", "/list/-1"),
        op("remove", "/list/00"),
        op("add", "/map/a", 1, type="map"),
        op("add", "/map/a", {}, type="xml"),
        op("add", "/new/0", 1, root="xml"),
        op("remove", "/body"),
    ],
)
def test_what_makes_no_sense_is_400(doc: Doc[Any], operation: Any) -> None:
    before = doc.get_update()
    with pytest.raises(Refused, match="Operation 1: ") as refused:
        patched(doc, op("add", "/body/0", "x"), operation)
    assert refused.value.status == 400
    assert doc.get_update() == before


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (op("add", "/body/100", "x"), "/body/100 is beyond the end"),
        (op("remove", "/body/10", count=10), "beyond the end"),
        (op("remove", "/list/4"), "beyond the end"),
        (op("remove", "/map/nothing"), "/map/nothing is not there"),
        (op("replace", "/map/nothing", 1), "not there"),
        (op("add", "/map/title/0", "x"), "/map/title is not there, or is no shared type"),
        (op("add", "/list/2/a/0", 1), "/list/2 is not there, or is no shared type"),
        (op("add", "/body/0", 5), "the value is no string"),
        (op("add", "/body/0", {}, type="map"), "the value is no string"),
        (op("replace", "/list", {}), "/list is of type array, and the value does not fit"),
        (op("add", "/xml/0", "x"), "/xml is XML"),
        (op("add", "/new/0", "x"), 'say "root"'),
        (op("add", "/body/0", "x", root="array"), "is of type text, not array"),
    ],
)
def test_what_this_document_does_not_allow_is_409(doc: Doc[Any], operation: Any, reason: str) -> None:
    with pytest.raises(Refused, match=r"^409: Operation 0: ") as refused:
        patched(doc, operation)
    assert reason in refused.value.reason


def test_an_array_in_which_a_stranger_has_put_text_is_not_edited() -> None:
    editor = Editor(read(update({8: [item(text("👋🏽")), item(b"\x08\x01\x7d\x05", left=(8, 3))]})), 7)
    with pytest.raises(Refused, match="is of type text, not array"):
        apply(editor, [op("add", "/a/0", 1, root="array")])
    nested = update({8: [item(b"\x07\x00", parent="m", key="list"), item(text("👋🏽"), parent=(8, 0))]})
    with pytest.raises(Refused, match="/m/list has text among its values"):
        apply(Editor(read(nested), 7), [op("add", "/m/list/0", 1)])


def test_a_patch_has_no_more_operations_than_it_may() -> None:
    with pytest.raises(Refused, match=r"^400"):
        apply(Editor(read(b"\0\0"), 7), [op("test", "/a", None)] * (MOST_OPERATIONS + 1))
    with pytest.raises(Refused, match=r"^400"):
        apply(Editor(read(b"\0\0"), 7), {"op": "test"})
