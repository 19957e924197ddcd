"""In flight: what a process is doing at this moment, written where the next process finds it if this one dies of it.

It is a small file beside a store, mapped into memory and never synced: the operating system keeps it when a process is
killed, and a machine that loses power was not brought down by what a process did. So noting something and crossing it
out cost no system call. As SQLite does with the index of its log, which is mapped too, the file is filled beforehand:
a page for which a full disk had no room would kill the process that writes to it.

There is one note, for what is noted is done without a break by the one thread that runs the event loop. A program that
serves one store from several loops may miss one.
"""

from __future__ import annotations

import json
import logging
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ..http import Address

__all__ = ["LONGEST", "InFlight", "InFlightStore", "Left", "Note"]

log = logging.getLogger("partyroom.stores")

LONGEST: Final = 256 * 1024
"""Bytes of what is noted; of more, the first ones."""
_SIZE: Final = LONGEST + 16 * 1024
_LENGTH, _LENGTHS = Struct("<I"), Struct("<II")
_HEAD: Final = Struct("<III")
"""How many bytes of data there are, how many name the room, and how many the subject; then name, subject and data.
Zeros: nothing is in flight."""
_NOTHING: Final = _HEAD.pack(0, 0, 0)


class Left(NamedTuple):
    """What was in flight when the last process ended."""

    subject: str
    data: bytes


class InFlight:
    """The note in one file. Raises ``OSError`` where that cannot be made."""

    def __init__(self, path: Path) -> None:
        path.touch()
        with path.open("r+b") as file:
            found = file.read()
            file.write(bytes(max(0, _SIZE - len(found))))
            file.flush()
            self._page = mmap(file.fileno(), _SIZE)
        self._path = path
        self._left = _read(found)

    def close(self) -> None:
        """Let go of the file, and remove it where nothing is in flight; harmless when done twice."""
        if not self._page.closed:
            nothing = self._page[: len(_NOTHING)] == _NOTHING
            self._page.close()
            if nothing:
                self._path.unlink(missing_ok=True)

    def of(self, address: Address, subject: str) -> Note:
        """For a room to note that it does one kind of thing."""
        return Note(self._page, address, subject)

    def take(self, address: Address) -> Left | None:
        """What the last process was doing in a room when it ended, if it was; once."""
        if self._left is None or self._left[0] != address:
            return None
        left, self._left = self._left[1], None
        return left


class Note:
    """What one room writes down before it does what may kill the process, and crosses out after it.

    Both are on the way of every update of a document.
    """

    __slots__ = ("_lengths", "_names", "_page")

    def __init__(self, page: mmap, address: Address, subject: str) -> None:
        self._page = page
        name, what = json.dumps(address).encode(), subject.encode()
        self._lengths = _LENGTHS.pack(len(name), len(what))
        self._names = name + what

    def began(self, data: bytes = b"") -> None:
        """It is under way, with ``data``."""
        if len(data) > LONGEST:
            data = data[:LONGEST]
        note, page = self._names + data, self._page
        if not page.closed:
            # The head comes last: a process that is killed while it writes the rest has begun nothing.
            page[12 : 12 + len(note)] = note
            page[:12] = _LENGTH.pack(len(data)) + self._lengths

    def ended(self) -> None:
        """It is over, whether well or not."""
        if not self._page.closed:
            self._page[:12] = _NOTHING


def _read(found: bytes) -> tuple[Address, Left] | None:
    if len(found) < len(_NOTHING) or found.startswith(_NOTHING):
        return None
    size, *lengths = _HEAD.unpack_from(found)
    texts, at = [], len(_NOTHING)
    for length in lengths:
        texts.append(found[at : at + length])
        at += length
    try:
        return Address(*json.loads(texts[0])), Left(texts[1].decode(), found[at : at + size])
    except (ValueError, TypeError):
        log.warning("the note of what was in flight cannot be read: %r", found[:100])
        return None


@runtime_checkable
class InFlightStore(Protocol):
    """A store that has a place for the note."""

    @property
    def in_flight(self) -> InFlight | None:
        """The note; ``None`` until the store is open, and where it cannot be written."""
        ...
