"""Callbacks: plain functions that want to hear of something, called in the order in which they asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

__all__ = ["Callbacks"]

P = ParamSpec("P")

log = logging.getLogger("partyroom.client")


class Callbacks(Generic[P]):
    """Functions to call; one that raises is logged and disturbs nobody."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._callbacks: list[Callable[P, object]] = []

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[P, object]) -> Callable[[], None]:
        """Call ``callback`` from now on; returns a function that takes it away again (calling that twice is fine)."""
        entry: list[Callable[P, object]] = [callback]  # the same function may be added twice

        def call(*args: P.args, **kwargs: P.kwargs) -> object:
            return callback(*args, **kwargs)

        self._callbacks.append(call)

        def remove() -> None:
            if entry:
                entry.clear()
                self._callbacks.remove(call)

        return remove

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all of them."""
        for callback in tuple(self._callbacks):
            try:
                callback(*args, **kwargs)
            except Exception:
                log.exception("a callback for %s failed", self._event)
