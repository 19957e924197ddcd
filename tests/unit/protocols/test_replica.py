"""Replica: what it takes in, what it keeps beside the document, and what it does when the engine fails."""

from __future__ import annotations

import gc
from random import Random
from typing import Any
from weakref import ref

import pytest
from pycrdt import Doc, Text, TextEvent, UndoManager

from partyroom.errors import CloseCode, ProtocolError
from partyroom.protocols import guard
from partyroom.protocols import replica as module
from partyroom.protocols.replica import MOST_WAITING, Replica, ReplicaBroken
from tests.unit.protocols.mutants import honest

HONEST = honest()


def typed(count: int) -> list[bytes]:
    """The updates of a client that types ``count`` letters one after the other."""
    doc: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    text = doc.get("t", type=Text)
    for at in range(count):
        text.insert(at, "abcdefghij"[at % 10])
    doc.unobserve(subscription)
    return updates


def text_of(replica: Replica) -> str:
    return str(replica.doc.get("t", type=Text))


def clocks(replica: Replica) -> dict[int, int]:
    return guard.state_vector(replica.state_vector())


# taking in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", HONEST)
def test_what_yjs_writes_is_news_once(scene: str) -> None:
    replica = Replica()
    for update in HONEST[scene]:
        replica.apply(update)
        assert not replica.apply(update)
        assert clocks(replica) == replica._clocks


def test_an_update_that_holds_nothing_is_no_news() -> None:
    assert not Replica().apply(b"\x00\x00")


def test_the_whole_state_of_a_client_that_has_nothing_new_is_no_news() -> None:
    replica = Replica()
    for update in HONEST["typing"]:
        replica.apply(update)
    assert not replica.apply(replica.snapshot())
    assert not Replica(replica.doc).apply(replica.snapshot())


def test_a_deletion_is_news_once() -> None:
    replica = Replica()
    *letters, deletion = HONEST["typing"]
    for update in letters:
        replica.apply(update)
    assert replica.apply(deletion)
    assert not replica.apply(deletion)


def test_a_state_with_one_new_deletion_among_old_ones_is_news() -> None:
    far = Replica()
    for update in HONEST["typing"]:
        far.apply(update)
    replica = Replica()
    replica.apply(far.snapshot())
    far.doc.get("t", type=Text).clear()
    assert replica.apply(far.snapshot())
    assert text_of(replica) == ""


def test_two_replicas_converge_by_their_differences() -> None:
    one, two = Replica(), Replica()
    one.doc.get("t", type=Text).insert(0, "one ")
    two.doc.get("t", type=Text).insert(0, "two ")
    one.apply(two.diff(one.state_vector()))
    two.apply(one.diff(two.state_vector()))
    assert text_of(one) == text_of(two)
    assert clocks(one) == clocks(two)


# what waits --------------------------------------------------------------------------------------------------------


def test_an_update_without_its_predecessor_is_kept_and_handed_out_until_it_comes() -> None:
    first, second, third = typed(3)
    replica = Replica()
    assert replica.apply(first)
    assert replica.apply(third)
    assert not replica.apply(third)
    assert (replica.pending, replica.waiting) == (True, (third,))
    snapshot = replica.compact()
    assert snapshot is not None
    again = Replica()
    again.load(replica.waiting, snapshot=snapshot)
    assert (again.waiting, again.state_vector()) == ((third,), replica.state_vector())
    assert text_of(replica) == "a"
    assert replica.apply(second)
    assert (replica.pending, replica.waiting) == (False, ())
    assert text_of(replica) == "abc"
    assert replica.compact() is not None


def test_a_deletion_of_what_is_not_known_yet_waits() -> None:
    *letters, deletion = HONEST["typing"]
    replica = Replica()
    assert replica.apply(deletion)
    assert list(replica.waiting) == [deletion]
    for update in letters:
        replica.apply(update)
    assert list(replica.waiting) == []
    whole = Replica()
    for update in HONEST["typing"]:
        whole.apply(update)
    assert text_of(replica) == text_of(whole)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scene", ["typing", "rich text", "maps and arrays", "xml", "two people"])
