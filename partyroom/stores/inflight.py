"""In flight: what a process is doing at this moment, written where the next process finds it if this one dies of it.

It is a small file beside a store, overwritten in place and never synced: the operating system keeps it when a process
is killed, and a machine that loses power was not brought down by what a process did. So noting something and crossing
it out are two writes to the page cache, a microsecond each. (A memory map would cost less still; but on a file system
that copies on write, a full disk kills the process that writes to one.)

There is one note, for what is noted is done without a break by the one thread that runs the event loop. A program that
serves one store from several loops may miss one.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ..http import Address

__all__ = ["LONGEST", "InFlight", "InFlightStore", "Left", "Note"]

log = logging.getLogger("partyroom.stores")

LONGEST: Final = 1024 * 1024
"""Bytes of what is noted; of more, the first ones."""
_HEAD: Final = Struct("<III")
"""How many bytes name the room, how many the subject, and how many follow. Zeros: nothing is in flight."""
_NOTHING: Final = _HEAD.pack(0, 0, 0)


class Left(NamedTuple):
    """What was in flight when the last process ended."""

    subject: str
    data: bytes


class InFlight:
    """The note in one file. Raises ``OSError`` where that cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self._left = _read(self._file)

    def close(self) -> None:
        """Close the file, and remove it where nothing is in flight; harmless when done twice."""
        file, self._file = self._file, -1
        if file >= 0:
            nothing = _read(file) is None
            os.close(file)
            if nothing:
                self._path.unlink(missing_ok=True)

    def of(self, address: Address) -> Note:
        """For a room to note what it does."""
        return Note(self, address)

    def take(self, address: Address) -> Left | None:
        """What the last process was doing in a room when it ended, if it was; once."""
        if self._left is None or self._left[0] != address:
            return None
        left, self._left = self._left[1], None
        return left

    def write(self, note: bytes) -> None:
        """Overwrite the note. Never raises: what is under way matters more."""
        try:  # noqa: SIM105 - twice for every update of a document, and suppress() costs as much as the write
            _write(self._file, note)
        except OSError:
            pass  # no room on the disk, or the store has closed


class Note:
    """What one room writes down before it does what may kill the process, and crosses out after it."""

    def __init__(self, note: InFlight, address: Address) -> None:
        self._note = note
        self._name = json.dumps(address).encode()

    def began(self, subject: str, data: bytes = b"") -> None:
        """``subject`` is under way with ``data``."""
        what = subject.encode()
        if len(data) > LONGEST:
            data = data[:LONGEST]
        self._note.write(_HEAD.pack(len(self._name), len(what), len(data)) + self._name + what + data)

    def ended(self) -> None:
        """It is over, whether well or not."""
        self._note.write(_NOTHING)


def _write(file: int, note: bytes) -> None:
    if hasattr(os, "pwrite"):
        os.pwrite(file, note, 0)
    else:  # Windows
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, note)


def _read(file: int) -> tuple[Address, Left] | None:
    with os.fdopen(os.dup(file), "rb") as note:
        note.seek(0)
        head = note.read(_HEAD.size)
        if len(head) < _HEAD.size or head == _NOTHING:
            return None
        name, subject, data = (note.read(min(length, LONGEST)) for length in _HEAD.unpack(head))
    try:
        return Address(*json.loads(name)), Left(subject.decode(), data)
    except (ValueError, TypeError):
        log.warning("the note of what was in flight cannot be read: %r", name[:100])
        return None


@runtime_checkable
class InFlightStore(Protocol):
    """A store that has a place for the note."""

    @property
    def in_flight(self) -> InFlight | None:
        """The note; ``None`` until the store is open, and where it cannot be written."""
        ...
