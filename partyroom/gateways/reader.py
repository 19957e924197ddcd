"""FrameReader: a client's bytes in, messages and control frames out, for a gateway whose framework parses no frames.

RFC 6455 section 5, the server's side, without extensions. It does no I/O and keeps at most one message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..errors import CloseCode, ProtocolError
from ..frame import BINARY, CLOSE, PING, PONG, TEXT

__all__ = ["FrameReader", "unmask"]

CONTINUATION = 0x0
FIN = 0x80
WHOLE = (FIN | TEXT, FIN | BINARY)
MOST_CONTROL = 125
BAD_DATA = 1007
SHORT = 1000
"""Bytes up to which it is quicker to unmask a payload as one large number."""
FLIPPED = [bytes(byte ^ key for byte in range(256)) for key in range(256)]


def unmask(key: bytes, payload: bytes) -> bytes:
    """The payload without its mask (RFC 6455 section 5.3)."""
    size = len(payload)
    if size <= SHORT:
        mask = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(size)
    plain = bytearray(payload)
    for lane in range(4):
        plain[lane::4] = plain[lane::4].translate(FLIPPED[key[lane]])
    return bytes(plain)


class FrameReader:
    """Takes bytes as they come and gives what they say.

    ``most`` is the size of the largest message in bytes. ``unmask`` may be somebody's faster one.
    """

    __slots__ = ("_kind", "_most", "_parts", "_rest", "_unmask")

    def __init__(self, most: int, unmask: Callable[[bytes, bytes], bytes] = unmask) -> None:
        self._most = most
        self._unmask = unmask
        self._rest = bytearray()
        self._kind = CONTINUATION
        """What the fragments so far are of; ``CONTINUATION`` if there are none."""
        self._parts = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, Any]]:
        """What has become complete, in order: an opcode, and a text, bytes, or a close frame's code and reason.

        Raises ``ProtocolError``, which says with what code to close, after all that came before. To be exhausted, or
        else not fed again.
        """
        rest = self._rest
        if rest:
            rest += data
        source = rest or data
        at, size = 0, len(source)
        while size - at >= 2:
            first, second = source[at], source[at + 1]
            length, start = second & 0x7F, at + 6
            if length >= 126:
                extended = 2 if length == 126 else 8
                start += extended
                if size < start - 4:
                    break
                length = int.from_bytes(source[at + 2 : at + 2 + extended])
            if first not in WHOLE or self._kind or second < 0x80 or length > self._most:
                self._check(first, second, length)
            end = start + length
            if size < end:
                break
            payload = self._unmask(bytes(source[start - 4 : start]), bytes(source[start:end]))
            at = end
            opcode = first & 0xF
            if opcode >= CLOSE:
                yield opcode, (_goodbye(payload) if opcode == CLOSE else payload)
            elif first & FIN and opcode:
                yield opcode, (_text(payload) if opcode == TEXT else payload)
            else:
                self._parts += payload
                self._kind = self._kind or opcode
                if first & FIN:
                    kind, whole = self._kind, bytes(self._parts)
                    self._kind, self._parts = CONTINUATION, bytearray()
                    yield kind, (_text(whole) if kind == TEXT else whole)
        if source is rest:
            del rest[:at]
        else:
            rest += source[at:]

    def _check(self, first: int, second: int, length: int) -> None:
        """Raise ``ProtocolError`` for a frame that may not come now, or not at all."""
        opcode = first & 0xF
        if first & 0x70:
            _broken("a reserved bit is set")
        if second < 0x80:
            _broken("a frame is not masked")
        if opcode >= CLOSE:
            if opcode not in (CLOSE, PING, PONG):
                _broken(f"unknown opcode {opcode}")
            if not first & FIN or length > MOST_CONTROL:
                _broken("a control frame is fragmented or too long")
            return
        if opcode not in (CONTINUATION, TEXT, BINARY):
            _broken(f"unknown opcode {opcode}")
        if len(self._parts) + length > self._most:
            raise ProtocolError(f"a message has at most {self._most} bytes here", CloseCode.TOO_LARGE)
        if bool(opcode) == bool(self._kind):
            _broken("a message begins within another" if opcode else "a fragment of nothing")


def _goodbye(payload: bytes) -> tuple[int, str]:
    """The code and the reason of a close frame (RFC 6455 section 7.4)."""
    if not payload:
        return CloseCode.NO_STATUS, ""
    code = int.from_bytes(payload[:2])
    if not (3000 <= code <= 4999 or 1000 <= code <= 1014) or code in (1004, CloseCode.NO_STATUS, CloseCode.ABNORMAL):
        _broken("a close frame has no code that may be sent")
    return code, _text(payload[2:])


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ProtocolError("text is not UTF-8", BAD_DATA) from None


def _broken(what: str) -> NoReturn:
    raise ProtocolError(what)
