"""Hocuspocus' words for ours: the talk as ``@hocuspocus/provider`` has it (tests/interop has the real server)."""

from __future__ import annotations

import pytest

from partyroom.client.hocuspocus import HocuspocusDialect
from partyroom.errors import ConnectionClosed, ProtocolError, Refused
from partyroom.protocols import chunks, hocuspocus, yjs

TO = hocuspocus.address("notes")
UPDATE = yjs.update(yjs.EMPTY_UPDATE)


class Talk:
    """A dialect; ``posted`` is what it sends on its own."""

    def __init__(self) -> None:
        self.posted: list[bytes] = []
        self.token_requests = 0
        self.dialect = HocuspocusDialect("notes", self.posted.append, self._on_token_request)
        self.opening = list(self.dialect.opened("secret"))

    def _on_token_request(self) -> None:
        self.token_requests += 1

    def write(self, *messages: str | bytes) -> list[str | bytes]:
        return [words for message in messages for words in self.dialect.write(message)]

    def read(self, *messages: bytes) -> list[str | bytes]:
        return [said for message in messages for said in self.dialect.read(message)]

    def asks(self, payload: bytes) -> list[bytes]:
        """Ask what is stored; what is answered at once."""
        assert self.write(yjs.sync_status(payload)) == []
        return list(self.dialect.answers())

    def is_told(self, saved: bool) -> list[str | bytes]:
        return self.read(TO + hocuspocus.sync_status(saved))


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_it_begins_with_the_token_and_ends_with_a_goodbye(talk: Talk) -> None:
    assert [hocuspocus.parse(message) for message in talk.opening] == [("notes", hocuspocus.Token("secret"))]
    assert [hocuspocus.parse(message) for message in talk.dialect.closing()] == [("notes", hocuspocus.Close())]


def test_sync_and_awareness_are_the_same_behind_the_address(talk: Talk) -> None:
    same = [
        yjs.sync_step1(b"\x00"),
        yjs.sync_step2(yjs.EMPTY_UPDATE),
        UPDATE,
        yjs.awareness(b"\x00"),
        yjs.query_awareness(),
    ]
    assert talk.write(*same) == [TO + message for message in same]
    assert talk.read(*(TO + message for message in same)) == same


def test_there_is_no_lineage_and_what_may_be_done_is_told_unasked(talk: Talk) -> None:
    assert talk.write(yjs.lineage("x"), yjs.access()) == []
    assert talk.read(TO + hocuspocus.authenticated(True)) == [yjs.access(True)]
    assert talk.read(TO + hocuspocus.authenticated(False)) == [yjs.access(False)]


class TestWhatIsStored:
    def test_a_question_is_answered_with_the_last_edit_before_it(self, talk: Talk) -> None:
        talk.write(yjs.sync_step1(b"\x00"), yjs.sync_step2(yjs.EMPTY_UPDATE), UPDATE)
        assert talk.asks(b"one") == []
        talk.write(UPDATE)
        assert talk.asks(b"two") == []
        assert talk.is_told(True) == []
        assert talk.is_told(True) == [yjs.sync_status(b"one")]
        assert talk.is_told(True) == [yjs.sync_status(b"two")]

    def test_only_the_answer_to_the_first_question_of_the_server_counts(self, talk: Talk) -> None:
        talk.write(yjs.sync_step2(yjs.EMPTY_UPDATE))
        assert talk.asks(b"at once") == [yjs.sync_status(b"at once")]

    def test_a_refused_edit_is_told_and_never_stored(self, talk: Talk) -> None:
        talk.write(UPDATE)
        talk.asks(b"one")
        (refusal,) = talk.is_told(False)
        assert isinstance(refusal, bytes)
        assert isinstance(yjs.parse(refusal), yjs.PermissionDenied)

    def test_a_new_connection_counts_anew(self, talk: Talk) -> None:
        talk.write(UPDATE, UPDATE)
        talk.asks(b"lost")
        list(talk.dialect.opened("secret"))
        talk.write(UPDATE)
        talk.asks(b"new")
        assert talk.is_told(True) == [yjs.sync_status(b"new")]


def test_a_text_beside_the_document_is_stateless(talk: Talk) -> None:
    assert talk.write(chunks.custom("hello")) == [TO + hocuspocus.stateless("hello")]
    assert talk.write("hello") == [TO + hocuspocus.stateless("hello")]
    assert talk.read(TO + hocuspocus.stateless("oh")) == [chunks.custom("oh")]


def test_other_documents_and_sessions_of_ours(talk: Talk) -> None:
    assert talk.read(hocuspocus.address("other") + UPDATE) == []
    assert talk.read(hocuspocus.address("notes\0session") + UPDATE) == [UPDATE]


def test_it_is_there_and_shows_its_token_when_asked(talk: Talk) -> None:
    assert talk.read(hocuspocus.PING) == []
    assert talk.posted == [hocuspocus.PONG]
    assert talk.read(TO + hocuspocus.token_request(), hocuspocus.PONG) == []
    assert talk.token_requests == 1


def test_a_refusal_is_for_good_and_a_goodbye_is_not(talk: Talk) -> None:
    with pytest.raises(Refused, match="not you"):
        talk.read(TO + hocuspocus.permission_denied("not you"))
    with pytest.raises(ConnectionClosed, match="reset"):
        talk.read(TO + hocuspocus.close("reset"))


def test_what_is_nothing_of_theirs(talk: Talk) -> None:
    assert list(talk.dialect.read("text")) == []
    assert talk.read(TO + b"\x63") == []
    with pytest.raises(ProtocolError):
        talk.read(b"\x05ab")
