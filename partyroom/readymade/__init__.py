"""Parties that are ready to be served or subclassed: topics, functions, a scheduler, and a game.

::

    from partyroom import Lobby
    from partyroom.readymade import Functions, Game, PubSub, Scheduler, function
"""

from __future__ import annotations

from .functions import CallError, Functions, function
from .game import Game
from .pubsub import PubSub
from .scheduler import Scheduler, Task

__all__ = ["CallError", "Functions", "Game", "PubSub", "Scheduler", "Task", "function"]
