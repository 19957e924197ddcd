"""The text messages of PartyKit's document clients: y-partykit's chunked uploads and y-partyserver's own words.

y-partykit's provider splits a message of more than 1,000,000 bytes. A text marker goes before the chunks and the same
marker, of type ``end``, after them (``y-partykit/dist/provider.js``, ``sendChunked``)::

    y-pk-batch#{"id":"...","type":"start","size":2500000,"count":3}

It sends them in one go, so nothing comes between the chunks of one batch.

y-partyserver's provider sends the application's messages as text with ``__YPS:`` in front, and so does its server.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from ..errors import CloseCode, ProtocolError
from ..limits import MIB

__all__ = ["Reassembler", "custom", "parse_custom"]

_MARKER: Final = "y-pk-batch"
_MARKER_SIZE: Final = 1024
_CHUNK: Final = 1_000_000
_CUSTOM: Final = "__YPS:"


class _Batch(NamedTuple):
    id: str
    size: int
    chunks: int


class Reassembler:
    """Puts one connection's chunked messages together; holds at most ``limit`` bytes."""

    __slots__ = ("_batch", "_chunks", "_limit", "_size")

    def __init__(self, limit: int = 32 * MIB) -> None:
        self._limit = limit
        self._batch: _Batch | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    @staticmethod
    def is_marker(message: str) -> bool:
        """Whether a text message is a batch marker, for ``marker``."""
        return message.startswith(_MARKER)

    @property
    def open(self) -> bool:
        """Whether a batch has started and not ended."""
        return self._batch is not None

    def chunk(self, data: bytes) -> bytes | None:
        """Takes a binary message: it comes back at once, or ``None`` when it is a part of the batch under way.

        Raises ``ProtocolError`` for an empty chunk and for more chunks or bytes than the start announced.
        """
        batch = self._batch
        if batch is None:
            return data
        self._chunks.append(data)
        self._size += len(data)
        if not data or self._size > batch.size or len(self._chunks) > batch.chunks:
            raise self._broken(f"batch {batch.id!r} is larger than the {batch.size} bytes it announced")
        return None

    def marker(self, message: str) -> bytes | None:
        """Takes a text marker: ``None`` at a start, the whole message at an end.

        Raises ``ProtocolError`` for a malformed or unexpected marker, for a batch over the limit (close code 1009),
        and for an end that does not match the start or what came between.
        """
        kind, batch = _parse_marker(message)
        if kind == "start":
            self._start(batch)
            return None
        if batch != self._batch or self._size != batch.size or len(self._chunks) != batch.chunks:
            raise self._broken(f"the end of batch {batch.id!r} does not match what came before it")
        whole = b"".join(self._chunks)
        self._reset(None)
        return whole

    def _start(self, batch: _Batch) -> None:
        if self._batch is not None:
            raise self._broken(f"batch {batch.id!r} starts inside batch {self._batch.id!r}")
        if batch.size > self._limit:
            reason = f"a batch of {batch.size} bytes is over the limit of {self._limit}"
            raise ProtocolError(reason, CloseCode.TOO_LARGE)
        if not 0 < batch.chunks <= batch.size // _CHUNK + 1:
            raise ProtocolError(f"a batch of {batch.size} bytes in {batch.chunks} chunks")
        self._reset(batch)

    def _reset(self, batch: _Batch | None) -> None:
        self._batch = batch
        self._chunks = []
        self._size = 0

    def _broken(self, reason: str) -> ProtocolError:
        self._reset(None)
        return ProtocolError(reason)


def _parse_marker(message: str) -> tuple[str, _Batch]:
    name, mark, text = message.partition("#")
    if name != _MARKER or not mark or len(text) > _MARKER_SIZE:
        raise ProtocolError("a malformed batch marker")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("a batch marker that is not JSON") from None
    match fields:
        case {"id": str(name), "type": "start" | "end" as kind, "size": int(size), "count": int(count)}:
            return kind, _Batch(name, size, count)
    raise ProtocolError("a batch marker needs an id, a type (start or end), a size and a count")


def custom(message: str) -> str:
    """The text message that carries an application's ``message`` to a y-partyserver client."""
    return _CUSTOM + message


def parse_custom(message: str) -> str | None:
    """What an application's client sent with y-partyserver's ``sendMessage``; ``None`` for any other text."""
    return message[len(_CUSTOM) :] if message.startswith(_CUSTOM) else None
