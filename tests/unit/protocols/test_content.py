"""Content: what is read from a document's bytes. That Yjs reads the same is shown in tests/interop/test_content.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from partyroom.errors import ProtocolError
from partyroom.protocols.content import Kind, Run, Shared, read
from partyroom.protocols.lib0 import UNDEFINED, Encoder, varuint
from partyroom.protocols.plain import plain, spoken
from partyroom.protocols.shared import DEEPEST, utf16_units
from partyroom.protocols.structs import Subdocument, read_structs
from tests.unit.protocols.mutants import honest, mutants

HONEST = honest()


def update(sections: dict[int, list[bytes]], deletes: bytes = b"\0", clock: int = 0) -> bytes:
    """An update with these structs of each client, the first at ``clock``."""
    out = varuint(len(sections))
    for client, structs in sections.items():
        out += varuint(len(structs)) + varuint(client) + varuint(clock) + b"".join(structs)
    return out + deletes


def item(content: bytes, *, left: Any = None, right: Any = None, parent: Any = "a", key: str | None = None) -> bytes:
    """A struct with content as its number and bytes; ``left`` and the like are ids; ``parent`` may name a root."""
    info = content[0] | (0x80 if left else 0) | (0x40 if right else 0) | (0x20 if key is not None else 0)
    out = Encoder(bytes((info,)))
    for neighbour in (left, right):
        if neighbour:
            out.varuint(neighbour[0]).varuint(neighbour[1])
    if not left and not right:
        if isinstance(parent, str):
            out.varuint(1).string(parent)
        else:
            out.varuint(0).varuint(parent[0]).varuint(parent[1])
        if key is not None:
            out.string(key)
    return bytes(out) + content[1:]


def text(content: str) -> bytes:
    return b"\x04" + bytes(Encoder().string(content))


def values(*content: Any) -> bytes:
    out = Encoder(b"\x08").varuint(len(content))
    for value in content:
        out.any(value)
    return bytes(out)


def form(key: str, value: Any) -> bytes:
    return b"\x06" + bytes(Encoder().string(key).string(json.dumps(value)))


ARRAY, MAP = b"\x07\x00", b"\x07\x01"


# what is in it -------------------------------------------------------------------------------------------------------


def test_a_document_of_the_engine_reads_as_the_engine_reads_it() -> None:
    doc: Doc[Any] = Doc()
    body = doc.get("body", type=Text)
    body += "wörld 👋🏽!"
    body.format(0, 1, {"bold": True})
    doc.get("list", type=Array).extend([1, "two", None, {"three": [3.5]}, Map({"four": Array([4])}), Text("five")])
    doc.get("map", type=Map).update({"a": 1, "b": [True], "c": Map({"d": "e"})})
    xml = doc.get("xml", type=XmlFragment)
    xml.children.append(XmlElement("P", {"class": "x"}, [XmlText("hi"), XmlElement("br")]))
    content = read(doc.get_update())
    assert content.roots.keys() == {"body", "list", "map", "xml"}
    assert not content.pending
    assert content.root("body").text() == str(body)
    assert content.json() == {
        "body": "wörld 👋🏽!",
        "list": [1, "two", None, {"three": [3.5]}, {"four": [4]}, "five"],
        "map": {"a": 1, "b": [True], "c": {"d": "e"}},
        "xml": '<p class="x">hi<br></br></p>',
    }
    assert content.root("body").delta()[0] == {"insert": "w", "attributes": {"bold": True}}


def test_a_root_that_is_not_there_is_empty() -> None:
    root = read(b"\0\0").root("nothing")
    assert (root.kind, root.json(), root.text(), root.delta(), root.xml()) == (None, None, "", [], "")
    assert (root.json("array"), root.json("map"), root.json("text")) == ([], {}, "")


@pytest.mark.parametrize(
    ("structs", "kind"),
    [
        ([item(text("x"))], "text"),
        ([item(form("bold", True))], "text"),
        ([item(values(1))], "array"),
        ([item(ARRAY)], "array"),
        ([item(b"\x07\x03\x01p")], "xml"),
        ([item(values(1), key="k")], "map"),
        ([item(b"\x01\x03")], None),
        ([item(ARRAY), item(text("x"), left=(7, 0))], "text"),
    ],
)
def test_a_root_is_what_it_looks_like(structs: list[bytes], kind: Kind | None) -> None:
    assert read(update({7: structs})).roots["a"].kind == kind


def test_what_is_deleted_still_tells_what_a_root_was() -> None:
    root = read(update({7: [item(text("gone"))]}, deletes=b"\x01\x07\x01\x00\x04")).roots["a"]
    assert (root.kind, root.json()) == ("text", "")


def test_the_last_write_of_a_key_counts_even_where_it_is_a_deletion() -> None:
    sections = {7: [item(values(1), key="k"), item(values(2), left=(7, 0))], 8: [item(values(3), left=(7, 0))]}
    assert read(update(sections)).roots["a"].json() == {"k": 3}
    assert read(update(sections, deletes=b"\x01\x08\x01\x00\x01")).roots["a"].json() == {}
    assert read(update(sections)).roots["a"].writes() == {"k": Run(8, 0, 1, [3], False)}


def test_a_character_that_is_cut_in_half_is_two_replacement_characters() -> None:
    sections = {7: [item(text("a😀b"))], 3: [item(text("-"), left=(7, 1))]}
    root = read(update(sections)).roots["a"]
    assert root.text() == "a\ufffd-\ufffdb"
    assert [run.length for run in root.runs()] == [2, 1, 2]


def test_text_in_an_array_counts_utf16_units_and_hangs_nobody() -> None:
    root = read(update({7: [item(text("a😀"))]})).roots["a"]
    assert root.json("array") == ["a", "\ud83d", "\ude00"]
    assert utf16_units("a😀") == ["a", "\ud83d", "\ude00"]


def test_runs_say_who_wrote_what_and_what_is_deleted() -> None:
    sections = {7: [item(text("hello")), item(text("!"), left=(7, 4))], 5: [item(text("XY"), left=(7, 1))]}
    root = read(update(sections, deletes=b"\x01\x05\x01\x00\x01")).roots["a"]
    assert list(root.runs()) == [Run(7, 0, 2, "he", False), Run(5, 1, 1, "Y", False), Run(7, 2, 4, "llo!", False)]
    assert list(root.runs(deleted=True))[1:3] == [Run(5, 0, 1, "X", True), Run(5, 1, 1, "Y", False)]
    gone = read(update({7: [item(b"\x01\x03"), item(values(1, 2), left=(7, 2)), item(values(3), left=(7, 4))]})).roots[
        "a"
    ]
    assert list(gone.runs(deleted=True)) == [Run(7, 0, 3, None, True), Run(7, 3, 3, [1, 2, 3], False)]


def test_values_that_json_has_not_are_said_in_other_words() -> None:
    held = [float("nan"), float("inf"), UNDEFINED, 2**60, b"\0\xff", 2.0**40, 1.5, {"x": UNDEFINED, "y": [UNDEFINED]}]
    root = read(update({7: [item(values(*held))]})).roots["a"]
    said = [None, None, None, 2**60, {"$bytes": "AP8="}, 2**40, 1.5, {"y": [None]}]
    assert root.json() == said
    assert json.dumps(root.json(), allow_nan=False) == json.dumps(said)
    assert plain(Subdocument("id", {})) == {"$document": "id"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "x"),
        (None, "null"),
        (True, "true"),
        (UNDEFINED, "undefined"),
        (3, "3"),
        (-0.0, "0"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1e20, "100000000000000000000"),
        (1.5e21, "1.5e+21"),
        (1.5e-5, "0.000015"),
        (-1e-6, "-0.000001"),
        (1.25e-7, "1.25e-7"),
        ([1, None, [2, "x"]], "1,,2,x"),
        (b"\1\2", "1,2"),
        ({}, "[object Object]"),
        (Subdocument("id", {}), "[object Object]"),
    ],
)
def test_values_are_spoken_as_in_javascript(value: Any, said: str) -> None:
    assert spoken(value) == said


# what strangers send -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", HONEST)
def test_what_yjs_wrote_is_read(scene: str) -> None:
    for data in HONEST[scene]:
        json.dumps(read(data).json(), allow_nan=False)


def test_what_is_malformed_is_refused_and_all_else_is_read() -> None:
    refused = read_ = 0
    for _, data in mutants(seed=11, count=3_000):
        try:
            content = read(data)
        except ProtocolError:
            refused += 1
            continue
        for root in content.roots.values():
            json.dumps([root.json(kind) for kind in ("array", "map", "text", "xml", None)], allow_nan=False)
            json.dumps(root.delta())
            assert sum(run.length for run in root.runs()) <= sum(run.length for run in root.runs(deleted=True))
        read_ += 1
    assert refused > 1_000
    assert read_ > 100


@pytest.mark.parametrize(
    "sections",
    [
        {7: [item(text("x"), left=(8, 0))]},
        {7: [item(text("x"), right=(8, 0))]},
        {7: [item(text("x"), parent=(8, 0))]},
        {7: [item(text("x"), left=(8, 0))], 8: [item(text("y"), left=(7, 0))]},
        {7: [item(text("x"), left=(8, 0))], 8: [item(text("y"), left=(9, 0))], 9: [item(text("z"), left=(7, 0))]},
        {7: [b"\x0a\x02", item(text("x"))]},
    ],
)
def test_what_waits_for_something_or_in_a_circle_is_left_out(sections: dict[int, list[bytes]]) -> None:
    content = read(update(sections))
    assert content.pending
    assert content.json() == {}


def test_what_begins_after_its_clients_first_clock_is_left_out() -> None:
    assert read(update({7: [item(text("x"))]}, clock=5)).pending
    assert read(update({}, deletes=b"\x01\x07\x01\x00\x01")).pending


def test_what_lies_beside_or_in_something_collected_is_gone() -> None:
    for lost in (item(text("x"), left=(7, 1)), item(text("x"), right=(7, 1)), item(text("x"), parent=(7, 0))):
        content = read(update({7: [b"\x00\x03"], 8: [lost]}))
        assert (content.json(), content.pending) == ({}, False)


def test_an_item_in_something_that_is_no_shared_type_is_gone() -> None:
    assert read(update({7: [item(text("x")), item(text("y"), parent=(7, 0))]})).json() == {"a": "x"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["array", "xml"])
def test_types_nested_without_end_cost_a_refusal_and_no_recursion(kind: Kind) -> None:
    levels = 40_000
    wire = ARRAY if kind == "array" else b"\x07\x03\x01p"
    nested = [item(wire), *(item(wire, parent=(7, level)) for level in range(levels))]
    root = read(update({7: nested})).roots["a"]
    if kind == "xml":
        assert root.xml().count("<p>") == levels + 1
        return
    with pytest.raises(ProtocolError, match=f"nested more than {DEEPEST} deep"):
        root.json()
    assert read(update({7: nested[:DEEPEST]})).roots["a"].json()


def test_a_delete_set_that_says_the_same_a_thousand_times_is_read_once() -> None:
    deletes = Encoder().varuint(1).varuint(7).varuint(20_000)
    for _ in range(20_000):
        deletes.varuint(0).varuint(4_000)
    structs = [item(text("x")), *(item(text("x"), left=(7, at)) for at in range(4_000))]
    assert read_structs(update({7: structs}, bytes(deletes)))[1] == {7: [(0, 4_000)]}
    assert read(update({7: structs}, bytes(deletes))).roots["a"].text() == "x"


@pytest.mark.slow
def test_what_is_tangled_beyond_measure_is_refused() -> None:
    """Each item names a neighbour on the right farther away, and all that lies before it has to be looked at."""
    many = 3_000
    straight = [item(values(0)), *(item(values(0), left=(9, at)) for at in range(many))]
    tangled = [item(values(1), right=(9, at)) for at in range(many)]
    assert len(read(update({9: straight, 7: tangled[:500]})).roots["a"].items()) == many + 501
    with pytest.raises(ProtocolError, match="too much of it was written in one place"):
        read(update({9: straight, 7: tangled}))


def test_formats_that_would_be_repeated_without_end_are_refused() -> None:
    structs = [item(form("big", "x" * 100_000))]
    for at in range(0, 1_000, 2):
        structs += [item(text("x"), left=(7, at)), item(form("f", at), left=(7, at + 1))]
    root = read(update({7: structs})).roots["a"]
    with pytest.raises(ProtocolError, match="bytes of formats"):
        root.delta()
    assert root.text() == "x" * 500


def test_an_array_with_an_emoji_in_a_string_is_read_where_the_engine_would_hang() -> None:
    content = read(update({7: [item(ARRAY, parent="m", key="list"), item(text("👋🏽"), parent=(7, 0))]}))
    assert content.json() == {"m": {"list": ["\ud83d", "\udc4b", "\ud83c", "\udffd"]}}
    nested = content.roots["m"].entries()["list"]
    assert isinstance(nested, Shared)
    assert nested.kind == "array"
