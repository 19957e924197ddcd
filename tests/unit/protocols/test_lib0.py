"""lib0 against vectors that lib0 itself wrote (vectors/generate.mjs), and against bytes nobody honest would write."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom.errors import ProtocolError
from partyroom.protocols.lib0 import MAX_DEPTH, MAX_INTEGER, UNDEFINED, Decoder, Encoder, read_varuint, varuint

VECTORS = json.loads((Path(__file__).parent / "vectors" / "lib0.json").read_text(encoding="utf-8"))


def revive(value: Any) -> Any:
    """The Python value that a vector describes; what JSON cannot say is written as ``{"$": kind, "value": ...}``."""
    match value:
        case {"$": "undefined"}:
            return UNDEFINED
        case {"$": "-0"}:
            return -0.0
        case {"$": "float", "value": text}:
            return float(text)
        case {"$": "bigint", "value": text}:
            return int(text)
        case {"$": "bytes", "value": text}:
            return bytes.fromhex(text)
    return value


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or (left, math.copysign(1, left)) == (
            right,
            math.copysign(1, right),
        )
    return bool(left == right)


@pytest.mark.parametrize(("number", "encoded"), VECTORS["varuint"])
def test_unsigned_numbers_are_those_of_lib0(number: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert varuint(number) == data
    assert read_varuint(data, 0) == (number, len(data))


@pytest.mark.parametrize(("number", "encoded"), VECTORS["varint"])
def test_signed_numbers_are_those_of_lib0(number: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert bytes(Encoder().varint(number)) == data
    assert Decoder(data).varint() == number


@pytest.mark.parametrize(("text", "encoded"), VECTORS["string"])
def test_texts_are_those_of_lib0(text: str, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert bytes(Encoder().string(text)) == data
    assert Decoder(data).string() == text


@pytest.mark.parametrize(("described", "encoded"), VECTORS["any"])
def test_values_are_those_of_lib0(described: Any, encoded: str) -> None:
    data, value = bytes.fromhex(encoded), revive(described)
    assert bytes(Encoder().any(value)) == data
    decoder = Decoder(data)
    assert same(decoder.any(), value)
    assert decoder.left == 0


def test_half_a_surrogate_pair_is_written_as_the_replacement_character() -> None:
    assert bytes(Encoder().string("a\ud83db")) == b"\x05a\xef\xbf\xbdb"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\xff" * 7,
        b"\xff" * 8 + b"\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",  # 2^56 - 1, and 2^55 - 1 where one bit is the sign
        b"\x80" * 40 + b"\x00",
    ],
)
def test_a_number_that_is_cut_short_or_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder(data).varuint()
    with pytest.raises(ProtocolError):
        Decoder(data).varint()


@pytest.mark.parametrize("data", [b"\x05abc", b"\xff\xff\xff\xff\x0f", b"\x02\xc3\x28", b"\x03\xed\xa0\x80"])
def test_a_text_that_is_cut_short_or_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder(data).string()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x73",
        b"\x80",
        b"\x7c\x00\x00",
        b"\x7b\x00",
        b"\x7a\x00",
        b"\x75\xff\xff\xff\xff\xff\xff\xff\x0f",
        b"\x76\xff\xff\xff\xff\xff\xff\xff\x0f",
        b"\x75\x02\x7e",
        b"\x76\x01\x01",
        b"\x77\x02\xc3\x28",
        b"\x74\x05\x00",
    ],
)
def test_a_value_that_is_cut_short_or_has_no_type_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder(data).any()


def test_values_may_nest_only_so_deeply() -> None:
    decoder = Decoder(b"\x75\x01" * MAX_DEPTH + b"\x7e")
    decoder.any()
    assert decoder.left == 0
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ProtocolError, match="too deeply"):
            Decoder(b"\x75\x01" * depth + b"\x7e").any()


@pytest.mark.parametrize("number", [-1, MAX_INTEGER + 1])
def test_a_number_that_lib0_cannot_hold_is_the_callers_error(number: int) -> None:
    with pytest.raises(ValueError, match="53"):
        varuint(number)


@pytest.mark.parametrize(("value", "error"), [({1: 2}, TypeError), (object(), TypeError), (2**63, ValueError)])
def test_a_value_that_lib0_cannot_hold_is_the_callers_error(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Encoder().any(value)


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False)
    | texts
    | st.binary()
    | st.just(UNDEFINED),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_every_value_comes_back(value: Any) -> None:
    decoder = Decoder(bytes(Encoder().any(value)))
    assert decoder.any() == value
    assert decoder.left == 0


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (Decoder.any, Decoder.varint, Decoder.varuint, Decoder.string, Decoder.buffer, Decoder.byte):
        decoder = Decoder(data)
        with suppress(ProtocolError):
            read(decoder)
        assert 0 <= decoder.at <= len(data)
