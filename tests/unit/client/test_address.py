"""Addresses as people type them; a token goes to the server that the environment names and to no other."""

from __future__ import annotations

import pytest

from partyroom.client.address import Place, find

ENV = {"PARTYROOM_URL": "https://hub.example.com/user/ada/partyroom/"}


@pytest.mark.parametrize(
    ("address", "place"),
    {
        "today": ("http://localhost:1999", "main", "today", {}),
        "chat/lobby": ("http://localhost:1999", "chat", "lobby", {}),
        "chat/a/b": ("http://localhost:1999", "chat", "a/b", {}),
        "100%": ("http://localhost:1999", "main", "100%", {}),
        "http://h:1/parties/chat/lobby": ("http://h:1", "chat", "lobby", {}),
        "wss://h/base/parties/chat/a%2Fb%20c": ("wss://h/base", "chat", "a/b c", {}),
        "https://h/parties/x/parties/p/r?a=1&b=": ("https://h/parties/x", "p", "r", {"a": "1", "b": ""}),
        "https://h/parties/p/r?_pk=else&token=t": ("https://h", "p", "r", {"token": "t"}),
    }.items(),
    ids=str,
)
def test_an_address_is_understood(address: str, place: tuple[str, str, str, dict[str, str]]) -> None:
    found = find(address, environ={})
    assert (found.host, found.party, found.room, found.query) == place


def test_with_a_party_all_of_it_is_the_room() -> None:
    assert find("a/b", party="chat", environ={}) == Place("http://localhost:1999", "chat", "a/b", trusted=True)
    assert find("http://x/y", party="chat", environ={}).room == "http://x/y"


def test_the_server_is_named_by_the_address_or_the_caller_or_the_environment() -> None:
    assert find("r", environ=ENV).host == ENV["PARTYROOM_URL"]
    assert find("r", server="localhost:5", environ=ENV).host == "localhost:5"
    assert find("http://h/parties/p/r", server="localhost:5", environ=ENV).host == "http://h"


@pytest.mark.parametrize(
    ("address", "server", "trusted"),
    [
        ("r", None, True),
        ("r", "wss://HUB.example.com:443/user/ada/partyroom", True),
        ("r", "https://hub.example.com/user/mallory/partyroom", False),
        ("r", "https://hub.example.com", False),
        ("r", "http://hub.example.com/user/ada/partyroom", False),  # in the clear
        ("r", "hub.example.com:8000", False),
        ("r", "https://evil.example.com", False),
        ("r", "https://hub.example.com@evil.example.com", False),
        ("https://hub.example.com/user/ada/partyroom/parties/p/r", None, True),
        ("https://hub.example.com/user/mallory/parties/p/r", None, False),
        ("https://evil.example.com/parties/p/r", None, False),
    ],
)
def test_only_the_server_of_the_environment_is_trusted_with_its_token(
    address: str, server: str | None, trusted: bool
) -> None:
    assert find(address, server=server, environ=ENV).trusted is trusted


@pytest.mark.parametrize(
    "address",
    [
        "",
        "chat/",
        "/lobby",
        "http://h/",
        "http://h/parties/chat",
        "http://h/parties/chat/r/more",
        "http://ada:hunter2@h/x?token=hunter2",
        "http:///parties/p/r",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_secrets(address: str) -> None:
    with pytest.raises(ValueError, match="PARTY/ROOM") as refused:
        find(address, environ={})
    assert "hunter2" not in str(refused.value)
