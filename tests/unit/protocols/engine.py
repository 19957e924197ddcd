"""Plays scenes to a Replica in a child process, where the engine may crash or hang without taking the tests along.

As a script it is that child: it reads scenes from its standard input and prints one line for each: ``ok``, ``refused``,
``broken`` (the engine said so, and the replica noticed), or what should not be.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pycrdt import Text

from partyroom.errors import ProtocolError
from partyroom.protocols.guard import state_vector
from partyroom.protocols.lib0 import Encoder
from partyroom.protocols.replica import Replica, ReplicaBroken

ROOT = Path(__file__).parents[3]
SECONDS = 5
MEMORY = 4 << 30


def outcomes(scenes: Iterable[list[bytes]]) -> list[str]:
    """What became of each scene (a list of updates, the last of them the one in question), in order.

    A crash, or more than ``SECONDS`` for one scene, ends the child: the scene's outcome is then ``died`` with the
    signal, and those after it are played to another child.
    """
    waiting = list(scenes)
    done: list[str] = []
    while waiting:
        packed = b"".join(map(_pack, waiting))
        command = [sys.executable, "-m", "tests.unit.protocols.engine"]
        child = subprocess.run(command, input=packed, capture_output=True, check=False, cwd=ROOT)
        lines = child.stdout.decode().splitlines()
        done += lines
        waiting = waiting[len(lines) :]
        if waiting:
            how = signal.Signals(-child.returncode).name if child.returncode < 0 else child.stderr.decode()[-300:]
            done.append(f"died: {how}")
            waiting = waiting[1:]
    return done


def _pack(scene: list[bytes]) -> bytes:
    return struct.pack("!I", len(scene)) + b"".join(struct.pack("!I", len(part)) + part for part in scene)


def _unpack(source: BinaryIO) -> Iterator[list[bytes]]:
    while head := source.read(4):
        yield [source.read(struct.unpack("!I", source.read(4))[0]) for _ in range(struct.unpack("!I", head)[0])]


def _play(scene: list[bytes]) -> str:
    """Applies a scene, and then does with the document what a server does."""
    replica = Replica()
    outcome = "ok"
    for update in scene:
        try:
            replica.apply(update)
        except ReplicaBroken as error:
            return f"broken: {error.reason}"
        except ProtocolError as error:
            outcome = f"refused: {error.reason}"
    clocks = state_vector(replica.state_vector())
    if clocks != replica._clocks:
        return f"wrong clocks: {clocks} is {replica._clocks}"
    for clock in (0, 1, 2):
        half = {client: last * clock // 2 for client, last in clocks.items()}
        encoder = Encoder().varuint(len(half))
        for client, last in half.items():
            encoder.varuint(client).varuint(last)
        replica.diff(bytes(encoder))
    snapshot = replica.compact()
    if snapshot is not None:
        again = Replica()
        again.load([], snapshot=snapshot)
        again.doc.get("t", type=Text).insert(0, "after all")
    elif not replica.pending:
        return "unfaithful: the snapshot does not bring everything back"
    for name in ("t", "rich"):
        str(replica.doc.get(name, type=Text))
    return outcome


def _serve() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the engine prints its panics there
    for scene in _unpack(sys.stdin.buffer):
        signal.alarm(SECONDS)
        try:
            outcome = _play(scene)
        except BaseException as error:
            outcome = f"unexpected: {type(error).__name__}: {error}"
        out.write(outcome.replace("\n", " ") + "\n")
        out.flush()


if __name__ == "__main__":
    _serve()
