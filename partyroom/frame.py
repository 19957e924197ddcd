"""Frame: one outgoing WebSocket message, encoded at most once however many connections receive it."""

from __future__ import annotations

from struct import pack

__all__ = ["CLOSE", "PING", "PONG", "Frame", "control", "header"]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def header(opcode: int, length: int) -> bytes:
    """The header of an unfragmented, unmasked frame of ``length`` payload bytes (RFC 6455 section 5.2)."""
    if length < 126:
        return bytes((0x80 | opcode, length))
    if length < 65536:
        return pack("!BBH", 0x80 | opcode, 126, length)
    return pack("!BBQ", 0x80 | opcode, 127, length)


def control(opcode: int, payload: bytes = b"") -> bytes:
    """A whole control frame; ``payload`` is cut to the 125 bytes that RFC 6455 section 5.5 allows."""
    payload = payload[:125]
    return header(opcode, len(payload)) + payload


class Frame:
    """A text (``str``) or binary (``bytes``) message; ``wire`` is its WebSocket frame, made on first use and shared."""

    __slots__ = ("_wire", "data")

    data: str | bytes

    def __init__(self, data: str | bytes | bytearray | memoryview) -> None:
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)  # the caller may change it before the last client has read it
        elif not isinstance(data, (str, bytes)):
            raise TypeError(f"a message is str or bytes, not {type(data).__name__}: send_json() takes other values")
        self.data = data
        self._wire: bytes | None = None

    @property
    def wire(self) -> bytes:
        """The frame as it goes onto a server-side WebSocket: unfragmented, unmasked, uncompressed."""
        wire = self._wire
        if wire is None:
            data = self.data
            if isinstance(data, str):
                payload = data.encode()
                wire = header(TEXT, len(payload)) + payload
            else:
                wire = header(BINARY, len(data)) + data
            self._wire = wire
        return wire

    def __repr__(self) -> str:
        kind = "text" if isinstance(self.data, str) else "binary"
        return f"<Frame {kind} {len(self.data)}>"
