"""Trial: a child process that applies a document's updates first, where one of them has killed a server before.

The child is a copy of the document, fed through a pipe. Neither a crash of the engine nor an endless loop in it can be
caught in any other way: what the child does not answer within its time, or does not live to answer, is the death that
the server is spared.

::

    to the child      kind (1 byte: s snapshot, u update), length (4 bytes), the bytes
    from the child    + when it is ready; then for each: . applied, - refused by the guard, ! the engine broke
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from enum import Enum
from struct import Struct
from typing import IO, Final

from ..errors import PartyroomError, ProtocolError
from ..limits import MIB
from ..protocols.replica import Replica, ReplicaBroken

__all__ = ["Outcome", "Trial", "TrialFailed"]

SECONDS, SECONDS_PER_MIB = 5.0, 2.0
"""How long an update may take, in itself and for its size."""
READY_WITHIN: Final = 30.0
_READY: Final = b"+"
_HEAD: Final = Struct("<cI")


class Outcome(Enum):
    """What became of an update."""

    APPLIED = b"."
    REFUSED = b"-"
    BROKE = b"!"
    DIED = b""


class TrialFailed(PartyroomError):
    """The child process could not do its work, which says nothing about the updates."""


class Trial:
    """One document's child process: ``begin``, then ``apply`` each update, and ``close``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._known: list[tuple[bytes, bytes]] = []
        self._told = 0
        self._turn = asyncio.Lock()

    async def begin(self, snapshot: bytes | None = None) -> Outcome:
        """Start from a snapshot, or from an empty document. Raises ``TrialFailed``."""
        self.close()
        self._known = []
        return Outcome.APPLIED if snapshot is None else await self._try(b"s", snapshot)

    async def apply(self, update: bytes) -> Outcome:
        """Apply an update after all those that were applied, by a new process where the last one died.

        Raises ``TrialFailed``.
        """
        return await self._try(b"u", update)

    def knows(self, update: bytes) -> None:
        """The document has taken an update otherwise: its copy takes it before the next trial."""
        self._known.append((b"u", update))

    def close(self) -> None:
        """End the child process."""
        process, self._process = self._process, None
        self._told = 0
        if process is not None:
            process.kill()
            process.wait()
            for pipe in process.stdin, process.stdout:
                assert pipe is not None
                with suppress(OSError):  # what was not written yet cannot be any more
                    pipe.close()

    async def _try(self, kind: bytes, data: bytes) -> Outcome:
        async with self._turn:
            await self._catch_up()
            outcome = await self._ask(kind, data)
            if outcome is Outcome.APPLIED:
                self._known.append((kind, data))
                self._told += 1
            elif outcome is not Outcome.REFUSED:
                self.close()
            return outcome

    async def _catch_up(self) -> None:
        """Have a process that knows all that the document has taken."""
        if self._process is None:
            await self._start()
        for kind, data in self._known[self._told :]:
            if await self._ask(kind, data) is not Outcome.APPLIED:
                self.close()
                raise TrialFailed("a copy of the document cannot take what the document itself has taken")
            self._told += 1

    async def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-m", "partyroom.documents.trial"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise TrialFailed(f"no process to try updates in: {error}") from error
        if await self._exchange(b"", READY_WITHIN) != _READY:
            self.close()
            raise TrialFailed("the process to try updates in did not start")

    async def _ask(self, kind: bytes, data: bytes) -> Outcome:
        seconds = SECONDS + SECONDS_PER_MIB * len(data) / MIB
        return Outcome(await self._exchange(_HEAD.pack(kind, len(data)) + data, seconds))

    async def _exchange(self, message: bytes, seconds: float) -> bytes:
        """Send a message and return the byte that answers it; empty where the process died or took too long."""
        process = self._process
        if process is None:
            return b""
        overtime = asyncio.get_running_loop().call_later(seconds, process.kill)
        try:
            return await asyncio.to_thread(_write_and_read, process, message)
        except asyncio.CancelledError:
            self.close()  # its answer would be taken for that to the next question
            raise
        finally:
            overtime.cancel()


def _write_and_read(process: subprocess.Popen[bytes], message: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(message)
        process.stdin.flush()
        return process.stdout.read(1)
    except (OSError, ValueError):  # it has died, or was closed
        return b""


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """The child: apply what comes, and say how it went."""
    replica = Replica()
    answers.write(_READY)
    answers.flush()
    while len(head := requests.read(_HEAD.size)) == _HEAD.size:
        kind, length = _HEAD.unpack(head)
        answers.write(_apply(replica, kind, requests.read(length)).value)
        answers.flush()


def _apply(replica: Replica, kind: bytes, data: bytes) -> Outcome:
    try:
        if kind == b"s":
            replica.load((), snapshot=data)
        else:
            replica.apply(data)
    except ReplicaBroken:
        return Outcome.BROKE
    except ProtocolError:
        return Outcome.REFUSED
    return Outcome.APPLIED


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
