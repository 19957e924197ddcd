"""What keeps the engine busy: it is applied in steps, in another order where that is quicker, and refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom.errors import CloseCode
from partyroom.protocols import engine as module
from partyroom.protocols.engine import AT_ONCE, Elsewhere, Engine, Steps, Weigh
from partyroom.protocols.replica import Replica, Tangled
from tests.unit.protocols.mutants import honest
from tests.unit.protocols.test_replica import clocks, text_of, typed


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not applied at once takes too long."""
    monkeypatch.setattr(module, "READ_AT_ONCE", 0)
    monkeypatch.setattr(module, "READ_WHOLE", 0)
    monkeypatch.setattr(module, "HURRY", 0.0)
    monkeypatch.setattr(module, "HURRY_EACH", 0.0)


def prepended(client: int, count: int, letter: str, root: str = "t") -> bytes:
    """What somebody wrote on a train, each letter in front of those before it, so that each is a struct of its own."""
    doc: Doc[Any] = Doc(client_id=client)
    text = doc.get(root, type=Text)
    with doc.transaction():
        for _ in range(count):
            text.insert(0, letter)
    return doc.get_update()


def answered(steps: Steps[Any], answer: bool, asked: object = None) -> tuple[Any, int]:
    """What the last step returns, and how often a state was to be weighed; the last step so far ``asked`` for that."""
    weighed = 0
    try:
        while True:
            weighed += isinstance(asked, Weigh)
            asked = steps.send(None if asked is None else asked.work() if isinstance(asked, Elsewhere) else answer)
    except StopIteration as last:
        return last.value, weighed


MANY = 2_000
assert MANY * MANY > AT_ONCE


def test_two_who_prepended_offline_are_merged_and_the_order_is_that_of_the_engine() -> None:
    ada, bob = prepended(1, MANY, "a"), prepended(2, MANY, "b")
    straight: Doc[Any] = Doc()
    for update in (bob, ada):
        straight.apply_update(update)
    replica = Replica()
    assert replica.apply(ada)
    assert replica.apply(bob)
    assert text_of(replica) == str(straight.get("t", type=Text))
    assert clocks(replica) == replica._clocks == {1: MANY, 2: MANY}
    assert not replica.apply(bob)


@pytest.mark.usefixtures("in_no_time")
def test_what_takes_long_in_portions_is_applied_in_one_go_once_that_has_been_tried_elsewhere() -> None:
    ada, bob = prepended(1, MANY, "a"), prepended(2, MANY, "b")
    replica, straight = Replica(), Replica()
    for update in (ada, bob):
        straight.apply(update)
    replica.apply(ada)
    before = replica.doc
    assert answered(replica.applying(bob), True) == (True, 1)
    assert replica.doc is not before
    assert text_of(replica) == text_of(straight)
    assert clocks(replica) == replica._clocks == {1: MANY, 2: MANY}
    letter = typed(1)[0]
    assert replica.apply(letter)
    assert not replica.apply(letter)


@pytest.mark.usefixtures("in_no_time")
def test_what_does_not_load_soon_enough_anyhow_is_refused_and_the_replica_is_broken() -> None:
    replica = Replica()
    replica.apply(prepended(1, 10, "a"))
    with pytest.raises(Tangled, match="too much was written in one place") as caught:
        answered(replica.applying(prepended(2, MANY, "b")), False)
    assert caught.value.code == CloseCode.POLICY_VIOLATION
    assert replica.compact() is None


@pytest.mark.usefixtures("in_no_time")
def test_what_server_code_writes_while_a_state_is_tried_elsewhere_is_not_lost() -> None:
    replica = Replica()
    edits: list[bytes] = []
    replica.on_edit(edits.append)
    replica.apply(prepended(1, 10, "a"))
    steps = replica.applying(prepended(2, MANY, "b"))
    asked = next(steps)
    while not isinstance(asked, Weigh):
        asked = next(steps)
    replica.doc.get("t", type=Text).insert(0, "server ")
    assert answered(steps, True, asked) == (True, 1)
    assert len(edits) == 1
    assert "server " in text_of(replica)
    assert sorted(text_of(replica)) == sorted("server " + "a" * 10 + "b" * MANY)
    assert clocks(replica) == replica._clocks
    replica.doc.get("t", type=Text).insert(0, "again ")
    assert len(edits) == 2


