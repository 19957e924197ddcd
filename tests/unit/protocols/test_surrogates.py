"""Characters cut in half: the document follows Yjs (vectors/generate.mjs), and stays whole for those who come later."""

from __future__ import annotations

from random import Random

import pytest
from pycrdt import Doc, Text

from partyroom.protocols import surrogates as module
from partyroom.protocols.guard import check
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.replica import Replica
from partyroom.protocols.surrogates import Surrogates, may_hold_pairs
from tests.unit.protocols.mutants import honest

HONEST = honest()
AS_YJS_HAS_IT = HONEST["two people, as one state"][0]


def text_of(replica: Replica) -> str:
    return str(replica.doc.get("t", type=Text))


def test_a_character_cut_in_half_becomes_two_replacement_characters_as_in_yjs() -> None:
    replica = Replica()
    first, second = HONEST["half a surrogate pair"]
    replica.apply(first)
    assert text_of(replica) == "a😀b"
    assert replica.apply(second)
    assert text_of(replica) == "a\ufffdx\ufffdb"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scene", ["two people", "two people, merged", "two people, from the middle"])
def test_a_document_with_cut_characters_is_that_of_yjs_in_whatever_order_it_came(scene: str, seed: int) -> None:
    expected = Replica()
    expected.apply(AS_YJS_HAS_IT)
    updates = list(HONEST[scene])
    Random(seed).shuffle(updates)
    replica = Replica()
    for update in updates:
        replica.apply(update)
    assert not replica.pending
    assert text_of(replica) == text_of(expected)
    assert check(replica.diff(b"\x00")).clients == check(expected.diff(b"\x00")).clients


def test_a_newcomer_and_a_restart_get_all_of_a_document_with_cut_characters() -> None:
    replica = Replica()
    for update in HONEST["two people"]:
        replica.apply(update)
    newcomer = Replica()
    newcomer.apply(replica.diff(newcomer.state_vector()))
    assert text_of(newcomer) == text_of(replica)
    assert not newcomer.pending
    snapshot = replica.compact()
    assert snapshot is not None
    restarted = Replica()
    restarted.load([], snapshot=snapshot)
    assert text_of(restarted) == text_of(replica)


def test_characters_of_a_loaded_snapshot_can_be_cut_too() -> None:
    first, second = HONEST["half a surrogate pair"]
    from_snapshot, from_updates = Replica(), Replica()
    from_snapshot.load([], snapshot=first)
    from_updates.load([first])
    for replica in (from_snapshot, from_updates):
        replica.apply(second)
        assert text_of(replica) == "a\ufffdx\ufffdb"


def test_characters_that_the_server_wrote_can_be_cut_too() -> None:
    replica = Replica(Doc(client_id=55))
    replica.doc.get("t", type=Text).insert(0, "a😀b")
    replica.apply(bytes.fromhex("01013800c437013702017800"))
    assert text_of(replica) == "a\ufffdx\ufffdb"


def test_the_document_that_takes_the_place_of_a_cut_one_is_watched_like_it() -> None:
    replica = Replica()
    edits: list[bytes] = []
    replica.on_edit(edits.append)
    before = replica.doc
    for update in HONEST["half a surrogate pair"]:
        replica.apply(update)
    assert replica.doc is not before
    assert (replica.doc.client_id, replica.doc.guid) == (before.client_id, before.guid)
    assert edits == []
    replica.doc.get("t", type=Text).insert(0, "!")
    assert len(edits) == 1


def test_a_cut_is_known_once() -> None:
    surrogates = Surrogates()
    first, second = HONEST["half a surrogate pair"]
    assert not surrogates
    surrogates.learn(first, check(first))
    assert surrogates
    assert surrogates.tear(check(second).marks)
    assert not surrogates.tear(check(second).marks)
    assert surrogates.mend(first, check(first)).count("\ufffd".encode()) == 2
    surrogates.learn(first, check(first))  # an old update, once more
    assert not surrogates.tear(check(second).marks)


def test_texts_without_such_characters_are_told_apart_without_a_walk() -> None:
    assert may_hold_pairs(HONEST["half a surrogate pair"][0])
    assert not may_hold_pairs(HONEST["typing"][0])
    assert not may_hold_pairs("日本 é".encode())


@pytest.mark.parametrize("seed", range(30))
def test_a_text_that_is_kept_as_a_whole_is_cut_in_the_same_places(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = Random(seed)
    text = "".join(dice.choices(["a", "é", "漢", "😀", "𠮷"], k=dice.randrange(1, 60)))
    update = written(text)
    marks = [(5, 7 + dice.randrange(-2, 2 * len(text) + 3)) for _ in range(8)]
    found = []
    for many in (0, 10**9):
        monkeypatch.setattr(module, "_MANY", many)
        surrogates = Surrogates()
        surrogates.learn(update, check(update))
        found.append([[surrogates.tear([mark]) for mark in marks], surrogates.mend(update, check(update))])
        surrogates.learn(update, check(update))
        assert not surrogates.tear(marks)
    assert found[0] == found[1]


def test_what_is_known_is_not_learnt_again() -> None:
    update = written("😀" * 1000)
    surrogates = Surrogates()
    surrogates.learn(update, check(update), {5: 2007})
    assert not surrogates
    surrogates.learn(update, check(update), {5: 2006})
    assert surrogates


def written(text: str) -> bytes:
    """A text of client 5 from clock 7 on."""
    out = Encoder().varuint(1).varuint(1).varuint(5).varuint(7)
    out.data.append(4)
    return bytes(out.varuint(1).string("t").string(text).varuint(0))
