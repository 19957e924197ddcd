"""Engine: what a client does about pycrdt's habits that ``protocols.replica`` does not see to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pycrdt import merge_updates

from ..errors import ProtocolError
from ..protocols import guard
from ..protocols.replica import Replica, ReplicaBroken

__all__ = ["REMOTE", "engine", "merged", "rescued"]

REMOTE: Final = "partyroom.remote"
"""The origin of transactions that bring in others' edits."""


@contextmanager
def engine() -> Iterator[None]:
    """A panic of the engine, which is a ``BaseException``, leaves as ``ReplicaBroken``."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise ReplicaBroken(f"{type(error).__name__}: {error}") from None


def merged(updates: list[bytes]) -> list[bytes]:
    """The updates as one, where there are several and the engine can do it."""
    if len(updates) < 2:
        return updates
    try:
        with engine():
            return [merge_updates(*updates)]
    except (ReplicaBroken, ValueError):
        return updates


def rescued(broken: Replica) -> Replica | None:
    """A replica with the content of a broken one, where all of that can be read."""
    replica = Replica(origin=REMOTE)
    try:
        with engine():
            replica.apply(broken.snapshot())
            for update in broken.waiting:
                replica.apply(update)
            whole = guard.state_vector(replica.state_vector()) == guard.state_vector(broken.state_vector())
    except (ProtocolError, ValueError, RuntimeError):
        return None
    return replica if whole else None
