"""The guard: it lets through what honest clients write, and refuses what brings the engine down."""

from __future__ import annotations

import json
from dataclasses import asdict
from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from partyroom.errors import CloseCode, ProtocolError
from partyroom.protocols import guard, payload
from partyroom.protocols.guard import MAX_CLOCK, check, state_vector
from partyroom.protocols.lib0 import MAX_DEPTH, Encoder, varuint
from tests.unit.protocols.engine import outcomes
from tests.unit.protocols.mutants import honest, mutants

HONEST = honest()
ROOT = b"\x01\x01a"
"""How a struct names the root type "a" as its parent."""


def update(*structs: bytes, client: int = 7, clock: int = 0, count: int | None = None, deletes: bytes = b"\0") -> bytes:
    """An update with one client's structs."""
    head = Encoder().varuint(1).varuint(len(structs) if count is None else count).varuint(client).varuint(clock)
    return bytes(head) + b"".join(structs) + deletes


def text(content: str = "x", *, info: int = 4, between: bytes = ROOT) -> bytes:
    return bytes((info,)) + between + bytes(Encoder().string(content))


def of(client: int, clock: int) -> bytes:
    return varuint(client) + varuint(clock)


def embed(value: bytes) -> bytes:
    return b"\x05" + ROOT + bytes(Encoder().buffer(value))


def values(encoded: bytes, count: int = 1) -> bytes:
    return b"\x08" + ROOT + varuint(count) + encoded


# honest ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", HONEST)
def test_what_yjs_writes_passes(scene: str) -> None:
    for data in HONEST[scene]:
        assert check(data).structs >= 0


def test_what_the_engine_writes_passes() -> None:
    doc: Doc[Any] = Doc()
    seen: list[bytes] = []
    subscription = doc.observe(lambda event: seen.append(event.update))
    body = doc.get("t", type=Text)
    body.insert(0, "wörld 👋🏽", {"bold": True, "link": {"href": "x"}})
    body.insert_embed(2, {"image": [1, 2.5, None]})
    body.format(0, 3, {"bold": None})
    numbers = doc.get("a", type=Array)
    numbers.extend([1, -0.5, True, None, "x", b"bytes", [1, [2]], {"k": {"l": []}}, Map({"n": Array([1])}), Text("in")])
    del numbers[1:3]
    fragment = doc.get("x", type=XmlFragment)
    element = fragment.children.append(XmlElement("p", {"class": "c"}))
    element.children.append(XmlText("text"))
    doc.get("m", type=Map)["sub"] = Doc()
    doc.unobserve(subscription)
    for data in [*seen, doc.get_update()]:
        assert check(data).structs >= 0
    assert state_vector(doc.get_state()) == {doc.client_id: check(doc.get_update()).clients[doc.client_id][1]}


def test_the_summary_says_what_is_in_the_update() -> None:
    first, *_, last = HONEST["typing"]
    assert asdict(check(first)) == {
        "structs": 1,
        "values": 0,
        "clients": {7: (0, 1)},
        "needs": {},
        "deletes": {},
        "gaps": False,
        "astral": [],
        "marks": [],
        "parents": [],
        "sections": [(7, 0, 1, 4)],
        "deletions_at": len(first) - 1,
    }
    assert check(last).clients == {}
    assert check(last).deletes == {7: 5}
    assert check(last).marks == [(7, 2), (7, 5)]


def test_the_summary_says_what_an_update_builds_on() -> None:
    summary = check(update(text(info=0xC4, between=of(8, 5) + of(9, 2)), text(info=4, between=b"\0" + of(8, 9))))
    assert summary.needs == {8: 10, 9: 3}
    assert summary.marks == [(8, 6), (9, 2)]
    assert summary.parents == [(8, 9)]
    assert summary.clients == {7: (0, 2)}


def test_clocks_count_utf16_units() -> None:
    summary = check(update(text("a😀é"), text("b", info=0x84, between=of(7, 3))))
    assert summary.clients == {7: (0, 5)}
    assert [(pair.client, pair.clock) for pair in summary.astral] == [(7, 0)]


def test_gaps_are_told_from_structs() -> None:
    assert check(update(b"\x0a\x05", text())).clients == {7: (5, 6)}
    summary = check(HONEST["merged with gaps (Skip structs)"][0])
    assert summary.gaps
    assert summary.clients[1000][0] == 0


