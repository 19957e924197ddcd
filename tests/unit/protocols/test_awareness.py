"""Presence (promise 11): each rule of protocols/awareness.py, with the clients that make it necessary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.errors import CloseCode, ProtocolError
from partyroom.protocols.awareness import Awareness, Change
from partyroom.protocols.lib0 import MAX_DEPTH, Decoder, Encoder

ANN, BEN = 1001, 2002
VECTORS = json.loads((Path(__file__).parent / "vectors" / "messages.json").read_text())


def update(*said: tuple[int, int, Any]) -> bytes:
    """An awareness update as a client encodes it; a state given as bytes goes in as it is."""
    encoder = Encoder().varuint(len(said))
    for client, clock, state in said:
        encoder.varuint(client).varuint(clock)
        encoder.buffer(state if isinstance(state, bytes) else json.dumps(state).encode())
    return bytes(encoder)


def said(change: Change | None) -> list[tuple[int, int, Any]]:
    """What everybody is told."""
    assert change is not None
    decoder = Decoder(change.update)
    lines = [(decoder.varuint(), decoder.varuint(), json.loads(decoder.string())) for _ in range(decoder.varuint())]
    assert decoder.left == 0
    assert sorted(line[0] for line in lines) == sorted(change.added + change.updated + change.removed)
    return lines


@pytest.fixture
def room() -> Awareness:
    """Ann and Ben are here, each by a connection of their own, as y-websocket clients without login."""
    awareness = Awareness()
    awareness.apply("ann", update((ANN, 1, {"name": "Ann"})))
    awareness.apply("ben", update((BEN, 1, {"name": "Ben"})))
    return awareness


@pytest.fixture
def known() -> Awareness:
    """Ann and Ben are here, and the server knows who they are."""
    awareness = Awareness()
    awareness.apply("ann", update((ANN, 1, {"name": "Ann"})), identity="user ann")
    awareness.apply("ben", update((BEN, 1, {"name": "Ben"})), identity="user ben")
    return awareness


# everybody sees everybody ------------------------------------------------------------------------------------------


def test_an_announced_state_is_told_to_everybody_as_it_came_with_a_clock_that_all_heed() -> None:
    awareness = Awareness()
    state = b'{"name" : "\\u00fc",  "n":1.0}'
    change = awareness.apply("ann", update((ANN, 1, state)))
    assert change == Change(update((ANN, 2, state)), added=(ANN,))
    assert awareness.everybody() == update((ANN, 2, state))


def test_a_change_is_told_to_everybody_as_it_came(room: Awareness) -> None:
    raw = update((ANN, 5, b'{"name" : "\\u00fc",  "n":1.0}'))
    assert room.apply("ann", raw) == Change(raw, updated=(ANN,))


def test_what_y_protocols_writes_is_read() -> None:
    awareness = Awareness()
    change = awareness.apply("x", bytes.fromhex(VECTORS["awareness"]))
    assert change is not None
    assert change.added == (4242,)
    assert awareness.states() == {4242: {"user": {"name": "Ann", "color": "#f00"}, "note": 'ü "quoted" \u2028'}}
    gone = awareness.apply("x", bytes.fromhex(VECTORS["awareness_gone"]))
    assert gone is not None
    assert gone.removed == (4242,)


def test_a_newcomer_sees_everybody(room: Awareness) -> None:
    newcomer = Awareness()
    everybody = room.everybody()
    assert everybody is not None
    newcomer.apply("server", everybody)
    assert newcomer.states() == room.states() == {ANN: {"name": "Ann"}, BEN: {"name": "Ben"}}


def test_an_empty_room_has_nothing_to_tell() -> None:
    assert Awareness().everybody() is None


def test_the_owner_changes_its_state(room: Awareness) -> None:
    change = room.apply("ann", update((ANN, 2, {"cursor": 5})))
    assert change is not None
    assert change.updated == (ANN,)
    assert said(change) == [(ANN, 3, {"cursor": 5})]
    assert room.states()[ANN] == {"cursor": 5}


def test_a_state_no_newer_than_the_one_known_changes_nothing(room: Awareness) -> None:
    assert room.apply("ann", update((ANN, 1, {"name": "old"}))) is None
    assert room.apply("ann", update((ANN, 0, {"name": "older"}))) is None
    assert room.states()[ANN] == {"name": "Ann"}


def test_an_idle_client_that_only_renews_its_clock_stays_and_is_echoed(room: Awareness) -> None:
    for clock in range(3, 50):  # it has heard of its introduction, which was passed on as 2
        assert said(room.apply("ann", update((ANN, clock, {"name": "Ann"})))) == [(ANN, clock, {"name": "Ann"})]
    assert set(room.states()) == {ANN, BEN}


# leaving -----------------------------------------------------------------------------------------------------------


def test_a_client_that_says_goodbye_leaves(room: Awareness) -> None:
    change = room.apply("ann", update((ANN, 1, None)))  # y-websocket's disconnect() sends null with an unchanged clock
    assert change is not None
    assert change.removed == (ANN,)
    assert set(room.states()) == {BEN}
    assert room.remove("ann") is None


def test_an_abrupt_leaver_goes_at_once(room: Awareness) -> None:
    change = room.remove("ann")
    assert change is not None
    assert change.removed == (ANN,)
    assert said(change) == [(ANN, 3, None)]
    assert set(room.states()) == {BEN}
    assert room.remove("ann") is None


def test_a_connection_that_never_spoke_leaves_without_a_word(room: Awareness) -> None:
    assert room.remove("nobody") is None


def test_a_connection_may_speak_for_several_clients_and_takes_them_along(room: Awareness) -> None:
    room.apply("bridge", update((1, 1, {"name": "a"}), (2, 1, {"name": "b"})))
    assert room.clients("bridge") == {1, 2}
    assert sorted(said(room.remove("bridge"))) == [(1, 2, None), (2, 2, None)]


# nobody writes or removes another ----------------------------------------------------------------------------------


def test_an_echo_of_anothers_state_changes_nothing_and_moves_no_ownership(room: Awareness) -> None:
    everybody = room.everybody()
    assert everybody is not None
    assert room.apply("ben", everybody) is None
    assert room.apply("ben", update((ANN, 1, {"name": "Ann"}))) is None
    assert room.clients("ben") == {BEN}
    room.remove("ben")
    assert set(room.states()) == {ANN}


def test_a_newcomer_that_echoes_everybody_before_it_has_a_state_owns_nobody(room: Awareness) -> None:
    everybody = room.everybody()
    assert everybody is not None
    assert room.apply("viewer", everybody) is None
    assert room.remove("viewer") is None
    assert set(room.states()) == {ANN, BEN}


def test_another_connection_cannot_write_a_live_state(room: Awareness) -> None:
    assert room.apply("ben", update((ANN, 99, {"name": "Mallory"}))) is None
    assert room.states()[ANN] == {"name": "Ann"}


@pytest.mark.parametrize("clock", [1, 2, 99])
def test_another_connection_cannot_remove_a_live_state(room: Awareness, clock: int) -> None:
    assert room.apply("ben", update((ANN, clock, None))) is None
    assert room.apply("stranger", update((ANN, clock, None))) is None
    assert room.states()[ANN] == {"name": "Ann"}


def test_peers_that_time_an_idle_client_out_do_not_remove_it(room: Awareness) -> None:
    # y-protocols declares a client gone after 30 s without a newer clock, and its provider tells the server so
    assert room.apply("ben", update((ANN, 1, None))) is None
    assert ANN in room


def test_only_what_counts_in_a_mixed_update_is_told(room: Awareness) -> None:
    change = room.apply("ben", update((ANN, 5, {"name": "Mallory"}), (BEN, 3, {"x": 1}), (ANN, 1, None)))
    assert said(change) == [(BEN, 3, {"x": 1})]


def test_a_sibling_tab_that_passes_on_a_newer_state_first_does_not_take_over(room: Awareness) -> None:
    # two tabs of one browser hear each other over BroadcastChannel and each tells the server what it heard
    assert room.apply("ben", update((ANN, 2, {"cursor": 1}))) is None
    assert said(room.apply("ann", update((ANN, 2, {"cursor": 1})))) == [(ANN, 3, {"cursor": 1})]
    assert room.clients("ann") == {ANN}


def test_a_stranger_cannot_take_over_a_known_clients_id(known: Awareness) -> None:
    for key, identity in [("mallory", None), ("mallory 2", "user mallory")]:
        assert known.apply(key, update((ANN, 1, {"name": "Ann"})), identity) is None
        assert known.apply(key, update((ANN, 2, {"name": "Mallory"})), identity) is None
        assert known.remove(key) is None
    assert known.states()[ANN] == {"name": "Ann"}
    assert known.clients("ann") == {ANN}


def test_an_anonymous_impostor_loses_the_id_as_soon_as_its_owner_speaks(room: Awareness) -> None:
    assert room.apply("mallory", update((ANN, 2, {"name": "Mallory"}))) is not None
    assert said(room.apply("ann", update((ANN, 4, {"name": "Ann"})))) == [(ANN, 4, {"name": "Ann"})]
    assert room.apply("mallory", update((ANN, 5, {"name": "Mallory"}))) is None
    assert room.remove("mallory") is None
    assert room.states()[ANN] == {"name": "Ann"}


def test_an_anonymous_impostor_cannot_exhaust_the_owners_clock(room: Awareness) -> None:
    assert room.apply("mallory", update((ANN, 2**31, {"name": "Mallory"}))) is None
    assert room.states()[ANN] == {"name": "Ann"}


# reconnects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [None, "user ann"])
@pytest.mark.parametrize("clock", [1, 2, 500])
def test_a_reconnect_before_the_old_socket_dies_keeps_its_user(identity: str | None, clock: int) -> None:
    awareness = Awareness()
    awareness.apply("old", update((ANN, 1, {"name": "Ann"})), identity)
    awareness.apply("new", update((ANN, clock, {"name": "Ann"})), identity)
    assert awareness.clients("new") == {ANN}
    assert awareness.remove("old") is None
    assert awareness.states() == {ANN: {"name": "Ann"}}
    (moved,) = said(awareness.apply("new", update((ANN, clock + 1, {"cursor": 1}))))
    assert (moved[0], moved[2]) == (ANN, {"cursor": 1})
    assert awareness.remove("new") is not None


def test_what_the_old_socket_still_had_on_the_way_does_not_take_the_id_back(room: Awareness) -> None:
    room.apply("ann again", update((ANN, 5, {"cursor": 5})))
    assert room.apply("ann", update((ANN, 4, {"cursor": 4}))) is None
    assert room.apply("ann", update((ANN, 5, {"cursor": 5}))) is None
    assert room.apply("ann", update((ANN, 5, None))) is None
    assert room.clients("ann again") == {ANN}
    assert room.remove("ann") is None
    assert room.states()[ANN] == {"cursor": 5}


def test_a_reconnect_after_the_old_socket_died_is_seen_at_once_by_those_who_heard_it_leave(room: Awareness) -> None:
    assert said(room.remove("ann")) == [(ANN, 3, None)]
    # the client never heard that it left: it introduces itself with the clock it had
    assert said(room.apply("ann again", update((ANN, 1, {"name": "Ann"})))) == [(ANN, 4, {"name": "Ann"})]


def test_somebody_who_returns_after_the_server_started_anew_is_seen_at_once_by_those_who_knew_it() -> None:
    # the others forgot Ann when their own connections broke, but y-protocols has them remember her clock, 40
    (line,) = said(Awareness().apply("ann again", update((ANN, 40, {"name": "Ann"}))))
    assert line > (ANN, 40)


def test_what_a_client_says_before_it_hears_of_its_introduction_is_not_lost(room: Awareness) -> None:
    assert said(room.apply("ann", update((ANN, 2, {"cursor": 1})))) == [(ANN, 3, {"cursor": 1})]
    assert said(room.apply("ann", update((ANN, 3, {"cursor": 2})))) == [(ANN, 4, {"cursor": 2})]


def test_a_client_that_passes_on_its_own_introduction_starts_no_loop(room: Awareness) -> None:
    # y-protocols takes over its own state with the newer clock, and its provider sends that to the server again
    assert room.apply("ann", update((ANN, 2, {"name": "Ann"}))) is None
    assert said(room.apply("ann", update((ANN, 3, {"cursor": 1})))) == [(ANN, 3, {"cursor": 1})]


def test_a_client_that_was_declared_gone_by_mistake_comes_back_by_itself(room: Awareness) -> None:
    room.apply("other", update((ANN, 1, {"name": "Ann"})))
    assert said(room.remove("other")) == [(ANN, 4, None)]
    # y-protocols answers null for itself with its state and a newer clock
    assert said(room.apply("ann", update((ANN, 5, {"name": "Ann"})))) == [(ANN, 5, {"name": "Ann"})]
    assert room.clients("ann") == {ANN}


def test_a_late_echo_does_not_bring_back_who_left(room: Awareness) -> None:
    room.remove("ann")
    assert room.apply("ben", update((ANN, 1, {"name": "Ann"}))) is None
    assert room.apply("ben", update((ANN, 2, None))) is None
    assert set(room.states()) == {BEN}


def test_somebody_whom_another_connection_passed_on_takes_over_when_it_comes_itself(known: Awareness) -> None:
    known.apply("ben", update((7, 1, {"name": "tab"})))
    known.apply("tab", update((7, 1, {"name": "tab"})), identity="user tab")
    assert known.clients("tab") == {7}
    known.remove("ben")
    assert 7 in known


# the server's own clients ------------------------------------------------------------------------------------------


def test_the_server_shows_clients_of_its_own(room: Awareness) -> None:
    change = room.set("bot", 7, {"name": "Bot"})
    assert change is not None
    assert (change.added, said(change)) == ((7,), [(7, 2, {"name": "Bot"})])
    assert said(room.set("bot", 7, {"name": "Bot", "busy": True})) == [(7, 3, {"name": "Bot", "busy": True})]
    assert room.apply("ben", update((7, 9, {"name": "Mallory"}))) is None
    assert said(room.set("bot", 7, None)) == [(7, 4, None)]
    assert said(room.set("bot", 7, {"name": "Bot"})) == [(7, 5, {"name": "Bot"})]


# hostile bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\xff\xff\xff\xff\x0f",
        update((ANN, 2, {}))[:-1],
        update((ANN, 2, {})) + b"\0",
        update((ANN, 2, b"")),
        update((ANN, 2, b"{")),
        update((ANN, 2, b'{"a":NaN}')),
        update((ANN, 2, b'{"a":-Infinity}')),
        update((ANN, 2, b'{"a":"\xff"}')),
        update((ANN, 2, b'{"a":"\n"}')),
        update((ANN, 2, b"[1]")),
        update((ANN, 2, b"1")),
        update((ANN, 2, b"undefined")),
        update((ANN, 2, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
        update((ANN, 2, b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}")),
        update((ANN, 2, b'{"a":' + b"9" * 5000 + b"}")),
        update((ANN, 2**31 + 1, {})),
        update((ANN, 2, {"fine": 1}), (BEN, 2, b"nonsense")),
    ],
)
def test_a_malformed_update_is_refused_and_changes_nothing(room: Awareness, data: bytes) -> None:
    before = room.states()
    with pytest.raises(ProtocolError):
        room.apply("ann", data)
    assert room.states() == before


def test_a_state_may_nest_as_deep_as_the_bound_and_be_wide_beyond_it(room: Awareness) -> None:
    deep: Any = {}
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": deep}
    assert room.apply("ann", update((ANN, 2, deep))) is not None
    assert room.apply("ann", update((ANN, 3, {"a": [[] for _ in range(500)]}))) is not None


def test_a_state_over_its_bound_is_refused_as_too_large() -> None:
    with pytest.raises(ProtocolError) as caught:
        Awareness(max_state=100).apply("x", update((1, 1, {"a": "b" * 100})))
    assert caught.value.code == CloseCode.TOO_LARGE


def test_clients_past_the_bounds_are_not_taken_in() -> None:
    awareness = Awareness(max_ids=3, max_clients=4)
    awareness.apply("x", update(*((n, 1, {}) for n in range(10))))
    assert set(awareness.states()) == {0, 1, 2}
    awareness.apply("y", update(*((n, 1, {}) for n in range(10))))
    assert len(awareness) == 4


def test_blanks_around_null_still_say_that_the_client_left(room: Awareness) -> None:
    assert said(room.apply("ann", update((ANN, 3, b" null ")))) == [(ANN, 3, None)]
    assert ANN not in room


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2]), st.integers(0, 5), st.booleans())))
def test_whatever_is_said_the_table_agrees_with_what_everybody_was_told(
    script: list[tuple[str, int, int, bool]],
) -> None:
    """A watcher that heeds y-protocols' clock rule sees exactly the table, whoever says, leaves and comes back."""
    awareness = Awareness()
    clocks: dict[int, int] = {}
    seen: dict[int, Any] = {}
    for key, client, clock, here in script:
        change = awareness.apply(key, update((client, clock, {"by": key} if here else None)))
        changes = [change] if clock else [change, awareness.remove(key)]
        for change in filter(None, changes):
            for who, when, state in said(change):
                newer = when > clocks.get(who, -1)
                assert newer or (when == clocks[who] and state is None and who in seen)
                clocks[who] = when
                seen[who] = state
                if state is None:
                    del seen[who]
        assert seen == awareness.states()


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_heeded_or_refused(data: bytes) -> None:
    awareness = Awareness()
    try:
        awareness.apply("x", data)
    except ProtocolError:
        assert len(awareness) == 0
