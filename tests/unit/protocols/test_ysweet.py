"""y-sweet's paths, bodies and strings."""

from __future__ import annotations

import pytest

from partyroom.errors import Refused
from partyroom.protocols.ysweet import client_token, connection_string, new_document, room_path, token_wanted


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("/doc/today/auth", "/parties/notes/today/y-sweet/auth"),
        ("/doc/today/as-update", "/parties/notes/today/y-sweet/as-update"),
        ("/d/today/as-update", "/parties/notes/today/y-sweet/as-update"),
        ("/d/today/update", "/parties/notes/today/y-sweet/update"),
        ("/d/today/ws/today", "/parties/notes/today"),
        ("/d/a%2Fb/ws/a%2fb", "/parties/notes/a%2Fb"),
        ("//d//today//ws/today/", "/parties/notes/today"),
        ("/doc/new/auth", "/parties/notes/new/y-sweet/auth"),
        ("/d/today/ws/tomorrow", None),
        ("/d/today/ws", None),
        ("/d/today/auth", None),
        ("/d/today", None),
        ("/doc/new", None),
        ("/doc/today/ws/today", None),
        ("/d/today/as-update/more", None),
        ("/parties/notes/today", None),
        ("/x/d/today/update", None),
        ("/", None),
    ],
)
def test_a_path_leads_to_the_room_of_its_document(path: str, room: str | None) -> None:
    assert room_path(path, "notes") == room


def test_a_new_document_may_have_a_name() -> None:
    assert new_document(b'{"docId":"today"}') == "today"
    assert new_document(b"{}") is new_document(b"") is None


def test_a_token_is_for_an_hour_of_writing_unless_it_is_asked_for_otherwise() -> None:
    assert token_wanted(b"{}") == (True, None, 3600)
    asked = b'{"authorization":"read-only","userId":"ada","validForSeconds":60}'
    assert token_wanted(asked) == (False, "ada", 60)


@pytest.mark.parametrize(
    "body",
    [b"x", b"[]", b'{"authorization":"none"}', b'{"userId":7}', b'{"validForSeconds":0}', b'{"validForSeconds":-1}',
     b'{"validForSeconds":"60"}', b'{"validForSeconds":NaN}', b'{"validForSeconds":Infinity}',
     b'{"validForSeconds":true}', b'{"validForSeconds":1e300}', b"\xff", b"[" * 100_000],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_a_body_that_asks_for_something_else_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="400"):
        token_wanted(body)


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"docId":7}', b'{"docId":""}'])
def test_a_document_that_is_not_named_by_text_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="400"):
        new_document(body)


def test_the_addresses_keep_the_scheme_and_the_host() -> None:
    assert client_token("https://docs.example.com/", "a/b", "t", False) == {
        "url": "wss://docs.example.com/d/a%2Fb/ws",
        "baseUrl": "https://docs.example.com/d/a%2Fb",
        "docId": "a/b",
        "token": "t",
        "authorization": "read-only",
    }
    local = client_token("http://localhost:1999", "today", None, True)
    assert local["url"] == "ws://localhost:1999/d/today/ws"
    assert "token" not in local


def test_a_connection_string_is_what_the_sdk_takes() -> None:
    assert connection_string("http://localhost:1999") == "ys://localhost:1999"
    assert connection_string("https://docs.example.com", "a/b@c") == "yss://a%2Fb%40c@docs.example.com"
