"""Writing: what is written is read again, by us and by the engine."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc

from partyroom.protocols.guard import check
from partyroom.protocols.structs import (
    ANY,
    BINARY,
    COLLECTED,
    DOCUMENT,
    EMBED,
    FORMAT,
    STRING,
    TYPE,
    FormatContent,
    Struct,
    Subdocument,
    TypeContent,
    read_structs,
)
from partyroom.protocols.writing import write_struct, write_update

STRUCTS = [
    Struct(0, 3, STRING, parent="a", content="a😀"),
    Struct(3, 2, ANY, parent="list", content=[1, {"b": b"c"}]),
    Struct(5, 1, BINARY, (7, 4), content=b"\x00\xff"),
    Struct(6, 1, TYPE, (7, 3), (7, 4), content=TypeContent(3, "p")),
    Struct(7, 1, TYPE, parent=(7, 6), key="id", content=TypeContent(0, "")),
    Struct(8, 1, EMBED, (7, 0), (7, 1), content={"image": [None, 2.5]}),
    Struct(9, 1, FORMAT, None, (7, 0), content=FormatContent("bold", True, 10)),
    Struct(10, 1, DOCUMENT, parent="m", key="sub", content=Subdocument("guid", {"meta": 1})),
]


def test_what_is_written_is_read_again() -> None:
    update = write_update(7, 0, [write_struct(one) for one in STRUCTS], {7: [(1, 3)], 9: [(0, 4)]})
    check(update)
    assert read_structs(update) == ({7: STRUCTS}, {7: [(1, 3)], 9: [(0, 4)]})
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    assert check(doc.get_update()).clients == {7: (0, 11)}


def test_an_update_that_only_deletes_has_no_client() -> None:
    assert write_update(7, 3, [], {9: [(0, 4)]}) == b"\x00\x01\x09\x01\x00\x04"


def test_what_json_cannot_say_is_null() -> None:
    update = write_update(7, 0, [write_struct(Struct(0, 1, EMBED, parent="a", content=[float("inf")]))], {})
    check(update)
    assert read_structs(update)[0][7][0].content == [None]


def test_what_is_no_item_is_not_written() -> None:
    with pytest.raises(ValueError, match="no item of kind 0"):
        write_struct(Struct(0, 1, COLLECTED))
