"""The y-protocols messages against what y-protocols itself wrote (vectors/generate.mjs)."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.errors import ProtocolError
from partyroom.protocols import yjs

VECTORS = {
    name: bytes.fromhex(value)
    for name, value in json.loads((Path(__file__).parent / "vectors" / "messages.json").read_text()).items()
}
STATE, UPDATE, PRESENCE = VECTORS["state_vector"], VECTORS["update"], VECTORS["awareness"]


@pytest.mark.parametrize(
    ("name", "built", "parsed"),
    [
        ("sync_step1", yjs.sync_step1(STATE), yjs.SyncStep1(STATE)),
        ("sync_step2", yjs.sync_step2(UPDATE), yjs.SyncStep2(UPDATE)),
        ("sync_update", yjs.update(UPDATE), yjs.Update(UPDATE)),
        ("awareness_message", yjs.awareness(PRESENCE), yjs.Awareness(PRESENCE)),
        ("query_awareness", yjs.query_awareness(), yjs.QueryAwareness()),
        ("permission_denied", yjs.permission_denied("not today: ü"), yjs.PermissionDenied("not today: ü")),
    ],
)
def test_messages_are_built_and_parsed_as_y_protocols_does(name: str, built: bytes, parsed: yjs.Message) -> None:
    assert built == VECTORS[name]
    assert yjs.parse(VECTORS[name]) == parsed
    assert type(yjs.parse(VECTORS[name])) is type(parsed)


@pytest.mark.parametrize("write", [None, True, False])
def test_the_question_of_access_and_its_answers_are_read_as_they_are_built(write: bool | None) -> None:
    assert yjs.parse(yjs.access(write)) == yjs.Access(write)


@pytest.mark.parametrize("id", ["", "a1b2", "Lüneburg"])
def test_a_lineage_is_read_as_it_is_built(id: str) -> None:
    assert yjs.parse(yjs.lineage(id)) == yjs.Lineage(id)


def test_what_follows_the_first_message_is_ignored() -> None:
    assert yjs.parse(yjs.update(b"abc") + yjs.query_awareness()) == yjs.Update(b"abc")


def test_a_message_may_start_further_on() -> None:
    assert yjs.parse(b"name" + yjs.update(b"abc"), 4) == yjs.Update(b"abc")


@pytest.mark.parametrize(
    ("data", "unknown"),
    [
        (b"\x67rest", yjs.Unknown(103, b"rest")),
        (b"\x04", yjs.Unknown(4, b"")),
        (b"\x02\x01token", yjs.Unknown(2, b"\x01token")),
    ],
)
def test_a_type_of_another_dialect_is_reported_and_no_error(data: bytes, unknown: yjs.Unknown) -> None:
    assert yjs.parse(data) == unknown


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x00",
        b"\x00\x03\x00",
        b"\x00\x00",
        b"\x00\x02\x05abc",
        b"\x01\xff\xff\xff\xff\x0f",
        b"\x02\x00\x01\xff",
        b"\x69\x05abc",
        b"\x69\x01\xff",
    ],
)
def test_a_message_that_is_cut_short_or_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        yjs.parse(data)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):
        assert isinstance(yjs.parse(data), tuple)