@pytest.mark.parametrize(
    "struct",
    [
        text(""),  # written by old versions; the engine drops it
        b"\x01" + ROOT + varuint(3),
        b"\x00\x05",
        b"\x03" + ROOT + b"\x02ab",
        b"\x06" + ROOT + b"\x04bold\x04true",
        b"\x06" + ROOT + b"\x00\x04null",
        embed(b'{"a":[1,2.5e3,"\\u00fc",{}]}'),
        b"\x07" + ROOT + b"\x03\x01p",
        b"\x09" + ROOT + b"\x01g\x76\x01\x02gc\x79",
        values(b"\x7e"),
        values(b"\x7f\x78\x7d\xff\xff\xff\xff\xff\xff\xff\x3f\x77\x01x", 4),
        b"\x28" + ROOT + b"\x03key\x01\x7e",
    ],
)
def test_every_content_that_the_engine_reads_passes(struct: bytes) -> None:
    data = update(struct, text())
    check(data)
    Doc[Any]().apply_update(data)


# refused -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "nothing at all": b"",
    "no delete set": b"\x00",
    "a number without an end": b"\x80",
    "bytes after the end": b"\x00\x00\x00",
    "more clients than bytes": b"\xff\xff\xff\xff\x0f\x00",
    "more structs than bytes": update(text(), count=2**31),
    "a client without structs": update(count=0),
    "a client with nothing but an empty text (the engine panics where it knows the client)": update(text("")),
    "a client with nothing but a gap": update(b"\x0a\x05"),
    "one client twice": b"\x02" + update(text())[1:-1] + update(text(), clock=1)[1:],
    "garbage of length 0 (the engine divides by it)": update(b"\x00\x00", text()),
    "a gap of length 0 (the engine panics where it knows the client)": update(b"\x0a\x00", text()),
    "a clock over 31 bits": update(text(), clock=MAX_CLOCK),
    "a clock that wraps around": update(b"\x00" + varuint(2**32 - 1), b"\x00\x02"),
    "a gap that wraps around": update(b"\x0a" + varuint(2**32 - 1), text()),
    "deleted content that wraps around": update(b"\x01" + ROOT + varuint(2**32 - 1), text()),
    "a client id over 53 bits": update(text())[:2] + b"\xff" * 8 + b"\x01" + update(text())[3:],
    "an unknown content": update(b"\x0c" + ROOT),
    "content with the unused fifth bit": update(text(info=0x14)),
    "garbage that has a neighbour": update(b"\x80" + of(7, 0) + b"\x01"),
    "a gap that has a key": update(b"\x2a\x01", text()),
    "JSON content of Yjs 12 (the engine reads one text too many)": update(b"\x02" + ROOT + b"\x01\x011"),
    "a move (not in Yjs)": update(text("xyz"), b"\x0b" + ROOT + b"\x02" + of(7, 0) + of(7, 1)),
    "a parent that is neither named nor an id": update(b"\x04\x02" + of(7, 0) + b"\x01x"),
    "a struct left of itself": update(text(info=0x84, between=of(7, 0))),
    "a struct right of a later one": update(text(info=0x44, between=of(7, 5))),
    "a struct inside itself": update(text(between=b"\0" + of(7, 0))),
    "a text longer than the update": update(b"\x04" + ROOT + b"\x7fx"),
    "a text over 32 bits": update(b"\x04" + ROOT + varuint(2**32 + 1) + b"x"),
    "a text that is not UTF-8": update(b"\x04" + ROOT + b"\x02\xc3\x28"),
    "a text with half a surrogate pair": update(b"\x04" + ROOT + b"\x03\xed\xa0\x80"),
    "a root name that is not UTF-8": update(b"\x04\x01\x01\xff\x01x"),
    "a key that is not UTF-8": update(b"\x24" + ROOT + b"\x01\xff\x01x"),
    "an element name that is not UTF-8": update(b"\x07" + ROOT + b"\x03\x01\xff"),
    "a shared type without a number": update(b"\x07" + ROOT + b"\x08"),
    "an XML hook (the engine does not read its name)": update(b"\x07" + ROOT + b"\x05\x01h"),
    "a weak link (not in Yjs)": update(b"\x07" + ROOT + b"\x07\x00" + of(7, 0)),
    "a subdocument as a type": update(b"\x07" + ROOT + b"\x09"),
    "an undefined type": update(b"\x07" + ROOT + b"\x0f"),
    "bytes longer than the update": update(b"\x03" + ROOT + b"\x7fx"),
    "more values than bytes": update(values(b"\x7e", 2**31)),
    "a value without a type": update(values(b"\x00")),
    "a value cut short": update(b"\x08" + ROOT + b"\x01\x7b\x00\x00\x00", deletes=b""),
    "an array longer than the update": update(values(b"\x75\xff\xff\xff\xff\x0f")),
    "an object longer than the update": update(values(b"\x76\xff\xff\xff\xff\x0f")),
    "a key of an object that is not UTF-8": update(values(b"\x76\x01\x01\xff\x7e")),
    "a number over 53 bits": update(values(b"\x7d" + b"\xff" * 7 + b"\x40")),
    "values nested without end (the engine's stack)": update(values(b"\x75\x01" * 100_000 + b"\x7e")),
    "objects nested too deeply": update(values(b"\x76\x01\x00" * (MAX_DEPTH + 1) + b"\x7e")),
    "options nested without end": update(b"\x09" + ROOT + b"\x01g" + b"\x75\x01" * 100_000 + b"\x7e"),
    "JSON nested without end": update(embed(b"[" * 100_000 + b"]" * 100_000)),
    "JSON nested too deeply": update(embed(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))),
    "no JSON": update(embed(b"nonsense")),
    "JSON cut short": update(embed(b'{"a":')),
    "JSON that JavaScript has not": update(embed(b'{"a":NaN}')),
    "JSON that is not UTF-8": update(embed(b'"\xff"')),
    "more deletions than bytes": update(text(), deletes=b"\x01\x07\xff\xff\xff\xff\x0f"),
    "deletions that wrap around": update(text(), deletes=b"\x01\x07\x01\x01" + varuint(2**32 - 1)),
    "deletions of one client twice": update(text(), deletes=b"\x02\x07\x01\x00\x01\x07\x01\x00\x01"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_engine_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"cannot be applied|ends inside|53 bits") as caught:
        check(REFUSED[name])
    assert caught.value.code == CloseCode.POLICY_VIOLATION


