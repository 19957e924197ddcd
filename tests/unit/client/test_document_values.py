"""DocumentClient and its values: edits of Python values go to the others, and come from them, like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pycrdt import Text

from partyroom.client.positions import Position
from partyroom.client.values import ABSENT, Change, KeyEdit, SpanEdit
from partyroom.protocols.lib0 import varuint
from partyroom.testing import settle
from tests.unit.client.inside import Inside


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    async with Inside.running() as inside:
        yield inside


async def test_values_are_the_same_for_all(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        with ada.batch():
            ada.map("state")["count"] = 1
            ada.array("rows").extend(["a", {"b": b"c"}])
            ada.text("body").append("hello 🎉")
        await settle()
        assert bob.map("state") == {"count": 1}
        assert bob.array("rows") == ["a", {"b": b"c"}]
        bob.text("body")[6] = "you"
        await settle()
        assert ada.text("body") == str(ada.doc.get("body", type=Text)) == "hello you"


async def test_changes_are_told_in_the_event_loop(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        changes: list[Change] = []
        bob.map("state").on_change(changes.append)
        ada.map("state")["x"] = [1]
        await settle()
        bob.map("state")["x"] = 2
        assert len(changes) == 1
        await settle()
        assert changes == [
            Change((KeyEdit((), "x", ABSENT, [1]),), remote=True),
            Change((KeyEdit((), "x", [1], 2),), remote=False),
        ]


async def test_callbacks_hear_of_edits_made_before_the_client_began(inside: Inside) -> None:
    client = inside.client()
    changes: list[Change] = []
    client.text("body").on_change(changes.append)
    client.text("body").append("early ")
    async with client:
        client.text("body").append("late")
        await settle()
    assert [change.edits for change in changes] == [(SpanEdit((), 0, "early ", ""),), (SpanEdit((), 6, "late", ""),)]


async def test_a_cut_emoji_is_told_though_the_document_is_another(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        ada.text("body").append("a😀b")
        await settle()
        changes: list[Change] = []
        bob.text("body").on_change(changes.append)
        whose = ada.doc.client_id
        before = bob.doc
        half = b"\x00\x01" + varuint(whose) + b"\x01\x02\x01"  # delete the second half
        with ada.lock:
            ada.doc.apply_update(half)
        await settle()
        assert bob.doc is not before
        assert [change.edits for change in changes] == [(SpanEdit((), 1, "\ufffd", "😀"),)]


async def test_undo_takes_back_edits_of_values_and_not_those_of_others(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        ada.text("body").append("mine")
        undo = ada.undo(ada.doc.get("body", type=Text), pause=0)
        ada.text("body").append(" too")
        await settle()
        bob.text("body").insert(0, "yours ")
        await settle()
        ada.text("body")[:5] = "OURS"
        assert ada.text("body") == "OURS mine too"
        assert undo.undo()
        assert undo.undo()
        assert ada.text("body") == "yours mine"
        assert undo.redo()
        await settle()
        assert ada.text("body") == bob.text("body") == "yours mine too"


async def test_a_cursor_is_shown_as_editors_show_it(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        ada.text("body").append("漢字 and 😀 more")
        await settle()
        cursor = ada.text("body").position(7)
        ada.set_presence(cursor={"anchor": cursor.to_json(), "head": cursor.to_json()})
        await settle()
        bob.text("body").insert(0, "😀😀")
        (shown,) = bob.others.values()
        index = bob.text("body").locate(Position.from_json(shown["cursor"]["head"]))
        assert index == 9
        assert str(bob.text("body"))[index] == "😀"
