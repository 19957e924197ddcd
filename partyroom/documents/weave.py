"""Weave: several states of one document in one; also with the contents of what was deleted in between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pycrdt import Doc

from ..errors import ProtocolError
from ..protocols import guard
from ..protocols.ranges import Ticks
from ..protocols.structs import Id, read_structs
from ..protocols.surrogates import Surrogates

__all__ = ["Woven", "deletions", "merge", "weave"]


class Woven(NamedTuple):
    """One update, and the characters that were whole once and have been cut in half, by the tick of the second half."""

    update: bytes
    torn: dict[Id, str]


def weave(updates: Iterable[bytes]) -> Woven:
    """All that these updates hold, the older ones first: the engine is told to collect nothing.

    As all here, it runs in any thread and touches no document but its own. Raises ``ProtocolError`` where the engine
    fails.
    """
    mended, torn = _mended(updates)
    return Woven(_engine(mended, skip_gc=True), torn)


def merge(updates: Iterable[bytes]) -> bytes:
    """The state of a document that has taken in these updates; raises ``ProtocolError`` where the engine fails."""
    return _engine(_mended(updates)[0])


def deletions(state: bytes) -> Ticks:
    """What is deleted in a document of this state; raises ``ProtocolError`` where the engine fails."""
    return read_structs(_engine([state], deletions=True))[1]


def _mended(updates: Iterable[bytes]) -> tuple[list[bytes], dict[Id, str]]:
    """The updates with the characters cut that any of them cuts, before the engine meets them, and those characters."""
    parts = [(update, guard.check(update)) for update in updates]
    surrogates = Surrogates()
    for update, summary in parts:
        surrogates.learn(update, summary)
    for _, summary in parts:
        surrogates.tear(summary.marks)
        surrogates.tear((client, first) for client, (first, _) in summary.clients.items())
    torn: dict[Id, str] = {}
    for update, summary in parts:
        torn.update(surrogates.torn(update, summary))
    return [surrogates.mend(update, summary) for update, summary in parts], torn


def _engine(updates: list[bytes], *, skip_gc: bool = False, deletions: bool = False) -> bytes:
    failure = ""
    try:
        doc: Doc[Any] = Doc(skip_gc=skip_gc)
        for update in updates:
            doc.apply_update(update)
        return doc.get_update(doc.get_state()) if deletions else doc.get_update()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # the engine's panics; its traceback would carry the document into other threads
        failure = f"{type(error).__name__}: {error}"
    raise ProtocolError(f"these states cannot be brought together: {failure}")