def test_updates_in_any_order_and_more_than_once_come_to_the_same(scene: str, seed: int) -> None:
    random = Random(seed)
    updates = HONEST[scene] * 2
    random.shuffle(updates)
    replica, straight = Replica(), Replica()
    for update in updates:
        replica.apply(update)
        assert clocks(replica) == replica._clocks
    for update in HONEST[scene]:
        straight.apply(update)
    assert not replica.pending
    assert clocks(replica) == clocks(straight)
    for root in ("t", "rich"):
        assert str(replica.doc.get(root, type=Text)) == str(straight.doc.get(root, type=Text))


def test_what_waits_survives_by_the_updates_that_were_kept() -> None:
    first, second, third = typed(3)
    before = Replica()
    kept = [update for update in (first, third) if before.apply(update)]
    after = Replica()
    after.load(kept)
    assert after.waiting == (third,)
    after.apply(second)
    assert text_of(after) == "abc"


def test_a_newcomer_that_gets_the_difference_and_what_waits_has_all() -> None:
    first, second, third = typed(3)
    replica, newcomer = Replica(), Replica()
    for update in (first, third):
        replica.apply(update)
    for update in (replica.diff(newcomer.state_vector()), *replica.waiting):
        newcomer.apply(update)
    newcomer.apply(second)
    assert text_of(newcomer) == "abc"


def test_updates_that_wait_for_each_other_in_a_circle_do_not_count_as_known() -> None:
    replica = Replica()
    circle = "02" + "020300" + "0700020200" + "0001" + "010200" + "a4030103707070" + "00"
    assert replica.apply(bytes.fromhex(circle))
    assert replica.pending
    assert clocks(replica) == replica._clocks == {}


def test_what_may_wait_is_bounded() -> None:
    letters = typed(50)
    replica = Replica(max_waiting=100)
    with pytest.raises(ProtocolError, match="wait"):
        replica.load(letters[1:])
    assert sum(map(len, replica.waiting)) <= 100
    replica.apply(letters[0])
    assert not replica.pending
    assert replica.apply(letters[10])


# edits by the server -----------------------------------------------------------------------------------------------


def test_edits_by_server_code_are_handed_out_and_remote_ones_are_not() -> None:
    replica, mirror = Replica(), Replica()
    edits: list[bytes] = []
    replica.on_edit(edits.append)
    replica.apply(HONEST["typing"][0])
    assert edits == []
    replica.doc.get("t", type=Text).insert(0, "good morning ")
    with replica.doc.transaction():
        replica.doc.get("t", type=Text).insert(0, "1")
        replica.doc.get("t", type=Text).insert(0, "2")
    assert len(edits) == 2
    for update in (HONEST["typing"][0], *edits):
        mirror.apply(update)
    assert text_of(mirror) == text_of(replica) == "21good morning h"
    assert clocks(replica) == replica._clocks
    assert not any(map(replica.apply, edits))


def test_an_undo_manager_leaves_remote_edits_alone_where_they_have_an_origin() -> None:
    replica = Replica(origin="remote")
    undo = UndoManager(scopes=[replica.doc.get("t", type=Text)])
    for update in typed(3):
        replica.apply(update)
    assert not undo.can_undo()


def test_a_failing_observer_of_others_is_reported_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: TextEvent) -> None:
        raise ValueError("a bug of the program's")

    replica = Replica()
    text = replica.doc.get("t", type=Text)
    subscription = text.observe(fail)
    for update in typed(2):
        assert replica.apply(update)
    assert text_of(replica) == "ab"
    assert [record.getMessage() for record in caplog.records] == ["an observer of the document failed"] * 2
    text.unobserve(subscription)


def test_a_document_that_has_content_already_is_taken_over() -> None:
    doc: Doc[Any] = Doc()
    doc.get("t", type=Text).insert(0, "there")
    replica = Replica(doc)
    assert text_of(replica) == "there"
    assert replica.doc is doc
    assert not replica.apply(doc.get_update())


