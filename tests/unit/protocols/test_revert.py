"""Revert: edits that take edits back, applied by the real engine to documents that go on changing."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from partyroom.documents.reconcile import restoring
from partyroom.documents.weave import merge, weave
from partyroom.protocols import guard, ranges
from partyroom.protocols.content import read
from partyroom.protocols.lib0 import BigInt, Decoder, Encoder
from partyroom.protocols.revert import Reverted, revert
from partyroom.protocols.structs import read_structs

SERVER = 99


def back(then: bytes, now: bytes, clock: int = 0) -> Reverted:
    """What makes ``now`` say again what ``then`` said."""
    before, after = (ranges.alive(*read_structs(state)) for state in (then, now))
    remove, revive = ranges.without(after, before), ranges.without(before, after)
    return revert(read(weave([then, now])), remove, revive, client=SERVER, clock=clock)


def view(state: bytes) -> dict[str, Any]:
    content = read(state)
    return {
        "body": content.root("body").delta(),
        "map": content.root("map").json("map"),
        "arr": content.root("arr").json("array"),
        "xml": content.root("xml").json("xml"),
    }


class Editor:
    """Makes random edits of every kind that pycrdt can make."""

    def __init__(self, client: int, random: Random) -> None:
        self.doc: Doc[Any] = Doc(client_id=client)
        self.random = random
        self.text = self.doc.get("body", type=Text)
        self.map = self.doc.get("map", type=Map)
        self.array = self.doc.get("arr", type=Array)
        self.xml = self.doc.get("xml", type=XmlFragment)

    def edit(self) -> None:
        kinds = [self.type, self.type, self.erase, self.format, self.set, self.set, self.push, self.nest, self.mark_up]
        self.random.choice(kinds)()

    def type(self) -> None:
        text = str(self.text)
        at = self.random.randrange(len(text) + 1)
        self.text.insert(len(text[:at].encode()), self.random.choice(["a", "bc", "😀", "é ", "hello "]))

    def _stretch(self) -> tuple[int, int]:
        text = str(self.text)
        start = self.random.randrange(len(text) + 1)
        end = min(len(text), start + self.random.randrange(1, 5))
        return len(text[:start].encode()), len(text[:end].encode())

    def erase(self) -> None:
        start, end = self._stretch()
        if start < end:
            del self.text[start:end]

    def format(self) -> None:
        start, end = self._stretch()
        if start < end:
            self.text.format(start, end, {self.random.choice(["bold", "em"]): self.random.choice([True, None])})

    def set(self) -> None:
        key = self.random.choice("abc")
        if key in self.map and self.random.random() < 0.2:
            del self.map[key]
        else:
            self.map[key] = self.value()

    def push(self) -> None:
        size = len(self.array)
        if size and self.random.random() < 0.45:
            del self.array[self.random.randrange(size)]
        else:
            self.array.insert(self.random.randrange(size + 1), self.value())

    def value(self) -> Any:
        makers: list[Callable[[], Any]] = [
            lambda: 1,
            lambda: "s",
            lambda: None,
            lambda: b"bin",
            lambda: [1, {"z": 2.5}],
            lambda: Map({"n": 1, "t": Text("deep")}),
            lambda: Array([1, Map({"q": Array([1, 2])})]),
        ]
        return self.random.choice(makers)()

    def nest(self) -> None:
        for inner in self.array:
            if isinstance(inner, Map):
                inner[self.random.choice("nq")] = self.value()
            elif isinstance(inner, Array):
                if len(inner) and self.random.random() < 0.5:
                    del inner[0]
                else:
                    inner.append(self.value())

    def mark_up(self) -> None:
        children = self.xml.children
        size = len(children)
        if size and self.random.random() < 0.4:
            del children[self.random.randrange(size)]
        elif size and self.random.random() < 0.5:
            child = children[self.random.randrange(size)]
            if isinstance(child, XmlElement):
                child.attributes[self.random.choice(["id", "c"])] = self.random.choice(["1", "2"])
                child.children.append(XmlText("t"))
            else:
                child.insert(0, "zz")
        else:
            children.insert(self.random.randrange(size + 1), self.random.choice([XmlElement("p"), XmlText("text")]))


def exchange(editors: list[Editor]) -> None:
    for one in editors:
        for other in editors:
            if one is not other:
                one.doc.apply_update(other.doc.get_update(one.doc.get_state()))


def work(editors: list[Editor], random: Random) -> bytes:
    """Some rounds of concurrent edits; the state in which all agree."""
    for _ in range(random.randrange(1, 4)):
        for _ in range(random.randrange(1, 25)):
            random.choice(editors).edit()
        exchange(editors)
    return editors[0].doc.get_update()


@pytest.mark.parametrize("seed", range(40))
def test_what_is_taken_back_is_as_it_was_and_all_converge_with_who_edited_meanwhile(seed: int) -> None:
    random = Random(seed)
    editors = [Editor(client, random) for client in (1, 2, 3)]
    then, now = work(editors, random), work(editors, random)
    update = back(then, now).update
    guard.check(update)
    for _ in range(3):
        editors[1].edit()
    editors[0].doc.apply_update(update)
    assert view(editors[0].doc.get_update()) == view(then)
    exchange(editors)
    assert len({repr(view(editor.doc.get_update())) for editor in editors}) == 1


@pytest.mark.parametrize("seed", range(20))
def test_taking_back_can_be_taken_back(seed: int) -> None:
    random = Random(1000 + seed)
    editors = [Editor(client, random) for client in (1, 2)]
    then, now = work(editors, random), work(editors, random)
    doc = editors[0].doc
    doc.apply_update(back(then, now).update)
    clock = guard.state_vector(doc.get_state()).get(SERVER, 0)
    doc.apply_update(back(now, doc.get_update(), clock).update)
    assert view(doc.get_update()) == view(now)


def test_what_is_equal_is_not_touched() -> None:
    editor = Editor(1, Random(0))
    editor.text.insert(0, "one two three")
    then = editor.doc.get_update()
    del editor.text[4:8]
    editor.text.insert(4, "2 ")
    reverted = back(then, editor.doc.get_update())
    summary = guard.check(reverted.update)
    assert summary.clients == {SERVER: (0, 4)}
    assert summary.deletes == {1: 15}
    assert [copy[:3] for copy in reverted.copies] == [(1, 4, 4)]


def test_a_value_that_was_set_meanwhile_by_somebody_else_stays() -> None:
    editor = Editor(1, Random(0))
    editor.map["title"] = "first"
    then = editor.doc.get_update()
    editor.map["title"] = "second"
    mine = ranges.without(*(ranges.alive(*read_structs(s)) for s in (editor.doc.get_update(), then)))
    editor.map["title"] = "somebody else's"
    now = editor.doc.get_update()
    woven = read(weave([then, now]))
    lost = ranges.without(*(ranges.alive(*read_structs(state)) for state in (then, now)))
    editor.doc.apply_update(revert(woven, mine, lost, client=SERVER, clock=0).update)
    assert view(editor.doc.get_update())["map"] == {"title": "somebody else's"}


def test_an_emoji_that_was_cut_in_half_comes_back_whole() -> None:
    then = bytes(Encoder(b"\x01\x01\x01\x00\x04\x01").string("body").string("a😀b").varuint(0))
    cut = b"\x00\x01\x01\x01\x02\x01"  # deletes the second half: clock 2 of client 1
    doc: Doc[Any] = Doc()
    doc.apply_update(merge([then, cut]))
    now = doc.get_update()
    assert read(now).root("body").text() == "a\ufffdb"
    reverted = restoring(then, now, (SERVER, 0))
    assert reverted is not None
    doc.apply_update(reverted.update)
    assert read(doc.get_update()).root("body").text() == "a😀b"


def test_a_javascript_bigint_comes_back_as_one() -> None:
    value = bytes(Encoder().any(BigInt(5)))
    assert value == b"\x7a" + (5).to_bytes(8, "big")
    assert isinstance(Decoder(value).any(), BigInt)
