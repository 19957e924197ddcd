"""Weave: several states of one document in one; also with the contents of what was deleted in between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pycrdt import Doc

from ..errors import ProtocolError
from ..protocols import guard
from ..protocols.engine import AT_ONCE, Engine, exhausted
from ..protocols.portions import Portions
from ..protocols.ranges import Ticks
from ..protocols.structs import read_structs
from ..protocols.surrogates import Surrogates

__all__ = ["deletions", "merge", "weave"]


def weave(updates: Iterable[bytes]) -> bytes:
    """One update with all that these hold, the older ones first: the engine is told to collect nothing.

    As all here, it runs in any thread and touches no document but its own. Raises ``ProtocolError`` where the engine
    fails.
    """
    return _engine(_mended(updates), skip_gc=True)


def merge(updates: Iterable[bytes]) -> bytes:
    """The state of a document that has taken in these updates; raises ``ProtocolError`` where the engine fails."""
    return _engine(_mended(updates))


def deletions(state: bytes) -> Ticks:
    """What is deleted in a document of this state; raises ``ProtocolError`` where the engine fails."""
    return read_structs(_engine([state], deletions=True))[1]


def _mended(updates: Iterable[bytes]) -> list[bytes]:
    """The updates with the characters cut in half that any of them cuts, before the engine meets them."""
    parts = [(update, guard.check(update)) for update in updates]
    surrogates = Surrogates()
    for update, summary in parts:
        surrogates.learn(update, summary)
    for _, summary in parts:
        surrogates.tear(summary.marks)
        surrogates.tear((client, first) for client, (first, _) in summary.clients.items())
    return [surrogates.mend(update, summary) for update, summary in parts]


def _engine(updates: list[bytes], *, skip_gc: bool = False, deletions: bool = False) -> bytes:
    failure = ""
    try:
        doc = _applied(updates, Engine(Doc(skip_gc=skip_gc)))
        return doc.get_update(doc.get_state()) if deletions else doc.get_update()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # the engine's panics; its traceback would carry the document into other threads
        failure = f"{type(error).__name__}: {error}"
    raise ProtocolError(f"these states cannot be brought together: {failure}")


def _applied(updates: list[bytes], engine: Engine) -> Doc[Any]:
    """The engine's document with these updates, in small portions: the engine lets no other thread run meanwhile."""
    clocks: dict[int, int] = {}
    waiting: list[Portions] = []
    for update in updates:
        waiting.append(Portions((update, guard.check(update))))
        _, moved = exhausted(engine.applying(waiting[-1], clocks, at_once=AT_ONCE // 10))
        while moved:
            woken = [one for one in waiting if one.wakes(moved, clocks)]
            moved = {client for one in woken for client in exhausted(engine.applying(one, clocks))[1]}
        waiting = [one for one in waiting if not one.done]
    engine.close()
    return engine.doc
