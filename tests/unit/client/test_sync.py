"""Sync against a server that the test plays, above all one that knows none of our own messages."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom.client.dialect import YjsDialect
from partyroom.client.engine import engine, merged
from partyroom.client.presence import Change
from partyroom.client.sync import Sync
from partyroom.errors import ProtocolError
from partyroom.protocols import yjs
from partyroom.protocols.lib0 import varuint
from partyroom.protocols.replica import ReplicaBroken

EMPTY_STATE = b"\x00"


class Conversation:
    """A sync and its owner; ``said`` is what it sent since somebody last looked."""

    def __init__(self, doc: Doc[Any] | None = None, lineage: str = "") -> None:
        self._sent: list[yjs.Message] = []
        self.kept: list[bytes] = []
        self.events: list[Any] = []
        self.sync = Sync(self, doc, lineage)

    # The owner

    def send(self, message: bytes) -> None:
        self._sent.append(yjs.parse(message))

    def accepted(self, update: bytes) -> None:
        self.kept.append(update)

    def present(self, change: Change) -> None:
        self.events.append(change)

    def progressed(self) -> None:
        pass

    def continues(self, lineage: str) -> None:
        self.events.append(f"continues {lineage}")

    def replaced(self, old: Doc[Any]) -> None:
        self.events.append("replaced")

    def reset(self, old: Doc[Any], lineage: str) -> None:
        self.events.append(f"reset to {lineage}")

    # The test

    def said(self) -> list[yjs.Message]:
        said, self._sent = self._sent, []
        return said

    def hears(self, *messages: bytes) -> list[yjs.Message]:
        """What it says to these."""
        for message in messages:
            self.sync.received(message)
        return self.said()

    def opened(self) -> list[yjs.Message]:
        self.sync.opened()
        return self.said()

    def writes(self, text: str) -> None:
        self.sync.doc.get("body", type=Text).insert(0, text)

    @property
    def text(self) -> str:
        return str(self.sync.doc.get("body", type=Text))


def document(text: str) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    doc.get("body", type=Text).insert(0, text)
    return doc


def update_of(messages: list[yjs.Message]) -> str:
    """What somebody with nothing has after these."""
    doc: Doc[Any] = Doc()
    for message in messages:
        if isinstance(message, (yjs.SyncStep2, yjs.Update)):
            doc.apply_update(message.update)
    return str(doc.get("body", type=Text))


@pytest.fixture
def ada() -> Conversation:
    return Conversation()


def test_the_lineage_is_said_first() -> None:
    ada = Conversation(document("x"), lineage="abc")
    lineage, access, step1 = ada.opened()
    assert (lineage, access) == (yjs.Lineage("abc"), yjs.Access())
    assert step1 == yjs.SyncStep1(ada.sync.doc.get_state())


class TestForeignServer:
    """One that answers neither 104 nor 105."""

    def test_its_question_is_answered_once_its_document_is_here(self) -> None:
        ada = Conversation(document("ada. "))
        ada.opened()
        assert ada.hears(yjs.sync_step1(EMPTY_STATE)) == []
        answer = ada.hears(yjs.sync_step2(document("bob. ").get_update()))
        assert len(answer) == 1
        assert "ada. " in update_of(answer)
        assert (ada.sync.synced, ada.sync.acknowledges) == (True, False)

    def test_or_when_it_asks_if_it_asks_later(self) -> None:
        ada = Conversation(document("ada. "))
        ada.opened()
        assert ada.hears(yjs.sync_step2(yjs.EMPTY_UPDATE)) == []
        assert update_of(ada.hears(yjs.sync_step1(EMPTY_STATE))) == "ada. "

    def test_it_is_not_asked_what_it_has_stored(self, ada: Conversation) -> None:
        ada.opened()
        ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.sync_step2(yjs.EMPTY_UPDATE))
        ada.writes("x")
        ada.sync.flush()
        (only,) = ada.said()
        assert isinstance(only, yjs.Update)
        assert (ada.sync.stored, ada.sync.edits) == (0, 1)

    def test_it_may_ask_again_and_for_presence(self, ada: Conversation) -> None:
        ada.sync.show({"user": {}})
        ada.opened()
        ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.sync_step2(yjs.EMPTY_UPDATE))
        ada.writes("x")
        assert update_of(ada.hears(yjs.sync_step1(EMPTY_STATE))) == "x"
        ada.sync.flush()
        assert ada.said() == []  # that edit has gone already
        (presence,) = ada.hears(yjs.query_awareness())
        assert isinstance(presence, yjs.Awareness)

    def test_what_it_sends_beside_is_nothing(self, ada: Conversation) -> None:
        ada.opened()
        assert ada.hears(b"\x6b", b"\x02\x07", b"\x68") == []


class TestOurServer:
    def ready(self, ada: Conversation, lineage: str = "one") -> list[yjs.Message]:
        ada.opened()
        return ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.lineage(lineage), yjs.access(True))

    def test_its_question_is_answered_before_its_document_is_here(self) -> None:
        ada = Conversation(document("ada. "))
        answer, question = self.ready(ada)
        assert update_of([answer]) == "ada. "
        assert question == yjs.SyncStatus(varuint(1))
        assert not ada.sync.synced
        assert ada.events == ["continues one"]

    def test_a_reader_sends_nothing_and_asks_nothing(self) -> None:
        ada = Conversation(document("ada. "))
        ada.opened()
        said = ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.lineage("one"), yjs.access(False))
        ada.writes("and ")
        ada.sync.flush()
        assert [*said, *ada.said()] == [yjs.SyncStep2(yjs.EMPTY_UPDATE)]

    def test_edits_before_its_answer_are_in_the_answer_and_those_after_are_sent(self, ada: Conversation) -> None:
        ada.opened()
        ada.writes("one ")
        ada.sync.flush()
        assert ada.said() == []
        answer = ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.lineage(""), yjs.access(True))
        assert update_of(answer) == "one "
        ada.writes("two ")
        ada.writes("three ")
        ada.sync.flush()
        (more,) = ada.said()
        assert update_of([answer[0], more]) == "three two one "

    def test_one_question_at_a_time_names_the_last_edit(self, ada: Conversation) -> None:
        self.ready(ada)
        for number in range(1, 4):
            ada.writes("x")
            ada.sync.flush()
            assert yjs.SyncStatus(varuint(number)) in ada.said() or number > 1
        assert ada.hears(yjs.sync_status(varuint(1))) == [yjs.SyncStatus(varuint(3))]
        assert ada.sync.stored == 1
        assert ada.hears(yjs.sync_status(varuint(3))) == []
        assert ada.sync.stored == ada.sync.edits == 3

    def test_it_cannot_have_stored_what_was_not_written(self, ada: Conversation) -> None:
        self.ready(ada)
        ada.hears(yjs.sync_status(varuint(1_000_000)))
        ada.writes("x")
        assert ada.sync.stored == 0

    def test_another_history_begins_a_new_document_and_an_answer_to_an_old_question_is_not_taken(self) -> None:
        ada = Conversation(document("old"), lineage="one")
        ada.opened()
        said = ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.lineage("two"))
        assert said == [yjs.Lineage("two"), yjs.SyncStep1(EMPTY_STATE)]
        assert ada.events == ["reset to two"]
        # the answers to what was asked when the connection opened...
        assert ada.hears(yjs.access(True)) == [yjs.SyncStep2(yjs.EMPTY_UPDATE)]
        ada.hears(yjs.sync_step2(document("half of it").get_update()))
        assert (ada.text, ada.sync.synced) == ("", False)
        # ...and to what is asked now
        new = document("new")
        ada.hears(yjs.lineage("two"), yjs.sync_step2(new.get_update()), yjs.sync_step1(new.get_state()))
        assert (ada.text, ada.sync.synced, ada.sync.lineage) == ("new", True, "two")

    def test_the_next_connection_begins_with_nothing_of_the_last(self, ada: Conversation) -> None:
        self.ready(ada)
        ada.writes("x")
        ada.sync.flush()
        ada.sync.closed()
        ada.said()
        ada.writes("y")
        ada.sync.flush()
        assert ada.said() == []
        assert not ada.sync.synced
        lineage, access, step1 = ada.opened()
        assert (lineage, access) == (yjs.Lineage("one"), yjs.Access())
        assert isinstance(step1, yjs.SyncStep1)
        answer, question = ada.hears(yjs.sync_step1(EMPTY_STATE), yjs.lineage("one"), yjs.access(True))
        assert (update_of([answer]), question) == ("yx", yjs.SyncStatus(varuint(2)))


class TestWhatCannotBeTaken:
    def test_a_panic_in_reading_the_document_is_a_broken_replica(
        self, ada: Conversation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> bytes:
            raise BaseException("PanicException")

        monkeypatch.setattr(ada.sync.doc, "get_state", fail)
        with pytest.raises(ReplicaBroken, match="PanicException"):
            ada.sync.opened()

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
    def test_a_request_to_stop_the_program_is_no_panic(self, stop: type[BaseException]) -> None:
        with pytest.raises(stop), engine():
            raise stop

    def test_a_refused_update_changes_nothing(self, ada: Conversation) -> None:
        ada.opened()
        with pytest.raises(ProtocolError):
            ada.hears(yjs.update(b"\x01\x01\x00"))
        assert ada.kept == []


def test_edits_of_one_turn_merge_into_one_update_that_says_the_same() -> None:
    source: Doc[Any] = Doc()
    updates: list[bytes] = []
    subscription = source.observe(lambda event: updates.append(event.update))
    text = source.get("body", type=Text)
    for number in range(50):
        text.insert(len(str(text).encode()) if number % 2 else 0, "é🎉x"[number % 3])
        if number % 7 == 6:
            del text[: len(str(text)[0].encode())]
    source.unobserve(subscription)
    (whole,) = merged(updates)
    doc: Doc[Any] = Doc()
    doc.apply_update(whole)
    assert doc.get_update() == source.get_update()


def test_what_the_engine_cannot_merge_is_sent_as_it_is() -> None:
    assert merged([b"nonsense", b"more"]) == [b"nonsense", b"more"]
    assert merged([b"nonsense"]) == [b"nonsense"]
    assert merged([]) == []


def test_the_yjs_dialect_is_the_identity() -> None:
    dialect = YjsDialect()
    assert (list(dialect.write(b"x")), list(dialect.read("y"))) == ([b"x"], ["y"])
    assert [*dialect.opened("token"), *dialect.answers(), *dialect.closing()] == []
