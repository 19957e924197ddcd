"""Mirror: what it reads is what the engine reads, whatever several clients do to a document at the same time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from partyroom.client import reading
from partyroom.client.mirror import Mirror, OutOfStep
from partyroom.protocols import guard

STRINGS = ["a", "bcd", "é", "😀", "漢字", "👩‍👩‍👧", "\n"]


class Client:
    """A document that is edited by pycrdt, and the mirror that follows it."""

    def __init__(self, dice: Random) -> None:
        self.doc: Doc[Any] = Doc(client_id=dice.randrange(1, 2**32))
        self.mirror = Mirror()
        self._dice = dice
        self._subscription = self.doc.observe(lambda event: self.mirror.apply(event.update))

    def close(self) -> None:
        self.doc.unobserve(self._subscription)

    def edit(self) -> None:
        dice = self._dice
        choice = dice.randrange(3)
        if choice == 0:
            self._edit_text(self.doc.get("t", type=Text))
        elif choice == 1:
            values: list[Any] = [1, "q", [1, {"a": 2}], None, Map({"k": 1}), Array([1, 2]), Text("hi")]
            self.doc.get("m", type=Map)[dice.choice("xyz")] = dice.choice(values)
        else:
            array = self.doc.get("a", type=Array)
            if len(array) and dice.random() < 0.4:
                del array[dice.randrange(len(array))]
            else:
                array.insert(dice.randrange(len(array) + 1), dice.choice([1, "w", {"a": [1]}, Map({"k": 1}), b"zz"]))

    def _edit_text(self, text: Text) -> None:
        dice, shown = self._dice, str(text)
        start = dice.randrange(len(shown) + 1)
        stop = min(len(shown), start + dice.randrange(1, 4))
        begin, end = len(shown[:start].encode()), len(shown[:stop].encode())
        if dice.random() < 0.6 or begin == end:
            text.insert(begin, dice.choice(STRINGS))
        elif dice.random() < 0.8:
            del text[begin:end]
        else:
            text.format(begin, end, {"bold": dice.random() < 0.5})

    def agrees(self, mirror: Mirror) -> None:
        assert mirror.root("t").items.text() == str(self.doc.get("t", type=Text))
        assert reading.entries(mirror.root("m")) == self.doc.get("m", type=Map).to_py()
        assert reading.items(mirror.root("a")) == self.doc.get("a", type=Array).to_py()
        before = 0
        for item in mirror.root("t").items:
            assert mirror.root("t").items.index(item) == before
            before += item.size
        assert before == len(mirror.root("t").items)


def play(seed: int) -> None:
    dice = Random(seed)
    clients = [Client(dice) for _ in range(3)]
    for _ in range(25):
        for client in clients:
            with client.doc.transaction():
                for _ in range(dice.randrange(3)):
                    client.edit()
        one, other = dice.sample(clients, 2)
        other.doc.apply_update(one.doc.get_update(other.doc.get_state()))
    for one in clients * 2:
        for other in clients:
            other.doc.apply_update(one.doc.get_update(other.doc.get_state()))
    for client in clients:
        client.agrees(client.mirror)
        client.agrees(Mirror(client.doc.get_update()))
        assert guard.state_vector(client.mirror.state_vector()) == guard.state_vector(client.doc.get_state())
        client.close()


@pytest.mark.parametrize("seed", range(40))
def test_it_reads_what_the_engine_reads(seed: int) -> None:
    play(seed)


def test_what_is_known_already_changes_nothing() -> None:
    doc: Doc[Any] = Doc()
    doc.get("t", type=Text).insert(0, "once")
    mirror = Mirror(doc.get_update())
    mirror.touches = []
    mirror.apply(doc.get_update())
    assert mirror.touches == []
    assert mirror.root("t").items.text() == "once"


def test_an_update_that_lacks_its_predecessor_is_out_of_step() -> None:
    doc: Doc[Any] = Doc()
    text = doc.get("t", type=Text)
    text.insert(0, "first")
    state = doc.get_state()
    text.insert(2, "second")
    with pytest.raises(OutOfStep):
        Mirror(doc.get_update(state))


def test_typing_on_grows_one_item() -> None:
    doc: Doc[Any] = Doc()
    mirror = Mirror()
    subscription = doc.observe(lambda event: mirror.apply(event.update))
    text = doc.get("t", type=Text)
    for at in range(1000):
        text.insert(at, "x")
    assert len(list(mirror.root("t").items)) == 1
    doc.unobserve(subscription)


def test_types_nested_too_deep_to_show_read_as_nothing() -> None:
    doc: Doc[Any] = Doc()
    inner = doc.get("m", type=Map)
    for _ in range(300):
        inner["m"] = Map()
        inner = inner["m"]
    shown: dict[str, Any] | None = reading.entries(Mirror(doc.get_update()).root("m"))
    depth = 0
    while shown is not None:
        shown, depth = shown["m"], depth + 1
    assert 90 < depth < 110


def test_long_texts_find_any_index() -> None:
    doc: Doc[Any] = Doc()
    text = doc.get("t", type=Text)
    for _ in range(2000):
        text.insert(0, "é")
        text.insert(2, "漢x")
    mirror = Mirror(doc.get_update())
    line = mirror.root("t").items
    shown = line.text()
    assert shown == str(text)
    for index in range(0, len(shown), 37):
        item, offset = line.at(index)
        assert item is not None
        assert item.content[offset] == shown[index]
        assert line.index(item) + offset == index
