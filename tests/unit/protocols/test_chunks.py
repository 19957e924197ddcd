"""y-partykit's chunked uploads and y-partyserver's text messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from partyroom.errors import CloseCode, ProtocolError
from partyroom.protocols.chunks import Reassembler, custom, parse_custom


def marker(kind: str, size: int, count: int, name: str = "x1") -> str:
    return "y-pk-batch#" + json.dumps({"id": name, "type": kind, "size": size, "count": count})


def test_a_message_in_chunks_comes_out_whole() -> None:
    data = bytes(range(256)) * 10_000
    chunks = [data[at : at + 1_000_000] for at in range(0, len(data), 1_000_000)]
    reassembler = Reassembler()
    assert reassembler.marker(marker("start", len(data), len(chunks))) is None
    assert reassembler.open
    assert [reassembler.chunk(chunk) for chunk in chunks] == [None] * len(chunks)
    assert reassembler.marker(marker("end", len(data), len(chunks))) == data
    assert not reassembler.open


def test_messages_outside_a_batch_pass_as_they_are() -> None:
    reassembler = Reassembler()
    assert reassembler.chunk(b"abc") == b"abc"
    reassembler.marker(marker("start", 2, 1))
    reassembler.chunk(b"de")
    assert reassembler.marker(marker("end", 2, 1)) == b"de"
    assert reassembler.chunk(b"") == b""


@pytest.mark.parametrize(
    "text",
    [
        "y-pk-batch",
        "y-pk-batch#",
        "y-pk-batch#nonsense",
        "y-pk-batch#" + "[" * 900,
        "y-pk-batch#[1]",
        "y-pk-batch#{}",
        "y-pk-batchx#" + json.dumps({"id": "a", "type": "start", "size": 1, "count": 1}),
        "y-pk-batch#" + json.dumps({"id": "a", "type": "middle", "size": 1, "count": 1}),
        "y-pk-batch#" + json.dumps({"id": "a", "type": "start", "size": 1.5, "count": 1}),
        "y-pk-batch#" + json.dumps({"id": "a" * 2000, "type": "start", "size": 1, "count": 1}),
    ],
)
def test_a_malformed_marker_is_refused(text: str) -> None:
    assert Reassembler.is_marker(text)
    with pytest.raises(ProtocolError):
        Reassembler().marker(text)


@pytest.mark.parametrize(("size", "count"), [(-1, 1), (10, 0), (10, 2), (10, -1), (2_000_000, 1000)])
def test_a_start_with_an_impossible_size_or_count_is_refused(size: int, count: int) -> None:
    with pytest.raises(ProtocolError):
        Reassembler().marker(marker("start", size, count))


def test_a_batch_over_the_limit_is_refused_at_its_start_as_too_large() -> None:
    with pytest.raises(ProtocolError) as caught:
        Reassembler(limit=1000).marker(marker("start", 1001, 1))
    assert caught.value.code == CloseCode.TOO_LARGE


@pytest.mark.parametrize(
    "steps",
    [
        [marker("end", 3, 1)],
        [marker("start", 3, 1), marker("start", 3, 1)],
        [marker("start", 3, 1), b"abcd"],
        [marker("start", 3, 1), b"ab", b"c"],
        [marker("start", 3, 1), b""],
        [marker("start", 3, 1), b"ab", marker("end", 3, 1)],
        [marker("start", 3, 1), b"abc", marker("end", 3, 1, "other")],
        [marker("start", 3, 1), b"abc", marker("end", 2, 1)],
        [marker("start", 3, 1), marker("end", 3, 1)],
    ],
)
def test_a_batch_that_is_not_what_it_announced_is_refused_and_forgotten(steps: list[Any]) -> None:
    reassembler = Reassembler()
    with pytest.raises(ProtocolError):  # noqa: PT012 - any step may be the one that is refused
        for step in steps:
            if isinstance(step, str):
                reassembler.marker(step)
            else:
                reassembler.chunk(step)
    assert not reassembler.open or steps[0] == marker("end", 3, 1)


def test_custom_messages_carry_their_prefix() -> None:
    assert custom("hello") == "__YPS:hello"
    assert parse_custom("__YPS:hello") == "hello"
    assert parse_custom("__YPS:") == ""
    assert parse_custom("hello") is None
