"""Parties that are ready to be served or subclassed: topics, functions, and a scheduler.

::

    from partyroom import Lobby
    from partyroom.readymade import Functions, PubSub, Scheduler, function
"""

from __future__ import annotations

from .functions import CallError, Functions, function
from .pubsub import PubSub
from .scheduler import Scheduler, Task

__all__ = ["CallError", "Functions", "PubSub", "Scheduler", "Task", "function"]