@pytest.mark.usefixtures("in_no_time")
def test_what_waited_for_a_large_update_is_there_with_it() -> None:
    author: Doc[Any] = Doc(client_id=5)
    text = author.get("t", type=Text)
    with author.transaction():
        for _ in range(MANY):
            text.insert(0, "b")
    large, before = author.get_update(), author.get_state()
    text.insert(0, "later ")
    replica = Replica()
    replica.apply(prepended(1, 10, "a"))
    later = author.get_update(before)
    assert replica.apply(later)
    assert replica.waiting == (later,)
    assert answered(replica.applying(large), True) == (True, 1)
    assert not replica.pending
    assert "later b" in text_of(replica)


@pytest.mark.usefixtures("in_no_time")
@pytest.mark.parametrize("loads", [True, False])
def test_a_snapshot_that_takes_long_to_read_back_is_tried_elsewhere(loads: bool) -> None:
    replica = Replica()
    replica.apply(prepended(1, 10, "a"))
    snapshot, weighed = answered(replica.compacting(), loads)
    assert weighed == 1
    assert (snapshot == replica.snapshot()) if loads else (snapshot is None)


def test_an_update_whose_predecessor_is_missing_costs_an_edit_of_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, *others = typed(100)
    replica = Replica()
    for update in others:
        replica.apply(update)
    applied: list[bytes] = []
    apply = Engine.apply

    def counted(self: Engine, update: bytes, **how: bool) -> bool:
        applied.append(update)
        return apply(self, update, **how)

    monkeypatch.setattr(Engine, "apply", counted)
    for update in honest()["typing"]:
        replica.apply(update)
    assert len(applied) == len(honest()["typing"])
    assert len(replica.waiting) == len(others)


def test_what_waits_for_something_that_server_code_brings_is_there_with_it() -> None:
    first, second = typed(2)
    replica = Replica()
    replica.apply(second)
    replica.doc.apply_update(first)
    replica.settle()
    assert not replica.pending
    assert text_of(replica) == "ab"
    assert clocks(replica) == replica._clocks


def test_a_state_holds_what_waited_for_something_that_server_code_has_brought() -> None:
    first, second = typed(2)
    replica, newcomer = Replica(), Replica()
    replica.apply(second)
    replica.doc.apply_update(first)
    newcomer.apply(replica.diff(b"\0"))
    assert text_of(newcomer) == "ab"


def test_the_engine_is_not_observed_while_items_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it is told of an update that failed half-way, and reads freed memory: seed 10 of tests/prove/test_fuzz."""
    observed: list[int] = []
    edits: list[bytes] = []
    apply = Doc.apply_update

    def spy(doc: Doc[Any], update: bytes) -> None:
        observed.append(len(doc._subscriptions))
        apply(doc, update)

    monkeypatch.setattr(Doc, "apply_update", spy)
    replica = Replica()
    replica.on_edit(edits.append)
    (update,) = typed(1)
    replica.apply(update)
    assert observed == [0]
    replica.doc.get("t", type=Text).insert(0, "by the server")
    assert len(edits) == 1, "it is observed again"


def test_a_document_is_observed_once_somebody_else_has_it() -> None:
    edits: list[bytes] = []
    engine = Engine(on_edit=edits.append)
    (update,) = typed(1)
    engine.apply(update)
    assert not engine.doc._subscriptions, "taking an observer away and back costs as much as a keystroke"
    engine.lend().get("t", type=Text).insert(0, "by somebody else")
    assert len(edits) == 1
    engine.close()
    assert not engine.doc._subscriptions
    engine.doc.get("t", type=Text).insert(0, "later")
    assert len(edits) == 1


def test_deletions_alone_are_news_once() -> None:
    """Only the engine can tell, and only an observer hears of it."""
    doc: Doc[Any] = Doc(client_id=1)
    doc.get("t", type=Text).insert(0, "ab")
    replica = Replica()
    replica.apply(doc.get_update())
    before = doc.get_state()
    del doc.get("t", type=Text)[:1]
    deletion = doc.get_update(before)
    assert replica.apply(deletion)
    assert not replica.apply(deletion)
    assert text_of(replica) == "b"


def test_a_long_log_is_loaded_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a busy document's server was killed there may be very many updates, each of them small."""
    monkeypatch.setattr("partyroom.protocols.replica.TURN", 0.0)
    updates = typed(20)
    replica = Replica()
    assert list(replica.loading(updates)) == [None] * 20
    assert text_of(replica) == "abcdefghij" * 2


def test_a_snapshot_that_does_not_bring_back_all_that_is_known_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica()
    for update in typed(2):
        replica.apply(update)
    assert replica.compact() is not None
    less, _ = typed(2)
    monkeypatch.setattr(replica._engine.doc, "get_update", lambda state=None: less)
    assert replica.compact() is None
