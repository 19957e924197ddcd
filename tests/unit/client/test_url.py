"""A room's URL is made as partysocket makes it, and everything in it is encoded."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.client.url import below, http_url, public, room_url, with_query
from partyroom.http import Address, split_path


@pytest.mark.parametrize(
    ("host", "url"),
    {
        "localhost:1999": "ws://localhost:1999",
        "localhost": "ws://localhost",
        "app.localhost:1999": "ws://app.localhost:1999",
        "127.0.0.1:1999": "ws://127.0.0.1:1999",
        "10.1.2.3": "ws://10.1.2.3",
        "172.16.0.1:80": "ws://172.16.0.1:80",
        "192.168.0.4:80": "ws://192.168.0.4:80",
        "[::1]:1999": "ws://[::1]:1999",
        "172.32.0.1": "wss://172.32.0.1",
        "8.8.8.8": "wss://8.8.8.8",
        "localhost.example.com": "wss://localhost.example.com",
        "rooms.example.com": "wss://rooms.example.com",
        "http://rooms.example.com": "ws://rooms.example.com",
        "ws://rooms.example.com/": "ws://rooms.example.com",
        "HTTPS://127.0.0.1:1999": "wss://127.0.0.1:1999",
        "wss://hub.example.com/user/ada/": "wss://hub.example.com/user/ada",
        "hub.example.com/user/ada": "wss://hub.example.com/user/ada",
    }.items(),
)
def test_the_host_decides_how_it_is_spoken_to(host: str, url: str) -> None:
    assert room_url(host, room="r") == f"{url}/parties/main/r"


def test_what_is_asked_for_wins_over_what_the_host_says() -> None:
    assert room_url("localhost:1", room="r", secure=True).startswith("wss://")
    assert room_url("https://example.com", room="r", secure=False).startswith("ws://")


def test_the_prefix_may_have_several_parts() -> None:
    assert room_url("localhost", room="r", party="p", prefix="/a/b") == "ws://localhost/a/b/p/r"


def test_other_servers_have_their_rooms_right_below_the_host() -> None:
    assert room_url("ws://localhost:1234", room="notes", party="", prefix="") == "ws://localhost:1234/notes"


@given(room=st.text(min_size=1), party=st.text(min_size=1))
def test_the_server_reads_the_room_that_was_meant(room: str, party: str) -> None:
    path = urlsplit(room_url("localhost", room=room, party=party)).path
    assert split_path(path) == (Address(party, room), "")


@pytest.mark.parametrize("room", [".", "..", "...", "%2e", "a/b", "a//b", "?x", "#x", "a b", "100%", "日本"])
def test_a_room_may_be_called_anything(room: str) -> None:
    url = room_url("localhost", room=room)
    assert split_path(urlsplit(url).path) == (Address("main", room), "")
    assert not {".", ".."} & set(urlsplit(url).path.split("/"))  # nothing on the way takes it for a folder


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("", "address"),
        ("ftp://example.com", "ftp"),
        ("localhost:many", "Port"),
        ("http://", "address"),
        ("localhost?x=1", "address"),
        ("local host", "address"),
    ],
)
def test_what_is_no_address_is_refused(host: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        room_url(host, room="r")


def test_a_room_and_a_party_have_names() -> None:
    with pytest.raises(ValueError, match="which room"):
        room_url("localhost", room="")
    with pytest.raises(ValueError, match="which party"):
        room_url("localhost", room="r", party="")


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(ValueError, match="scheme") as refused:
        room_url("ftp://ada:secret@example.com", room="r")
    assert "secret" not in str(refused.value)


def test_a_path_is_added_below() -> None:
    assert below("ws://h/parties/main/r", "a b/../c/") == "ws://h/parties/main/r/a%20b/%2E%2E/c"
    assert below("ws://h/parties/main/r", "") == "ws://h/parties/main/r"


@given(st.dictionaries(st.text(), st.text()))
def test_a_query_arrives_as_it_was_given(params: dict[str, str]) -> None:
    url = with_query("ws://h/p", params)
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=None) == list(params.items())


def test_a_query_leaves_out_none_and_writes_json_words() -> None:
    assert with_query("ws://h/p", {"a": None, "b": True, "c": 1.5, "d": ""}) == "ws://h/p?b=true&c=1.5&d="
    assert with_query("ws://h/p", {"a": None}) == "ws://h/p"


def test_the_http_side_has_the_same_address() -> None:
    assert http_url("ws://h/p") == "http://h/p"
    assert http_url("wss://h/p") == "https://h/p"


def test_what_is_shown_has_no_secrets() -> None:
    assert public("wss://ada:secret@h:1/p?token=secret#x") == "wss://h:1/p"
