"""FrameReader reads what the ``websockets`` library reads, and finds wrong what it finds wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from partyroom.errors import ProtocolError
from partyroom.gateways.reader import FrameReader, unmask
from tests.gateways.wire import BINARY, CLOSE, PING, TEXT, frame

MOST = 2_000


def ours(pieces: list[bytes], most: int = MOST) -> list[object]:
    """What FrameReader makes of bytes that come in pieces; the code last, if they are wrong."""
    frames = FrameReader(most)
    heard: list[object] = []
    try:
        for piece in pieces:
            for opcode, value in frames.feed(piece):
                heard.append((opcode, value))
                if opcode == CLOSE:
                    return heard
    except ProtocolError as error:
        heard.append(error.code)
    return heard


def theirs(data: bytes) -> Iterator[object]:
    """The same by the websockets library, which leaves it to others to decode text."""
    protocol = ServerProtocol(max_size=MOST, state=State.OPEN)
    protocol.receive_data(data)
    kind, whole = 0, b""
    for one in protocol.events_received():
        assert isinstance(one, Frame)
        payload = bytes(one.data)
        if one.opcode is Opcode.CLOSE:
            assert protocol.close_rcvd is not None
            yield CLOSE, (protocol.close_rcvd.code, protocol.close_rcvd.reason)
            return
        if one.opcode in (Opcode.PING, Opcode.PONG):
            yield int(one.opcode), payload
            continue
        kind, whole = int(one.opcode) or kind, whole + payload
        if one.fin:
            try:
                yield kind, (whole.decode() if kind == TEXT else whole)
            except UnicodeDecodeError:
                yield 1007
                return
            kind, whole = 0, b""
    if protocol.parser_exc is not None:
        assume("incomplete fragmented message" not in str(protocol.parser_exc))  # a close within one, which may be
        assert protocol.close_sent is not None
        yield int(protocol.close_sent.code)


def excused(heard: list[object]) -> list[object]:
    """A frame may be wrong in two ways at once, and either code is right then; the suite has one of each."""
    return ["wrong" if one in (1002, 1007, 1009) else one for one in heard]


def payloads(opcode: int) -> st.SearchStrategy[bytes]:
    if opcode == CLOSE:
        codes = st.sampled_from([1000, 1001, 1005, 1007, 1014, 1015, 2999, 3000, 4999, 5000, 999])
        reasons = st.text(max_size=10).map(str.encode) | st.binary(max_size=3)
        return st.builds(lambda code, reason: struct.pack("!H", code) + reason, codes, reasons) | st.binary(max_size=1)
    longest = 130 if opcode >= CLOSE else MOST + 100
    return st.text(max_size=40).map(str.encode) | st.integers(0, longest).map(lambda size: b"x" * size) | st.binary()


frames = st.sampled_from([0, TEXT, TEXT, BINARY, BINARY, PING, 0xA, CLOSE, 0x3, 0xB]).flatmap(
    lambda opcode: st.builds(
        lambda payload, fin, odd: frame(opcode, payload, fin=fin, rsv=odd == 1, masked=odd != 2),
        payloads(opcode),
        st.sampled_from([True, True, False]),
        st.integers(0, 30),
    )
)


@given(sent=st.lists(frames, max_size=8).map(b"".join), cuts=st.lists(st.integers(1, 50), max_size=40))
def test_reads_what_the_websockets_library_reads(sent: bytes, cuts: list[int]) -> None:
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(sent[at : at + cut])
        at += cut
    pieces.append(sent[at:])
    assert excused(ours(pieces)) == excused(list(theirs(sent)))


def test_a_frame_is_refused_as_soon_as_its_head_is_wrong() -> None:
    assert ours([b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"]) == [1009]
    assert ours([frame(BINARY, b"x" * 1500, fin=False), b"\x80\xfe\x02\x00"]) == [1009]
    assert ours([b"\x83\x80"]) == [1002]


def test_a_message_of_many_pieces_is_one() -> None:
    sent = random.Random(1).randbytes(5_000_000)
    data = frame(BINARY, sent[:3_000_000], fin=False) + frame(PING, b"p") + frame(0, sent[3_000_000:])
    pieces = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
    assert ours(pieces, 5_000_000) == [(PING, b"p"), (BINARY, sent)]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 125, 999, 1000, 1001, 1002, 1003, 1004, 70_000])
def test_unmasking_is_the_same_for_short_and_long_payloads(size: int) -> None:
    numbers = random.Random(size)
    key, payload = numbers.randbytes(4), numbers.randbytes(size)
    assert unmask(key, payload) == bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
