"""Storing: what a document takes, and what it refuses, with where that was."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from partyroom.client.storing import storable


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    YES = "yes"


def test_a_copy_is_plain_and_its_own() -> None:
    inner = [1]
    copied = storable({"a": inner, "b": MappingProxyType({"c": (Number.ONE, Word.YES)})}, "here")
    inner.append(2)
    assert copied == {"a": [1], "b": {"c": [1, "yes"]}}
    assert [type(one) for one in copied["b"]["c"]] == [int, str]


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (
            {"a": {"b": [0, {1}]}},
            TypeError,
            r"here\['a'\]\['b'\]\[1\]: set cannot be stored; values are JSON and bytes",
        ),
        ({"a": {5: 1}}, TypeError, r"here\['a'\]: the key 5 is a int; keys are str"),
        (2**53, ValueError, "here: 9007199254740992 is beyond 2\\^53 - 1"),
        ([-(2**53)], ValueError, r"here\[0\]: -9007199254740992"),
        (float("nan"), ValueError, "here: nan is not JSON; store None"),
        ([float("-inf")], ValueError, r"here\[0\]: -inf is not JSON"),
        ("a\ud83d", ValueError, "here: character 1 is half of a surrogate pair"),
        ({"\ude00": 1}, ValueError, "half of a surrogate pair"),
        (1j, TypeError, "here: complex cannot be stored"),
    ],
)
def test_what_others_could_not_read_is_refused(value: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        storable(value, "here")


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="here: a value nested more than 100 deep"):
        storable(loop, "here")
