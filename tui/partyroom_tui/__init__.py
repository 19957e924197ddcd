"""partyroom in the terminal: a multiplayer app, and its widgets for any Textual app.

``PartyApp`` is an app in one room; each widget takes a ``DocumentClient`` (or, for ``Chat`` and ``TrailsGame``, a
``PartySocket``) and may stand in any app. ``join.JoinApp`` is the whole of ``partyroom join``.
"""

from __future__ import annotations

from .app import PartyApp
from .canvas import PixelCanvas
from .chat import Chat
from .colours import user
from .file_sync import FileSync
from .game import TrailsGame
from .presence import People
from .seat import Seat
from .status import StatusBar
from .table import SharedTable
from .text_area import SharedTextArea
from .todo import SharedTodo

__all__ = [
    "Chat",
    "FileSync",
    "PartyApp",
    "People",
    "PixelCanvas",
    "Seat",
    "SharedTable",
    "SharedTextArea",
    "SharedTodo",
    "StatusBar",
    "TrailsGame",
    "user",
]
