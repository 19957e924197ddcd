"""Edits: what an editor writes does to the engine's document what it did to the content that was read."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from partyroom.protocols.content import read
from partyroom.protocols.edits import Editor, New
from partyroom.protocols.guard import check

TEXTS = ["a", "hello", "👋🏽", "漢字", "x\ny", "𝒳é"]


def applied(doc: Doc[Any], editor: Editor) -> None:
    """The edits go into the document; what was read and edited is what the document holds now."""
    update = editor.update()
    check(update)
    doc.apply_update(update)
    assert read(doc.get_update()).json() == editor.content.json()


def editor_of(doc: Doc[Any], client: int = 7) -> Editor:
    content = read(doc.get_update())
    return Editor(content, client, check(doc.get_update()).clients.get(client, (0, 0))[1])


@pytest.mark.parametrize("seed", range(20))
def test_edits_of_text_count_code_points(seed: int) -> None:
    random = Random(seed)
    doc: Doc[Any] = Doc(client_id=5)
    text = doc.get("body", type=Text)
    text += "start 👋🏽 漢字"
    text.insert_embed(0, {"image": "x"})
    expected = "\ufffcstart 👋🏽 漢字"
    for _ in range(30):
        editor = editor_of(doc)
        for _ in range(random.randint(1, 3)):
            at = random.randint(0, len(expected))
            if random.random() < 0.5:
                piece = random.choice(TEXTS)
                editor.insert_text(editor.root("body"), at, piece)
                expected = expected[:at] + piece + expected[at:]
            else:
                count = random.randint(0, min(4, len(expected) - at))
                editor.delete(editor.root("body"), at, count)
                expected = expected[:at] + expected[at + count :]
        applied(doc, editor)
        whole = "".join(one.insert if isinstance(one.insert, str) else "\ufffc" for one in editor.root("body").spans())
        assert whole == expected
    assert str(text) == expected.replace("\ufffc", "")


def test_edits_of_an_array_between_those_of_others() -> None:
    doc: Doc[Any] = Doc(client_id=9)
    array = doc.get("list", type=Array)
    array.extend([1, 2, 3, 4])
    editor = editor_of(doc)
    root = editor.root("list")
    editor.delete(root, 1, 2)
    editor.insert(root, 1, ["two", {"three": [3.5]}, b"\1"])
    editor.insert(root, 5, [New("map", {"a": 1}), New("array", [1, "2"]), New("text", "👋🏽!")])
    editor.insert(root, 0, [None])
    applied(doc, editor)
    assert array.to_py() == [None, 1, "two", {"three": [3.5]}, b"\1", 4, {"a": 1}, [1, "2"], "👋🏽!"]


def test_edits_of_a_map_replace_and_delete() -> None:
    doc: Doc[Any] = Doc(client_id=9)
    held = doc.get("map", type=Map)
    held.update({"a": 1, "b": 2, "c": Map({"x": 1})})
    editor = editor_of(doc)
    root = editor.root("map")
    editor.set(root, "a", 10)
    editor.set(root, "a", 11)
    editor.delete_key(root, "b")
    editor.delete_key(root, "nothing")
    editor.set(root.entries()["c"], "y", New("map", {"deep": True}))
    editor.set(root, "new", "value")
    applied(doc, editor)
    assert held.to_py() == {"a": 11, "c": {"x": 1, "y": {"deep": True}}, "new": "value"}


def test_edits_that_were_made_without_each_other_merge() -> None:
    doc: Doc[Any] = Doc(client_id=9)
    text = doc.get("body", type=Text)
    text += "hello world"
    one, two = editor_of(doc, client=20), editor_of(doc, client=21)
    one.delete(one.root("body"), 0, 6)
    two.insert_text(two.root("body"), 11, "!")
    for editor in (two, one):
        doc.apply_update(editor.update())
    assert str(text) == "world!"


def test_an_editor_goes_on_where_it_stopped() -> None:
    doc: Doc[Any] = Doc()
    for letter in "abc":
        editor = editor_of(doc)
        editor.insert_text(editor.root("body"), 0, letter)
        applied(doc, editor)
    assert str(doc.get("body", type=Text)) == "cba"


def test_nothing_is_an_empty_update() -> None:
    editor = Editor(read(b"\0\0"), 7)
    editor.insert_text(editor.root("body"), 0, "")
    editor.delete(editor.root("body"), 0, 0)
    assert editor.update() == b"\0\0"


@pytest.mark.parametrize(("index", "count"), [(3, 1), (0, 4), (-1, 1), (4, 0)])
def test_what_is_beyond_the_end_changes_nothing(index: int, count: int) -> None:
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, "abc")
    editor = editor_of(doc)
    with pytest.raises(IndexError):
        editor.delete(editor.root("body"), index, count)
    with pytest.raises(IndexError):
        editor.insert(editor.root("body"), 4, [1])
    assert editor.update() == b"\0\0"


def test_text_that_is_inserted_takes_the_format_of_what_is_before_it() -> None:
    doc: Doc[Any] = Doc()
    text = doc.get("body", type=Text)
    text += "bold plain"
    text.format(0, 4, {"bold": True})
    editor = editor_of(doc)
    editor.insert_text(editor.root("body"), 4, "er")
    applied(doc, editor)
    assert text.diff() == [("bolder", {"bold": True}), (" plain", None)]
