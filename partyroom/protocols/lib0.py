"""lib0: the byte encoding under every Yjs message.

Numbers are little-endian groups of seven bits, and texts and byte strings carry their length in front. The format is
that of ``lib0/encoding.js`` and ``lib0/decoding.js`` (npm package ``lib0``), which hold at most 53 bits in a number.

Reading never trusts the bytes: whatever is cut short, oversized, not UTF-8 or nested too deeply raises
``ProtocolError``. Writing trusts its caller: a value that lib0 cannot hold is a ``TypeError`` or a ``ValueError``.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Any, Final

from ..errors import ProtocolError

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "UNDEFINED",
    "BigInt",
    "Decoder",
    "Encoder",
    "Undefined",
    "read_varuint",
    "varuint",
]

MAX_INTEGER: Final = 2**53 - 1
"""The largest whole number lib0 can hold: JavaScript's ``Number.MAX_SAFE_INTEGER``."""

MAX_DEPTH: Final = 120
"""How deeply arrays and objects may nest. Readers recurse, in Rust without a bound; its JSON reader stops at 127."""

_BITS31 = 2**31 - 1
_FLOAT32 = Struct(">f")
_FLOAT64 = Struct(">d")
_INT64 = Struct(">q")
_SMALL = [bytes((n,)) for n in range(128)]


class Undefined:
    """JavaScript's ``undefined``, which JSON has not; there is one instance, ``UNDEFINED``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()


class BigInt(int):
    """A JavaScript ``BigInt`` of at most 64 bits: another type than a number there, however small it is."""

    __slots__ = ()


def varuint(number: int) -> bytes:
    """``number`` (0 to 2^53 - 1) in seven-bit groups, the lowest first."""
    if 0 <= number < 128:
        return _SMALL[number]
    if not 0 <= number <= MAX_INTEGER:
        raise ValueError(f"{number} is not a whole number from 0 to 2^53 - 1")
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varuint(data: bytes, at: int) -> tuple[int, int]:
    """The number that starts at ``data[at]``, and where the next thing starts."""
    try:
        byte = data[at]
        if byte < 128:
            return byte, at + 1
        start, number, shift = at, byte & 127, 7
        while True:
            at += 1
            byte = data[at]
            number |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 49:
                raise ProtocolError(f"a number of more than 53 bits at byte {start}")
    except IndexError:
        raise ProtocolError(f"the message ends inside a number at byte {at}") from None
    if number > MAX_INTEGER:
        raise ProtocolError(f"a number of more than 53 bits at byte {start}")
    return number, at + 1


class Decoder:
    """Reads values one after the other from ``data``; ``at`` is where the next one starts."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    @property
    def left(self) -> int:
        """How many bytes have not been read yet."""
        return len(self.data) - self.at

    def byte(self) -> int:
        """The next byte."""
        try:
            value = self.data[self.at]
        except IndexError:
            raise ProtocolError(f"the message ends at byte {self.at}, where more was to come") from None
        self.at += 1
        return value

    def varuint(self) -> int:
        """A whole number from 0 to 2^53 - 1."""
        number, self.at = read_varuint(self.data, self.at)
        return number

    def varint(self) -> int:
        """A whole number from -(2^53 - 1) to 2^53 - 1; JavaScript's ``-0`` reads as 0."""
        return self._signed()[0]

    def _signed(self) -> tuple[int, bool]:
        """The magnitude with its sign, and the sign alone, which ``-0`` has too."""
        start = self.at
        byte = self.byte()
        negative = byte & 64 != 0
        number, shift = byte & 63, 6
        while byte > 127:
            if shift > 48:
                raise ProtocolError(f"a number of more than 53 bits at byte {start}")
            byte = self.byte()
            number |= (byte & 127) << shift
            shift += 7
        if number > MAX_INTEGER:
            raise ProtocolError(f"a number of more than 53 bits at byte {start}")
        return (-number if negative else number), negative

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        start, end = self.at, self.at + length
        if end > len(self.data):
            raise ProtocolError(f"{length} bytes announced at byte {start}, but {len(self.data) - start} are left")
        self.at = end
        return self.data[start:end]

    def buffer(self) -> bytes:
        """A byte string with its length in front."""
        return self.take(self.varuint())

    def string(self) -> str:
        """A UTF-8 text with its length in bytes in front."""
        start = self.at
        try:
            return str(self.buffer(), "utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a text that is not UTF-8 at byte {start}: {error.reason}") from None

    def rest(self) -> bytes:
        """Everything that has not been read yet."""
        return self.take(self.left)

    def any(self, depth: int = MAX_DEPTH) -> Any:
        """A value with its type in front: JSON's, ``bytes``, ``UNDEFINED``, or an ``int`` of up to 64 bits."""
        start = self.at
        kind = self.byte()
        try:
            return self._any(kind, depth)
        except StructError:
            raise ProtocolError(f"the message ends inside a number at byte {start}") from None

    def _any(self, kind: int, depth: int) -> Any:
        match kind:
            case 127:
                return UNDEFINED
            case 126:
                return None
            case 125:
                number, negative = self._signed()
                return -0.0 if negative and number == 0 else number
            case 124:
                return _FLOAT32.unpack(self.take(4))[0]
            case 123:
                return _FLOAT64.unpack(self.take(8))[0]
            case 122:
                return BigInt(_INT64.unpack(self.take(8))[0])
            case 121 | 120:
                return kind == 120
            case 119:
                return self.string()
            case 118 | 117 if depth == 0:
                raise ProtocolError(f"values nested too deeply at byte {self.at}")
            case 118:
                return {self.string(): self.any(depth - 1) for _ in range(self._count(2))}
            case 117:
                return [self.any(depth - 1) for _ in range(self._count(1))]
            case 116:
                return self.buffer()
        raise ProtocolError(f"no type of value has the number {kind} (at byte {self.at - 1})")

    def _count(self, size: int) -> int:
        """A number of entries that take at least ``size`` bytes each, so that no lie makes us reserve memory."""
        count = self.varuint()
        if count * size > self.left:
            raise ProtocolError(f"{count} entries announced at byte {self.at}, but {self.left} bytes are left")
        return count


