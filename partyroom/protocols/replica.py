"""Replica: a Yjs document with its awareness that answers messages and does no I/O.

(A first version by the lead, so that the server runs; the protocols' author replaces it.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pycrdt import Doc

from ..errors import CloseCode, ProtocolError
from . import guard
from .awareness import Awareness

__all__ = ["Replica", "ReplicaBroken"]


class ReplicaBroken(ProtocolError):
    """The engine failed in the middle of an update: the document in memory is not to be trusted any more."""


class Replica:
    """A Yjs document and who is in it."""

    def __init__(self, doc: Doc[Any] | None = None) -> None:
        self.doc: Doc[Any] = Doc() if doc is None else doc
        self.awareness = Awareness()
        self._applying = False
        self._fired = False
        self._on_edit: Callable[[bytes], object] | None = None
        self._subscription = self.doc.observe(self._observe)

    def on_edit(self, callback: Callable[[bytes], object]) -> None:
        self._on_edit = callback

    def _observe(self, event: Any) -> None:
        if self._applying:
            self._fired = True
        elif self._on_edit is not None:
            self._on_edit(event.update)

    def load(self, updates: Iterable[bytes]) -> None:
        for update in updates:
            self._apply(update)

    def apply(self, update: bytes) -> bool:
        guard.check(update)
        return self._apply(update)

    def _apply(self, update: bytes) -> bool:
        self._applying, self._fired = True, False
        try:
            self.doc.apply_update(update)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            raise ReplicaBroken(f"{type(error).__name__}: {error}", CloseCode.POLICY_VIOLATION) from None
        finally:
            self._applying = False
        return self._fired

    @property
    def pending(self) -> bool:
        return False

    def state_vector(self) -> bytes:
        return self.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        guard.state_vector(state_vector)
        return self.doc.get_update(state_vector)

    def snapshot(self) -> bytes:
        return self.doc.get_update()
