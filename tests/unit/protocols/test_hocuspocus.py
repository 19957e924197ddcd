"""The Hocuspocus messages against what its own provider and server wrote (vectors/hocuspocus.mjs)."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.errors import ProtocolError
from partyroom.protocols import hocuspocus, yjs

VECTORS = {
    name: bytes.fromhex(value)
    for name, value in json.loads((Path(__file__).parent / "vectors" / "hocuspocus.json").read_text()).items()
}
NAME = "dokument ü"
SESSION = f"{NAME}\0session1"


@pytest.mark.parametrize(
    ("name", "said", "built"),
    [
        ("server_token_request", hocuspocus.TokenRequest(), hocuspocus.token_request()),
        ("server_denied", hocuspocus.PermissionDenied("not today: ü"), hocuspocus.permission_denied("not today: ü")),
        ("server_read_write", hocuspocus.Authenticated(True), hocuspocus.authenticated(True)),
        ("server_readonly", hocuspocus.Authenticated(False), hocuspocus.authenticated(False)),
        ("server_stateless", hocuspocus.Stateless("stateless ü"), hocuspocus.stateless("stateless ü")),
        ("server_close", hocuspocus.Close("bye ü"), hocuspocus.close("bye ü")),
        ("server_saved", hocuspocus.SyncStatus(True), hocuspocus.sync_status(True)),
        ("server_not_saved", hocuspocus.SyncStatus(False), hocuspocus.sync_status(False)),
        ("server_query_awareness", yjs.QueryAwareness(), yjs.query_awareness()),
        ("stateless", hocuspocus.Stateless("stateless ü"), hocuspocus.stateless("stateless ü")),
        ("close", hocuspocus.Close(), hocuspocus.close()),
        ("token", hocuspocus.Token("secret ü", "4.8.0"), hocuspocus.token("secret ü", "4.8.0")),
    ],
)
def test_messages_are_built_and_parsed_as_hocuspocus_does(name: str, said: hocuspocus.Message, built: bytes) -> None:
    assert hocuspocus.address(NAME) + built == VECTORS[name]
    assert hocuspocus.parse(VECTORS[name]) == (NAME, said)
    assert type(hocuspocus.parse(VECTORS[name])[1]) is type(said)


@pytest.mark.parametrize(("prefix", "address"), [("", NAME), ("session_", SESSION)])
def test_sync_and_awareness_are_those_of_y_protocols_after_the_address(prefix: str, address: str) -> None:
    for name, kind in (
        ("step1", yjs.SyncStep1),
        ("step2", yjs.SyncStep2),
        ("update", yjs.Update),
        ("awareness", yjs.Awareness),
    ):
        data = VECTORS[prefix + name]
        start = len(hocuspocus.address(address))
        assert hocuspocus.parse(data) == (address, yjs.parse(data[start:]))
        assert type(hocuspocus.parse(data)[1]) is kind


def test_an_address_is_a_document_and_perhaps_a_session_of_its_provider() -> None:
    assert hocuspocus.parse(VECTORS["session_token"]) == (SESSION, hocuspocus.Token("", "4.8.0"))
    assert hocuspocus.document_name(SESSION) == hocuspocus.document_name(NAME) == NAME


def test_an_old_provider_does_not_tell_its_version() -> None:
    data = hocuspocus.address("a") + b"\x02\x00\x06secret"
    assert hocuspocus.parse(data) == ("a", hocuspocus.Token("secret"))


def test_pings_and_pongs_have_no_address() -> None:
    assert hocuspocus.parse(hocuspocus.PING) == ("", hocuspocus.Ping())
    assert hocuspocus.parse(hocuspocus.PONG) == ("", hocuspocus.Pong())


@pytest.mark.parametrize(
    ("name", "kind", "size"), [("server_reply", 4, 0), ("server_broadcast_stateless", 6, len("among servers") + 1)]
)
def test_what_servers_say_among_themselves_is_reported_and_no_error(name: str, kind: int, size: int) -> None:
    address, said = hocuspocus.parse(VECTORS[name])
    assert address == NAME
    assert isinstance(said, yjs.Unknown)
    assert (said.type, len(said.payload)) == (kind, size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x05",
        b"\x01a",
        b"\x02\xff\xff\x00",
        b"\x01a\x00",
        b"\x01a\x00\x02\x05abc",
        b"\x01a\x02",
        b"\x01a\x02\x03",
        b"\x01a\x02\x00\x09abc",
        b"\x01a\x02\x01",
        b"\x01a\x05",
        b"\x01a\x05\x01\xff",
        b"\x01a\x07\x05abc",
        b"\x01a\x08",
    ],
)
def test_a_message_that_is_cut_short_or_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        hocuspocus.parse(data)


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=20).map(lambda rest: b"\x01a" + rest)))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):
        address, said = hocuspocus.parse(data)
        assert isinstance(address, str)
        assert isinstance(said, tuple)