# hostile -----------------------------------------------------------------------------------------------------------


def test_a_refused_update_changes_nothing() -> None:
    replica = Replica()
    replica.apply(HONEST["typing"][0])
    before = replica.snapshot()
    for data in (b"", b"\x01", b"\x00\x00\x00", HONEST["typing"][1][:-1]):
        with pytest.raises(ProtocolError) as caught:
            replica.apply(data)
        assert not isinstance(caught.value, ReplicaBroken)
        assert caught.value.code == CloseCode.POLICY_VIOLATION
    assert replica.snapshot() == before
    assert replica.apply(HONEST["typing"][1])


def test_a_value_that_only_the_engine_refuses_changes_nothing() -> None:
    replica = Replica()
    with pytest.raises(ProtocolError, match="JSON") as caught:
        replica.apply(bytes.fromhex("0101070005010161") + b"\x08" + b'"\\ud83d"' + b"\x00")
    assert not isinstance(caught.value, ReplicaBroken)
    assert replica.apply(HONEST["typing"][0])


def test_an_update_that_breaks_the_engine_breaks_this_replica_and_no_other() -> None:
    replica = Replica()
    kept = [update for update in HONEST["typing"] if replica.apply(update)]
    inside_a_text = bytes.fromhex("010108000400" + "0700" + "0178" + "00")  # its parent is a letter
    with pytest.raises(ReplicaBroken) as caught:
        replica.apply(inside_a_text)
    assert caught.value.code == CloseCode.POLICY_VIOLATION
    with pytest.raises(ReplicaBroken):
        replica.apply(HONEST["rich text"][0])
    assert replica.compact() is None
    again = Replica()
    again.load(kept)
    assert again.apply(HONEST["rich text"][0])


def test_a_panic_of_the_engine_is_a_broken_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    def fail(update: bytes) -> None:
        raise Panic("called `Option::unwrap()` on a `None` value")

    replica = Replica()
    monkeypatch.setattr(replica.doc, "apply_update", fail)
    with pytest.raises(ReplicaBroken, match="Panic"):
        replica.apply(HONEST["typing"][0])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_request_to_stop_the_program_is_no_panic(monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]) -> None:
    def fail(update: bytes) -> None:
        raise stop

    replica = Replica()
    monkeypatch.setattr(replica.doc, "apply_update", fail)
    with pytest.raises(stop):
        replica.apply(HONEST["typing"][0])


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x07", b"\xff\xff\xff\xff\x0f"])
def test_a_malformed_state_vector_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Replica().diff(data)


def test_a_document_leaves_memory_with_its_replica() -> None:
    replica = Replica()
    for update in typed(3):
        replica.apply(update)
    replica.doc.get("t", type=Text).insert(0, "edited here ")
    document = ref(replica.doc)
    del replica
    gc.collect()
    assert document() is None


def test_only_so_many_updates_may_wait() -> None:
    first, *others = typed(MOST_WAITING + 2)
    replica = Replica()
    for update in others[:-1]:
        replica.apply(update)
    with pytest.raises(ProtocolError, match="too many updates wait"):
        replica.apply(others[-1])
    for update in (first, others[-1]):
        assert replica.apply(update)
    assert len(text_of(replica)) == MOST_WAITING + 2
    assert not replica.pending


def test_only_so_many_clients_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 3)
    updates = []
    for client in range(1, 5):
        doc: Doc[Any] = Doc(client_id=client)
        doc.get("t", type=Text).insert(0, "x")
        updates.append(doc.get_update())
    replica = Replica()
    for update in updates[:3]:
        assert replica.apply(update)
    with pytest.raises(ProtocolError, match="more than 3 clients") as caught:
        replica.apply(updates[3])
    assert caught.value.code == CloseCode.POLICY_VIOLATION
    assert text_of(replica) == "xxx"
    assert not replica.apply(updates[0])