def test_values_may_nest_as_deeply_as_the_bound() -> None:
    data = update(
        values(b"\x75\x01" * MAX_DEPTH + b"\x7e"),
        embed(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
        embed(json.dumps([[]] * 1000).encode()),
        values(b"\x75\x01\x76\x00" * 200, 200),
    )
    check(data)
    Doc[Any]().apply_update(data)


def test_an_update_may_hold_only_so_many_structs() -> None:
    data = update(*[text("x", info=0x84, between=of(8, 0))] * 20)
    check(data, max_structs=20)
    with pytest.raises(ProtocolError):
        check(data, max_structs=19)


def test_every_honest_update_that_is_cut_short_is_refused() -> None:
    for updates in HONEST.values():
        for data in updates[:5]:
            for end in range(len(data)):
                with pytest.raises(ProtocolError):
                    check(data[:end])


def test_arbitrary_bytes_are_accepted_or_refused() -> None:
    random = Random(11)
    for _ in range(5_000):
        data = random.randbytes(random.randrange(40))
        try:
            assert check(data).structs >= 0
        except ProtocolError as error:
            assert error.code == CloseCode.POLICY_VIOLATION  # noqa: PT017 - most are refused, some are not


@pytest.mark.slow
def test_damaged_and_senseless_updates_do_not_bring_the_engine_down() -> None:
    """A sample; tests/prove/test_guard_fuzz.py is the long one."""
    played = outcomes([*before, data] for before, data in mutants(2024, 2_000))
    assert len(played) == 2_000
    assert {outcome.split(":")[0] for outcome in played} <= {"ok", "refused", "broken"}
    assert sum(outcome == "ok" for outcome in played) > 500


# state vectors -----------------------------------------------------------------------------------------------------


def test_a_state_vector_is_read() -> None:
    assert state_vector(b"\x00") == {}
    assert state_vector(bytes(Encoder().varuint(2).varuint(7).varuint(300).varuint(2**53 - 1).varuint(0))) == {
        7: 300,
        2**53 - 1: 0,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01\x07",
        b"\xff\xff\xff\xff\x0f",
        b"\x00\x00",
        b"\x02\x07\x01\x07\x02",
        b"\x01\x07" + varuint(2**31),
        b"\x01\x07" + b"\xff" * 9 + b"\x01",
    ],
)
def test_a_malformed_state_vector_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        state_vector(data)


# how much -----------------------------------------------------------------------------------------------------------


def test_deletions_count_like_structs() -> None:
    ranges = varuint(1) + varuint(7) + varuint(3) + b"\0\1" + b"\2\1" + b"\4\1"
    assert check(update(text(), deletes=ranges), max_structs=4).deletes == {7: 5}
    with pytest.raises(ProtocolError, match="3 deletions of client 7"):
        check(update(text(), deletes=ranges), max_structs=3)


@pytest.mark.parametrize(
    "data",
    [
        update(values(b"\x7e" * 11, 11)),
        update(values(b"\x7e" * 6, 6), values(b"\x7e" * 5, 5)),
        update(values(b"\x75\x0b" + b"\x7e" * 11)),
        update(values(b"\x75\x04" + b"\x7e" * 4 + b"\x76\x07" + b"\x01k\x7e" * 7, 2)),
        update(embed(b"[" + b",".join([b"0"] * 12) + b"]")),
        update(b"\x09" + ROOT + b"\x01a" + b"\x75\x0b" + b"\x7e" * 11),
    ],
)
def test_values_are_bounded_however_they_are_packed(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(data).structs >= 1
    for module in (guard, payload):
        monkeypatch.setattr(module, "MAX_VALUES", 10)
    with pytest.raises(ProtocolError, match="more than 10 values"):
        check(data)
