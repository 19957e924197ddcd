"""The log: on standard error for who starts the server, over a WebSocket for who follows it (``partyroom tail``)."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any, Literal

from rich.console import Console
from rich.logging import RichHandler

from ..connection import Connection
from ..room import Room

__all__ = ["LEVELS", "LogLevel", "Tail", "log_to_stderr"]

LogLevel = Literal["debug", "info", "warning", "error"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_to_stderr(level: LogLevel) -> None:
    """Coloured for a person who looks at a terminal; one line each for whatever else reads it."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.setLevel(LEVELS[level])
    logging.basicConfig(level=LEVELS[level], handlers=[handler])


class Tail(logging.Handler):
    """Sends what the ``partyroom`` loggers say to those who follow, each from a level of their own up.

    While somebody asks for more detail than the log on standard error shows, the loggers let it through; standard
    error keeps its own level. Tracebacks stay in the server's own log.
    """

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._room = room
        self._levels: dict[Connection, int] = {}
        self._logger = logging.getLogger("partyroom")
        self._level = self._logger.level
        self._logger.addHandler(self)

    def follow(self, connection: Connection, level: str) -> None:
        """Send it what is logged from ``level`` up (``info`` where that is no level)."""
        self._levels[connection] = LEVELS.get(level, logging.INFO)
        self._settle()

    def leave(self, connection: Connection) -> None:
        """Send it no more."""
        self._levels.pop(connection, None)
        self._settle()

    def end(self) -> None:
        """Listen to the log no more."""
        self._levels.clear()
        self._settle()
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Called in whichever thread logs."""
        line: dict[str, Any] = {
            "at": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._loop.call_soon_threadsafe(self._send, record.levelno, json.dumps(line, ensure_ascii=False))

    def _send(self, level: int, line: str) -> None:
        for connection, wanted in list(self._levels.items()):
            if level >= wanted:
                connection.send(line)

    def _settle(self) -> None:
        wanted = min(self._levels.values(), default=None)
        root = logging.getLogger().level
        self._logger.setLevel(self._level if wanted is None else min(wanted, self._level or root))
