"""Presence keeps the rules of y-protocols' clocks, believes its server, and checks what it is told."""

from __future__ import annotations

import pytest

from partyroom.client.presence import Change, Presence
from partyroom.errors import ProtocolError
from partyroom.protocols.lib0 import Decoder, Encoder

ME, OTHER = 7, 8


def update(*lines: tuple[int, int, str]) -> bytes:
    encoder = Encoder().varuint(len(lines))
    for client, clock, state in lines:
        encoder.varuint(client).varuint(clock).string(state)
    return bytes(encoder)


def read(encoded: bytes | None) -> list[tuple[int, int, str]]:
    assert encoded is not None
    decoder = Decoder(encoded)
    return [(decoder.varuint(), decoder.varuint(), decoder.string()) for _ in range(decoder.varuint())]


def test_every_word_raises_the_clock_from_one_on() -> None:
    presence = Presence(ME)
    assert presence.announce() is None
    assert read(presence.show({"a": "ü"})) == [(ME, 1, '{"a":"ü"}')]
    assert read(presence.announce()) == [(ME, 2, '{"a":"ü"}')]
    assert read(presence.show(None)) == [(ME, 3, "null")]
    assert presence.announce() is None


def test_a_state_is_a_copy_of_what_json_says_of_it() -> None:
    presence, mine = Presence(ME), {"a": [1]}
    presence.show(mine)
    mine["a"].append(2)
    assert presence.state == {"a": [1]}


def test_others_come_change_and_leave() -> None:
    presence = Presence(ME)
    assert presence.hear(update((OTHER, 1, '{"a":1}'))) == (Change(added=(OTHER,)), None)
    assert presence.hear(update((OTHER, 1, '{"a":2}'))) == (Change(), None)
    assert presence.hear(update((OTHER, 2, '{"a":1}'))) == (Change(), None)
    assert presence.hear(update((OTHER, 3, '{"a":2}'))) == (Change(updated=(OTHER,)), None)
    assert presence.others == {OTHER: {"a": 2}}
    assert presence.hear(update((OTHER, 3, "null"))) == (Change(removed=(OTHER,)), None)
    assert presence.hear(update((OTHER, 3, '{"a":2}'))) == (Change(), None)
    assert presence.hear(update((OTHER, 4, '{"a":2}'))) == (Change(added=(OTHER,)), None)


def test_many_at_once() -> None:
    presence = Presence(ME)
    presence.hear(update((1, 1, "{}"), (2, 1, "{}")))
    change, _ = presence.hear(update((1, 2, '{"x":0}'), (2, 2, "null"), (3, 1, "{}")))
    assert change == Change(added=(3,), updated=(1,), removed=(2,))


def test_a_server_that_raised_our_clock_hears_a_newer_one_next() -> None:
    presence = Presence(ME)
    presence.show({})
    assert presence.hear(update((ME, 40, "{}"))) == (Change(), None)
    assert read(presence.announce()) == [(ME, 41, "{}")]
    assert presence.others == {}


def test_who_is_said_to_have_left_and_has_not_says_so() -> None:
    presence = Presence(ME)
    presence.show({"a": 1})
    _, answer = presence.hear(update((ME, 5, "null")))
    assert read(answer) == [(ME, 6, '{"a":1}')]
    presence.show(None)
    assert presence.hear(update((ME, 9, "null"))) == (Change(), None)


def test_without_a_connection_nobody_else_is_here_and_their_clocks_count_anew() -> None:
    presence = Presence(ME)
    presence.show({"a": 1})
    presence.hear(update((OTHER, 9, "{}")))
    assert presence.alone() == Change(removed=(OTHER,))
    assert presence.alone() == Change()
    assert presence.hear(update((OTHER, 1, "{}")))[0] == Change(added=(OTHER,))
    assert presence.state == {"a": 1}


def test_another_id_says_goodbye_to_the_old_one() -> None:
    presence = Presence(ME)
    presence.show({"a": 1})
    assert read(presence.renamed(OTHER)) == [(ME, 2, "null")]
    assert read(presence.announce()) == [(OTHER, 1, '{"a":1}')]


@pytest.mark.parametrize("state", ["", "nonsense", "[]", "7", '"x"', "[" * 100_000])
def test_a_state_that_is_no_object_is_left_out_and_the_others_count(state: str) -> None:
    presence = Presence(ME)
    change, _ = presence.hear(update((1, 1, state), (2, 1, "{}")))
    assert change == Change(added=(2,))


@pytest.mark.parametrize(
    "malformed", [b"", b"\x01", b"\x05\x01\x01\x02{}", b"\x01\x01\x01\x09{}", b"\x01\x01\x01\x02\xff\xff"]
)
def test_a_malformed_update_is_refused_and_changes_nothing(malformed: bytes) -> None:
    presence = Presence(ME)
    presence.hear(update((OTHER, 1, "{}")))
    with pytest.raises(ProtocolError):
        presence.hear(malformed)
    assert presence.others == {OTHER: {}}
