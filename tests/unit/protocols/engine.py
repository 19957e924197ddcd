"""Runs pycrdt in a child process, where it may crash or hang without taking the tests along.

As a script it is that child: it reads scenes from its standard input, applies each to a document, and prints one line
for each: ``ok``, or the exception's name.
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

SECONDS = 5
MEMORY = 4 << 30
ROOT = Path(__file__).parents[3]


def outcomes(scenes: Iterable[list[bytes]]) -> list[str]:
    """What became of each scene (a list of updates, the last of them the one in question), in order.

    A crash, or more than ``SECONDS`` for one scene, ends the child: the scene's outcome is then ``died: `` and the
    signal, and those after it are run by another child.
    """
    waiting = list(scenes)
    done: list[str] = []
    while waiting:
        packed = b"".join(map(_pack, waiting))
        child = subprocess.run(
            [sys.executable, "-m", __name__], input=packed, capture_output=True, check=False, cwd=ROOT
        )
        lines = child.stdout.decode().splitlines()
        done += lines
        waiting = waiting[len(lines) :]
        if waiting:
            done.append(f"died: {signal.Signals(-child.returncode).name if child.returncode < 0 else child.returncode}")
            waiting = waiting[1:]
    return done


def _pack(scene: list[bytes]) -> bytes:
    return struct.pack("!I", len(scene)) + b"".join(struct.pack("!I", len(part)) + part for part in scene)


def _unpack(source: BinaryIO) -> Iterator[list[bytes]]:
    while head := source.read(4):
        yield [source.read(struct.unpack("!I", source.read(4))[0]) for _ in range(struct.unpack("!I", head)[0])]


def _play(scene: list[bytes]) -> str:
    """Applies a scene, and then does with the document what a server does."""
    from pycrdt import Doc

    from partyroom.protocols.guard import state_vector

    doc: Doc[object] = Doc()
    seen: list[bytes] = []
    subscription = doc.observe(lambda event: seen.append(event.update))
    outcome = "ok"
    for update in scene:
        try:
            doc.apply_update(update)
        except BaseException as error:  # a panic of the engine is no Exception
            outcome = f"{type(error).__name__}: {str(error)[:90]}"
    doc.unobserve(subscription)
    doc.get_update(doc.get_state())
    other: Doc[object] = Doc()
    other.apply_update(doc.get_update())
    if state_vector(other.get_state()) != state_vector(doc.get_state()):
        outcome += " (and the copy differs)"
    return outcome


def _serve() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # panics are printed there
    for scene in _unpack(sys.stdin.buffer):
        signal.alarm(SECONDS)
        try:
            outcome = _play(scene)
        except BaseException as error:
            outcome = f"afterwards: {type(error).__name__}: {str(error)[:60]!r}"
        out.write(outcome.replace("\n", " ") + "\n")
        out.flush()


if __name__ == "__main__":
    _serve()
