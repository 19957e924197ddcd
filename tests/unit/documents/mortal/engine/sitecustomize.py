"""In every Python process whose path begins with this folder, pycrdt dies of some texts, as a bug in it might."""

import os
import signal
import time
from typing import Any

import pycrdt

_apply = pycrdt.Doc.apply_update


def _apply_or_die(doc: Any, update: bytes) -> None:
    if b"DEADLY" in update:
        os.kill(os.getpid(), signal.SIGKILL)
    while b"ENDLESS" in update:
        time.sleep(1)
    if b"PANIC" in update:
        raise BaseException("panicked, as Rust says it")
    _apply(doc, update)


engine: Any = pycrdt.Doc
engine.apply_update = _apply_or_die
