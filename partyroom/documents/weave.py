"""Weave: several states of one document in one, with the contents of what was deleted in between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pycrdt import Doc

from ..errors import ProtocolError
from ..protocols import guard
from ..protocols.structs import Id
from ..protocols.surrogates import Surrogates

__all__ = ["Woven", "weave"]


class Woven(NamedTuple):
    """One update, and the characters that were whole once and have been cut in half, by the tick of the second half."""

    update: bytes
    torn: dict[Id, str]


def weave(updates: Iterable[bytes]) -> Woven:
    """All that these updates hold, the older ones first: the engine is told to collect nothing.

    Runs in any thread, and touches no document but its own. Raises ``ProtocolError`` where the engine fails.
    """
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
    return Woven(_merged([surrogates.mend(update, summary) for update, summary in parts]), torn)


def _merged(updates: list[bytes]) -> bytes:
    failure = ""
    try:
        doc: Doc[Any] = Doc(skip_gc=True)
        for update in updates:
            doc.apply_update(update)
        return doc.get_update()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # the engine's panics; its traceback would carry the document into other threads
        failure = f"{type(error).__name__}: {error}"
    raise ProtocolError(f"these states cannot be brought together: {failure}")
