"""Asking: the texts in which clients ask and answer each other."""

from __future__ import annotations

import json

import pytest

from partyroom.errors import ProtocolError
from partyroom.protocols.asking import MOST_BYTES, Answer, Ask, parse


@pytest.mark.parametrize(
    "envelope",
    [
        Ask("1", "sum", [1, {"é": "😀"}]),
        Ask("1", "sum", None, "connection"),
        Answer("1", 3),
        Answer("1", None),
        Answer("1", error="why", asker="connection"),
    ],
)
def test_what_was_written_is_read(envelope: Ask | Answer) -> None:
    assert parse(envelope.text()) == envelope


def test_javascript_writes_the_same() -> None:
    assert Ask("1", "sum", [1, 2]).text() == '{"partyroom":"ask","id":"1","name":"sum","value":[1,2]}'
    assert parse('{"partyroom":"answer","id":"1","error":"no","more":1}') == Answer("1", error="no")


@pytest.mark.parametrize("text", ["", "hello", "[1]", '{"type":"say"}', '{"partyroom":1}', ' {"partyroom":"ask"}'])
def test_other_texts_are_none_of_it(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"partyroom":"ask"',
        '{"partyroom":"ask"}',
        '{"partyroom":"order","id":"1"}',
        '{"partyroom":"ask","id":1,"name":"sum"}',
        '{"partyroom":"ask","id":"1","name":"sum","from":5}',
        '{"partyroom":"ask","id":"1","name":"sum","value":NaN}',
        '{"partyroom":"ask","id":"1","name":"' + "n" * 257 + '"}',
        '{"partyroom":"answer","id":"' + "1" * 65 + '"}',
        '{"partyroom":"answer","id":"1","error":["no"]}',
        '{"partyroom":"ask","id":"1","name":"sum","value":' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps({"partyroom": "ask", "id": "1", "name": "sum", "value": "é" * MOST_BYTES}, separators=(",", ":")),
    ],
)
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse(text)


def test_half_of_a_character_is_passed_on_escaped() -> None:
    text = '{"partyroom":"ask","id":"1","name":"sum","value":"\\ud83d"}'
    ask = parse(text)
    assert isinstance(ask, Ask)
    assert ask.text() == text
