"""Frame: what goes out to a WebSocket, encoded once however many connections receive it."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Final

__all__ = ["CLOSE", "PING", "PONG", "Frame", "control", "header", "sayable"]

TEXT, BINARY, CLOSE, PING, PONG = OPCODES = 0x1, 0x2, 0x8, 0x9, 0xA

SHORT: Final = {opcode: [bytes((0x80 | opcode, length)) for length in range(126)] for opcode in OPCODES}
"""The headers of payloads under 126 bytes, by opcode and length."""


def header(opcode: int, length: int) -> bytes:
    """The header of an unfragmented, unmasked frame of ``length`` payload bytes (RFC 6455 section 5.2)."""
    if length < 126:
        return SHORT[opcode][length]
    if length < 65536:
        return pack("!BBH", 0x80 | opcode, 126, length)
    return pack("!BBQ", 0x80 | opcode, 127, length)


def control(opcode: int, payload: bytes = b"") -> bytes:
    """A whole control frame; ``payload`` is cut to the 125 bytes that RFC 6455 section 5.5 allows."""
    payload = payload[:125]
    return header(opcode, len(payload)) + payload


def sayable(text: str) -> str:
    """The text with U+FFFD for half a surrogate pair, as a browser's WebSocket.send() makes of it."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Frame:
    """One message, or several in a row, shared by all who receive it."""

    __slots__ = ("messages", "wire")

    messages: tuple[str | bytes, ...]
    """The messages, each text (``str``) or binary (``bytes``)."""
    wire: bytes
    """The frames as they go onto a server-side WebSocket: unfragmented, unmasked, uncompressed."""

    def __init__(self, message: str | bytes | bytearray | memoryview) -> None:
        if isinstance(message, str):
            try:
                payload = message.encode()
            except UnicodeEncodeError:
                payload = sayable(message).encode()
            self.wire = header(TEXT, len(payload)) + payload
        elif isinstance(message, (bytes, bytearray, memoryview)):
            message = bytes(message)  # the caller may change it before the last client has read it
            self.wire = header(BINARY, len(message)) + message
        else:
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}: send_json() takes other values")
        self.messages = (message,)

    @classmethod
    def joined(cls, frames: Sequence[Frame]) -> Frame:
        """The messages of several frames as one, for whoever gets them all at once."""
        if len(frames) == 1:
            return frames[0]
        made = cls.__new__(cls)
        made.messages = tuple(message for frame in frames for message in frame.messages)
        made.wire = b"".join([frame.wire for frame in frames])
        return made

    def __repr__(self) -> str:
        return f"<Frame {len(self.messages)} messages>"
