"""A SyncStep2 of somebody who has nothing new is known as such, deletions and all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from partyroom.errors import ProtocolError
from partyroom.protocols.deletions import covers
from partyroom.protocols.guard import Summary, check
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.replica import Replica

Spans = dict[int, list[tuple[int, int]]]


def deleting(spans: Spans) -> Summary:
    """The summary of an update that deletes, for each client, from a clock so many."""
    encoder = Encoder().varuint(0).varuint(len(spans))
    for client, ranges in spans.items():
        encoder.varuint(client).varuint(len(ranges))
        for clock, length in ranges:
            encoder.varuint(clock).varuint(length)
    return check(bytes(encoder))


def clocks(spans: Spans) -> set[tuple[int, int]]:
    return {(client, clock + n) for client, ranges in spans.items() for clock, length in ranges for n in range(length)}


some = st.dictionaries(
    st.integers(1, 3), st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=4)
)


@given(some, some)
def test_it_is_the_subset_of_single_clocks(known: Spans, asked: Spans) -> None:
    assert covers(deleting(known), deleting(asked)) == (clocks(asked) <= clocks(known))


def test_a_replica_knows_what_its_own_deletions_are_and_what_is_news() -> None:
    ours, theirs = Doc[Text](), Doc[Text]()
    text = ours.get("body", type=Text)
    text += "abcdefghij"
    del text[2:4], text[5:6]
    theirs.apply_update(ours.get_update())
    replica = Replica(ours)
    answer = theirs.get_update(ours.get_state())
    assert answer != b"\0\0"
    assert replica.holds(answer)
    assert replica.holds(b"\0\0")

    body = theirs.get("body", type=Text)
    del body[0:1]
    assert not replica.holds(theirs.get_update(ours.get_state()))
    body += "x"
    assert not replica.holds(theirs.get_update(ours.get_state()))
    assert not Replica().holds(answer)


@pytest.mark.parametrize("junk", [b"", b"\0", b"\0\0\0", b"\0\1\1\1", b"\0\xff"])
def test_a_replica_says_of_junk_that_it_is_junk(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        Replica().holds(junk)
