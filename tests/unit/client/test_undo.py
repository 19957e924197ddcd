"""Undo takes back what this program's user did, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from partyroom.client.undo import Undo
from partyroom.testing import settle
from tests.unit.client.inside import Inside, body, text


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    async with Inside.running() as inside:
        yield inside


async def test_only_ones_own_edits_are_taken_back_and_the_others_see_it(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        undo = ada.undo(body(ada), pause=0)
        body(ada).insert(0, "ada ")
        await settle()
        body(bob).insert(0, "bob ")
        await settle()
        assert undo.can_undo
        assert undo.undo()
        await settle()
        assert text(ada) == text(bob) == "bob "
        assert not undo.undo()
        assert undo.redo()
        await settle()
        assert text(ada) == text(bob) == "bob ada "
        await inside.saved(ada)


async def test_edits_made_offline_can_be_taken_back_after_others_have_come(inside: Inside) -> None:
    async with inside.joined() as ada, inside.joined() as bob:
        undo = ada.undo(body(ada), pause=0)
        inside.cut()
        body(ada).insert(0, "offline ")
        body(bob).insert(0, "bob ")
        await inside.mend()
        assert undo.undo()
        await settle()
        assert text(ada) == text(bob) == "bob "


async def test_steps_are_transactions_or_what_is_typed_without_a_pause(inside: Inside) -> None:
    async with inside.joined() as ada:
        together, apart = ada.undo(body(ada), pause=3600), ada.undo(body(ada), pause=0)
        for letter in "abc":
            body(ada).insert(0, letter)
        apart.undo()
        assert text(ada) == "ba"
        together.undo()
        assert text(ada) == ""


async def test_only_transactions_of_named_origins_count_where_there_are_any(inside: Inside) -> None:
    async with inside.joined() as ada:
        undo = ada.undo(body(ada), pause=0, origins=["editor"])
        body(ada).insert(0, "by a script ")
        assert not undo.can_undo
        with ada.doc.transaction(origin="editor"):
            body(ada).insert(0, "typed ")
        assert undo.undo()
        assert text(ada) == "by a script "


async def test_forgotten_steps_stay_done(inside: Inside) -> None:
    async with inside.joined() as ada:
        undo = ada.undo(body(ada))
        body(ada).insert(0, "x")
        undo.clear()
        assert (undo.can_undo, undo.can_redo, undo.undo(), undo.redo()) == (False, False, False, False)


def test_it_wants_to_know_of_what() -> None:
    with pytest.raises(ValueError, match="shared types"):
        Undo()


async def test_a_checkpoint_begins_a_new_step(inside: Inside) -> None:
    async with inside.joined() as ada:
        undo = ada.undo(ada.text("body"), pause=3600)
        ada.text("body").append("one ")
        ada.text("body").append("two ")
        undo.checkpoint()
        ada.text("body").append("three ")
        assert undo.undo()
        assert text(ada) == "one two "
        assert undo.undo()
        assert text(ada) == ""


async def test_roots_are_undone_by_what_they_are_and_parts_of_them_are_refused(inside: Inside) -> None:
    async with inside.joined() as ada:
        todo, table = ada.array("todo"), ada.map("table")
        undo = ada.undo(todo, table, pause=0)
        todo.append("tea")
        table["rows"] = {"a": 1}
        assert undo.undo()
        assert undo.undo()
        assert (list(todo), dict(table)) == ([], {})
        with pytest.raises(TypeError, match="undo is of whole roots"):
            ada.undo(table.map("rows"))