class Encoder:
    """Writes values one after the other; ``bytes(encoder)`` is what has been written."""

    __slots__ = ("data",)

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def varuint(self, number: int) -> Encoder:
        """A whole number from 0 to 2^53 - 1."""
        self.data += varuint(number)
        return self

    def varint(self, number: int, *, negative: bool | None = None) -> Encoder:
        """A whole number from -(2^53 - 1) to 2^53 - 1; ``negative`` tells ``-0`` from ``0``."""
        if negative is None:
            negative = number < 0
        number = abs(number)
        if number > MAX_INTEGER:
            raise ValueError(f"{number} has more than 53 bits")
        self.data.append((128 if number > 63 else 0) | (64 if negative else 0) | number & 63)
        number >>= 6
        while number:
            self.data.append((128 if number > 127 else 0) | number & 127)
            number >>= 7
        return self

    def buffer(self, value: bytes | bytearray | memoryview) -> Encoder:
        """A byte string with its length in front."""
        self.data += varuint(len(value))
        self.data += value
        return self

    def string(self, value: str) -> Encoder:
        """A text in UTF-8 with its length in front; half a surrogate pair becomes U+FFFD, as in JavaScript."""
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            encoded = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        return self.buffer(encoded)

    def any(self, value: Any) -> Encoder:
        """A value with its type in front, in the form that lib0's ``writeAny`` chooses."""
        match value:
            case None:
                self.data.append(126)
            case Undefined():
                self.data.append(127)
            case bool():
                self.data.append(120 if value else 121)
            case BigInt():
                self._big(value)
            case int() | float():
                self._number(value)
            case str():
                self.data.append(119)
                self.string(value)
            case bytes() | bytearray() | memoryview():
                self.data.append(116)
                self.buffer(value)
            case list() | tuple():
                self.data.append(117)
                self.varuint(len(value))
                for item in value:
                    self.any(item)
            case dict():
                self._object(value)
            case _:
                raise TypeError(f"lib0 has no form for {type(value).__name__}")
        return self

    def _object(self, value: dict[Any, Any]) -> None:
        self.data.append(118)
        self.varuint(len(value))
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key of an object is a str, not {type(key).__name__}")
            self.string(key)
            self.any(item)

    def _number(self, value: float) -> None:
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            self._big(value)
        elif value == value and abs(value) <= _BITS31 and value == int(value):
            self.data.append(125)
            self.varint(int(value), negative=str(value)[0] == "-")
        else:
            self._float(float(value))

    def _big(self, value: int) -> None:
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} has more than 64 bits")
        self.data.append(122)
        self.data += _INT64.pack(value)

    def _float(self, value: float) -> None:
        try:
            short = _FLOAT32.pack(value)
        except OverflowError:
            short = b""
        if short and _FLOAT32.unpack(short)[0] == value:
            self.data.append(124)
            self.data += short
        else:
            self.data.append(123)
            self.data += _FLOAT64.pack(value)
