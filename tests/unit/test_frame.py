"""Frames are what another WebSocket implementation reads back as the same messages."""

from __future__ import annotations

import struct

import pytest
import websockets.frames
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from partyroom.frame import CLOSE, PING, Frame, control


def parsed(wire: bytes) -> list[tuple[Opcode, bytes, bool]]:
    """What the ``websockets`` library's client reads from ``wire``: it refuses masks and bad lengths itself."""
    client = Protocol(CLIENT, max_size=None)
    client.receive_data(wire)
    assert client.parser_exc is None
    found = client.events_received()
    return [(one.opcode, bytes(one.data), one.fin) for one in found if isinstance(one, websockets.frames.Frame)]


class TestFrame:
    @pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
    def test_every_length_of_bytes_is_read_back_by_websockets(self, length: int) -> None:
        assert parsed(Frame(b"x" * length).wire) == [(Opcode.BINARY, b"x" * length, True)]

    @pytest.mark.parametrize("text", ["", "hé", "\0", "☃" * 50_000, "𐐷", "é" * 63])
    def test_text_is_utf_8_and_its_length_is_in_bytes(self, text: str) -> None:
        assert parsed(Frame(text).wire) == [(Opcode.TEXT, text.encode(), True)]

    def test_is_encoded_once(self) -> None:
        frame = Frame("hello")
        assert frame.wire is frame.wire

    def test_half_a_surrogate_pair_is_replaced_as_a_browser_does(self) -> None:
        """WebSocket.send() takes a USVString: what is no text becomes U+FFFD, and the connection lives."""
        assert parsed(Frame("a\ud800b").wire) == [(Opcode.TEXT, "a\ufffdb".encode(), True)]

    def test_a_buffer_is_copied_when_it_is_sent(self) -> None:
        buffer = bytearray(b"before")
        frame = Frame(buffer)
        buffer[:] = b"after!"
        assert parsed(frame.wire) == [(Opcode.BINARY, b"before", True)]

    def test_a_memoryview_is_bytes(self) -> None:
        assert parsed(Frame(memoryview(b"abc")[1:]).wire) == [(Opcode.BINARY, b"bc", True)]

    @pytest.mark.parametrize("value", [None, 1, {"a": 1}, ["x"]])
    def test_other_values_are_refused_with_a_hint(self, value: object) -> None:
        with pytest.raises(TypeError, match="send_json"):
            Frame(value)  # type: ignore[arg-type]

    def test_joined_frames_are_their_messages_in_order(self) -> None:
        frame = Frame.joined([Frame("a"), Frame(b"b"), Frame.joined([Frame("c"), Frame("d")])])
        assert frame.messages == ("a", b"b", "c", "d")
        assert [data for _, data, _ in parsed(frame.wire)] == [b"a", b"b", b"c", b"d"]

    def test_one_frame_joined_is_itself(self) -> None:
        frame = Frame("a")
        assert Frame.joined([frame]) is frame


class TestControl:
    def test_a_close_frame_carries_code_and_reason(self) -> None:
        wire = control(CLOSE, struct.pack("!H", 4001) + b"bye")
        assert parsed(wire) == [(Opcode.CLOSE, b"\x0f\xa1bye", True)]

    def test_a_payload_is_cut_to_what_a_control_frame_may_carry(self) -> None:
        assert parsed(control(PING, b"x" * 200)) == [(Opcode.PING, b"x" * 125, True)]
