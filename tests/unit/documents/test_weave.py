"""Weave: it runs beside the event loop, so the engine, which lets no other thread run, gets little at a time."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Text

from partyroom.documents import weave
from partyroom.protocols.engine import AT_ONCE, Engine
from partyroom.protocols.guard import check
from tests.unit.protocols.test_engine import prepended
from tests.unit.protocols.test_replica import typed

MANY = 1_000


def text_of(update: bytes) -> str:
    doc: Doc[Text] = Doc()
    doc.apply_update(update)
    return str(doc.get("t", type=Text))


def test_what_would_keep_the_engine_busy_is_brought_together_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    apply = Engine.apply

    def counted(self: Engine, update: bytes, *, watch: bool = False) -> bool:
        sizes.append(check(update).structs)
        return apply(self, update, watch=watch)

    monkeypatch.setattr(Engine, "apply", counted)
    ada, bob = prepended(1, MANY, "a"), prepended(2, MANY, "b")
    merged = weave.merge([ada, bob])
    assert sum(sizes) == 2 * MANY
    assert max(sizes) ** 2 <= AT_ONCE / 10
    assert sizes[-1] * MANY <= AT_ONCE / 10
    straight: Doc[Text] = Doc()
    for update in (bob, ada):
        straight.apply_update(update)
    assert text_of(merged) == str(straight.get("t", type=Text))


def test_updates_that_build_on_later_ones_are_brought_together_as_well() -> None:
    first, second, third = typed(3)
    assert text_of(weave.merge([third, second, first])) == "abc"
    assert text_of(weave.merge([third, first])) == "a"


def test_contents_of_what_was_deleted_in_between_are_there_where_nothing_is_collected() -> None:
    doc: Doc[Text] = Doc()
    text = doc.get("t", type=Text)
    text.insert(0, "here before")
    before = doc.get_update()
    text.clear()
    assert b"here before" in weave.weave([before, doc.get_update()])
    assert b"here before" not in weave.merge([before, doc.get_update()])
    assert weave.deletions(doc.get_update()) == {doc.client_id: [(0, 11)]}
